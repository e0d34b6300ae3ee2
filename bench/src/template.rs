//! A request as one line of text with places for numbers, compiled into pieces to copy.
//!
//! `SET key:{rand:0-999999:12} {fill:32}` is a command of three words. Placeholders:
//! `{rand:LOW-HIGH[:WIDTH]}` a random number, `{seq[:WIDTH]}` the request's number in the run,
//! `{fill:COUNT}` that many bytes of filler. Numbers are padded with zeros to WIDTH (default: the
//! digits of HIGH; 12 for seq), so every request of a template has the same length and the bulk
//! headers are constants: rendering is a few copies.
//!
//! Does not know what the commands mean. Tests: at the bottom.

use anyhow::{Context, Result, bail, ensure};

/// A seeded generator (SplitMix64): equal seeds give equal requests on both servers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number in `0..bound`, by multiplication; its bias is below 1 in 2^40 for our bounds.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Random { low: u64, count: u64, width: usize },
    Sequence { width: usize },
}

/// A compiled request.
#[derive(Debug, Clone)]
pub struct Template {
    pieces: Vec<Piece>,
    length_bytes: usize,
}

impl Template {
    pub fn parse(text: &str) -> Result<Template> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Template::from_words(&words)
    }

    pub fn from_words(words: &[&str]) -> Result<Template> {
        ensure!(!words.is_empty(), "empty command");
        let mut pieces = Vec::new();
        push_bytes(&mut pieces, format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            let parsed = parse_word(word).with_context(|| format!("in {word:?}"))?;
            let length_bytes: usize = parsed.iter().map(Piece::length_bytes).sum();
            push_bytes(&mut pieces, format!("${length_bytes}\r\n").as_bytes());
            for piece in parsed {
                match piece {
                    Piece::Bytes(bytes) => push_bytes(&mut pieces, &bytes),
                    number => pieces.push(number),
                }
            }
            push_bytes(&mut pieces, b"\r\n");
        }
        let length_bytes = pieces.iter().map(Piece::length_bytes).sum();
        Ok(Template {
            pieces,
            length_bytes,
        })
    }

    /// Length of every request rendered from this template.
    pub fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// Appends one request to `out`.
    pub fn render(&self, out: &mut Vec<u8>, sequence: u64, random: &mut Random) {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Random { low, count, width } => {
                    push_number(out, low + random.below(*count), *width);
                }
                Piece::Sequence { width } => push_number(out, sequence, *width),
            }
        }
    }
}

/// Several templates used in turn: request n is made from template n modulo their number.
#[derive(Debug, Clone)]
pub struct Mix(Vec<Template>);

impl Mix {
    pub fn parse<Text: AsRef<str>>(texts: &[Text]) -> Result<Mix> {
        ensure!(!texts.is_empty(), "no command given");
        let templates = texts
            .iter()
            .map(|text| {
                let text = text.as_ref();
                Template::parse(text).with_context(|| format!("bad command {text:?}"))
            })
            .collect::<Result<_>>()?;
        Ok(Mix(templates))
    }

    pub fn single(template: Template) -> Mix {
        Mix(vec![template])
    }

    pub fn render(&self, out: &mut Vec<u8>, sequence: u64, random: &mut Random) {
        let index = (sequence % self.0.len() as u64) as usize;
        self.0[index].render(out, sequence, random);
    }

    /// The longest request, for sizing buffers.
    pub fn length_bytes(&self) -> usize {
        self.0.iter().map(Template::length_bytes).max().unwrap_or(0)
    }
}

impl Piece {
    fn length_bytes(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Random { width, .. } | Piece::Sequence { width } => *width,
        }
    }
}

fn parse_word(word: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(open) = rest.find('{') {
        push_bytes(&mut pieces, &rest.as_bytes()[..open]);
        let Some(length) = rest[open..].find('}') else {
            bail!("'{{' without '}}'");
        };
        match parse_placeholder(&rest[open + 1..open + length])? {
            Piece::Bytes(bytes) => push_bytes(&mut pieces, &bytes),
            number => pieces.push(number),
        }
        rest = &rest[open + length + 1..];
    }
    push_bytes(&mut pieces, rest.as_bytes());
    Ok(pieces)
}

fn parse_placeholder(text: &str) -> Result<Piece> {
    let fields: Vec<&str> = text.split(':').collect();
    match fields.as_slice() {
        ["fill", count] => {
            let count: usize = count.parse().context("bad count of filler bytes")?;
            ensure!(count <= 512 << 20, "more than 512 MB of filler");
            Ok(Piece::Bytes(
                (0..count).map(|index| b'a' + (index % 26) as u8).collect(),
            ))
        }
        ["seq"] => Ok(Piece::Sequence { width: 12 }),
        ["seq", width] => Ok(Piece::Sequence {
            width: parse_width(width)?,
        }),
        ["rand", range] => random_piece(range, None),
        ["rand", range, width] => random_piece(range, Some(parse_width(width)?)),
        _ => bail!("unknown placeholder {{{text}}}"),
    }
}

fn random_piece(range: &str, width: Option<usize>) -> Result<Piece> {
    let (low, high) = range
        .split_once('-')
        .context("a range is written LOW-HIGH")?;
    let low: u64 = low.parse().context("bad low end of a range")?;
    let high: u64 = high.parse().context("bad high end of a range")?;
    ensure!(low <= high && high < u64::MAX, "bad range {range}");
    let width = width.unwrap_or(high.to_string().len());
    ensure!(
        width >= high.to_string().len(),
        "width {width} is too small for {high}"
    );
    Ok(Piece::Random {
        low,
        count: high - low + 1,
        width,
    })
}

fn parse_width(text: &str) -> Result<usize> {
    let width: usize = text.parse().context("bad width")?;
    ensure!((1..=20).contains(&width), "width must be 1 to 20");
    Ok(width)
}

/// Appends to the last piece if that is constant too, so that a render copies long runs.
fn push_bytes(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
        _ => pieces.push(Piece::Bytes(bytes.to_vec())),
    }
}

/// Appends the last `width` decimal digits of `value`.
fn push_number(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, sequence: u64) -> String {
        let template = Template::parse(text).unwrap();
        let mut out = Vec::new();
        template.render(&mut out, sequence, &mut Random::new(1));
        assert_eq!(out.len(), template.length_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_become_bulk_strings() {
        assert_eq!(render("PING", 0), "*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            render("SET k:{seq:4} {fill:3}", 42),
            "*3\r\n$3\r\nSET\r\n$6\r\nk:0042\r\n$3\r\nabc\r\n"
        );
    }

    #[test]
    fn random_numbers_stay_in_their_range_and_reach_its_ends() {
        let template = Template::parse("{rand:7-9}").unwrap();
        let mut random = Random::new(5);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut out = Vec::new();
            template.render(&mut out, 0, &mut random);
            seen.insert(out[8]);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), b"789");
    }

    #[test]
    fn equal_seeds_give_equal_requests() {
        let mix = Mix::parse(&["GET {rand:0-999999:12}", "INCR {seq}"]).unwrap();
        let run = |seed| {
            let mut out = Vec::new();
            let mut random = Random::new(seed);
            (0..50).for_each(|sequence| mix.render(&mut out, sequence, &mut random));
            out
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn bad_templates_are_refused() {
        for text in [
            "",
            "{",
            "{x}",
            "{rand:9-7}",
            "{rand:0-10:1}",
            "{seq:0}",
            "{fill:x}",
        ] {
            assert!(Template::parse(text).is_err(), "{text:?}");
        }
    }
}
