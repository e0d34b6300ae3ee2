//! LOLWUT: a small picture, different every time, and the version below it.
//!
//! Ours is a row of trees under a starry sky. `LOLWUT [VERSION n] [columns [rows]]`; all versions draw
//! the same.

use crate::ctx::{Args, Ctx};
use crate::error::{Outcome, texts};
use keyspace::rng::Rng;

const COLUMNS_DEFAULT: usize = 64;
const COLUMNS_MAX: usize = 200;
const ROWS_DEFAULT: usize = 10;
const ROWS_MAX: usize = 60;
const ROWS_MIN: usize = 4;

pub fn lolwut(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut numbers = &args[1..];
    if let [word, version, rest @ ..] = numbers
        && word.eq_ignore_ascii_case(b"version")
    {
        resp::parse_i64(version).ok_or(texts::NOT_AN_INTEGER)?;
        numbers = rest;
    }
    let mut sizes = [COLUMNS_DEFAULT as i64, ROWS_DEFAULT as i64];
    for (size, text) in sizes.iter_mut().zip(numbers) {
        *size = resp::parse_i64(text).ok_or(texts::NOT_AN_INTEGER)?;
    }
    let columns = sizes[0].clamp(1, COLUMNS_MAX as i64) as usize;
    let rows = sizes[1].clamp(ROWS_MIN as i64, ROWS_MAX as i64) as usize;
    let mut picture = draw(&mut ctx.engine.rng, columns, rows);
    picture += &format!("\nRedis ver. {}\n", config::REDIS_VERSION);
    ctx.out.verbatim(&picture, "txt");
    Ok(())
}

fn draw(rng: &mut Rng, columns: usize, rows: usize) -> String {
    let mut canvas = vec![vec![' '; columns]; rows];
    for _ in 0..columns * rows / 24 {
        let (row, column) = (rng.below(rows as u64 / 2), rng.below(columns as u64));
        canvas[row as usize][column as usize] = if rng.below(5) == 0 { '*' } else { '.' };
    }
    let ground = rows - 1;
    let mut trunk = rng.below(4) as usize + 1;
    while trunk < columns {
        let height = 2 + rng.below(rows as u64 - 3) as usize;
        for level in 0..height {
            let row = ground - 1 - level;
            let half = (height - 1 - level).min(3);
            let (from, to) = (trunk.saturating_sub(half), (trunk + half).min(columns - 1));
            for (column, place) in canvas[row].iter_mut().enumerate().take(to + 1).skip(from) {
                *place = if column < trunk {
                    '/'
                } else if column > trunk {
                    '\\'
                } else {
                    '|'
                };
            }
        }
        trunk += 4 + rng.below(7) as usize;
    }
    canvas[ground].fill('~');
    let line = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned() + "\n";
    canvas.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_can_be_drawn() {
        let mut rng = Rng::new(7);
        for (columns, rows) in [
            (1, ROWS_MIN),
            (COLUMNS_MAX, ROWS_MAX),
            (64, 10),
            (2, ROWS_MAX),
        ] {
            let picture = draw(&mut rng, columns, rows);
            assert_eq!(picture.lines().count(), rows);
            assert!(picture.lines().all(|line| line.chars().count() <= columns));
        }
    }
}
