//! What goes out to replicas, beside what Redis sends them.
//!
//! `fixtures/effects-redis-7.0.txt` was recorded from redis-server 7.0.15 through a link that PSYNC
//! opened: on each line what exists before, the requests, and what came out, SELECT left out. There
//! `@` begins the request of a client of its own, `T+n` stands for a time so many milliseconds from
//! the request, `?` for any one word.

mod support;

use engine::EffectsReader;
use support::{Client, World, commands_of};

const RECORDED: &str = include_str!("fixtures/effects-redis-7.0.txt");

/// Where we say the same with other words.
const OTHERWISE: &[(&str, &str)] = &[
    // As Redis 7.2 and later: one SREM for up to 1024 members.
    ("sadd s a b c d e f g h i j|spop s 2", "SREM s ? ?"),
    (
        "sadd s a b c d e f g h i j|spop s 8",
        "SREM s ? ? ? ? ? ? ? ?",
    ),
    // A value that has expired already is not stored for a moment first.
    ("|set k v exat 1", ""),
    ("set k 1|set k v exat 1", "DEL k"),
    // Redis creates the key and does not tell: its replicas have no such key then.
    (
        "|bitfield k overflow fail incrby u2 0 9",
        "bitfield k overflow fail incrby u2 0 9",
    ),
];

fn run(world: &mut World, client: Client, steps: &str) {
    for step in steps
        .split(';')
        .map(str::trim)
        .filter(|step| !step.is_empty())
    {
        if let Some(seconds) = step.strip_prefix("SLEEP ") {
            let seconds: f64 = seconds.parse().expect("a number of seconds");
            world.wait_ms((seconds * 1000.0) as i64);
        } else if step == "NO-ACTIVE-EXPIRE" {
            world.engine.active_expire = false;
        } else if let Some(request) = step.strip_prefix('@') {
            let other = world.client();
            world.call(other, request);
        } else {
            world.send(client, step);
            world.end_turn();
        }
    }
}

/// The effects since it was last asked, times shown as in the recording.
fn effects(world: &mut World, since_ms: i64) -> Vec<String> {
    let stream = world.engine.effects.take(Vec::new());
    let show = |word: &Vec<u8>| {
        let text = String::from_utf8_lossy(word).into_owned();
        match text.parse::<i64>() {
            Ok(at_ms) if text.len() == 13 && (at_ms - since_ms).abs() < 100_000_000 => {
                format!("T+{}", at_ms - since_ms)
            }
            _ => text,
        }
    };
    commands_of(&stream)
        .iter()
        .map(|args| args.iter().map(show).collect::<Vec<_>>().join(" "))
        .filter(|command| !command.starts_with("SELECT "))
        .collect()
}

fn is_alike(ours: &str, recorded: &str) -> bool {
    let (ours, recorded): (Vec<&str>, Vec<&str>) =
        (ours.split(' ').collect(), recorded.split(' ').collect());
    ours.len() == recorded.len()
        && ours
            .iter()
            .zip(recorded)
            .all(|(ours, recorded)| recorded == "?" || *ours == recorded)
}

#[test]
fn effects_are_those_of_redis() {
    let mut differences = Vec::new();
    for line in RECORDED.lines() {
        let (steps, recorded) = line.split_once(" =>").expect("an arrow");
        let (setup, requests) = steps.split_once('|').expect("a bar");
        let mut world = World::with(|c| {
            c.lazyfree_lazy_expire = setup.contains("lazyfree-lazy-expire yes");
            c.enable_debug_command = config::ProtectedAction::Yes;
        });
        world.engine.record_effects(EffectsReader::Replicas, true);
        let client = world.client();
        run(&mut world, client, setup);
        effects(&mut world, 0);
        let since_ms = world.host.now_us / 1000;
        run(&mut world, client, requests);
        let ours = effects(&mut world, since_ms).join(" ; ");
        let excused = OTHERWISE.iter().find(|(case, _)| *case == steps);
        let expected = excused.map_or(recorded.trim(), |(_, ours)| ours);
        if !is_alike(&ours, expected) {
            differences.push(format!(
                "{steps}\n    theirs: {expected}\n    ours:   {ours}"
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
