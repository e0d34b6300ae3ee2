//! What a node makes of the directory it finds, whatever is wrong with it: it loads all of it, or a
//! prefix that the configuration allows, or refuses with the file, the place and the reason. Nothing
//! is loaded half, nothing that holds data is overwritten, and nothing panics.

mod support;

use config::Config;
use support::disk::{IO_ERROR, ModelDisk, Random};
use support::{Refused, TestNode};

const DUMP: &str = "dump.rdb";
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const BASE: &str = "appendonlydir/appendonly.aof.2.base.rdb";
const INCR: &str = "appendonlydir/appendonly.aof.2.incr.aof";

fn with_aof(config: &mut Config) {
    config.appendonly = true;
}

fn without(_: &mut Config) {}

fn strict(config: &mut Config) {
    config.appendonly = true;
    config.aof_load_truncated = false;
}

fn must_start(disk: ModelDisk, configure: fn(&mut Config)) -> TestNode {
    TestNode::start(disk, configure).unwrap_or_else(|refused| panic!("{}", refused.log()))
}

/// The node does not come up, and leaves all files as they are.
fn must_refuse(disk: ModelDisk, configure: fn(&mut Config)) -> Box<Refused> {
    let names = disk.listed();
    let before: Vec<_> = names
        .iter()
        .map(|name| disk.file(name).map(<[u8]>::to_vec))
        .collect();
    match TestNode::start(disk, configure) {
        Ok(node) => panic!("started: {}", node.log()),
        Err(refused) => {
            let after: Vec<_> = names
                .iter()
                .map(|name| refused.disk.file(name).map(<[u8]>::to_vec))
                .collect();
            assert!(before == after, "files were changed: {}", refused.log());
            refused
        }
    }
}

/// The refusal's reason, which must be in the log too.
fn reason(disk: ModelDisk, configure: fn(&mut Config)) -> String {
    let refused = must_refuse(disk, configure);
    let text = refused.failed.as_ref().expect("a reason").text.clone();
    assert!(
        refused.log().contains(&text) || text.contains("anifest"),
        "{text}: {}",
        refused.log()
    );
    text
}

fn commands(node: &mut TestNode, commands: &[&str]) {
    let client = node.client();
    for command in commands {
        let reply = node.call(client, command);
        assert!(!reply.starts_with('-'), "{command}: {reply}");
    }
}

const ALL_TYPES: &[&str] = &[
    "SET string value",
    "SET number 12345",
    "RPUSH list a b c",
    "SADD set a b c",
    "SADD intset 1 2 3",
    "HSET hash f v g w",
    "ZADD zset 1 a 2.5 b",
    "SELECT 3",
    "SET other 1 PX 1000000000",
];

/// A dump with a key of every type.
fn dump() -> (ModelDisk, String) {
    let mut node = must_start(ModelDisk::default(), without);
    commands(&mut node, ALL_TYPES);
    commands(&mut node, &["SAVE"]);
    let digest = node.digest();
    (node.die(), digest)
}

/// An AOF directory whose base has some keys and whose increment has more; the states after each of
/// the increment's commands, the first before all of them.
fn aof() -> (ModelDisk, Vec<String>) {
    let mut node = must_start(ModelDisk::default(), with_aof);
    commands(&mut node, ALL_TYPES);
    commands(&mut node, &["BGREWRITEAOF"]);
    node.settle();
    let mut states = vec![node.digest()];
    for command in [
        "SET string again",
        "RPUSH list d",
        "DEL set",
        "HSET hash f changed",
        "ZADD zset 3 c",
    ] {
        commands(&mut node, &[command]);
        states.push(node.digest());
    }
    // One that is whole or not at all.
    let client = node.client();
    for words in [
        &["MULTI"][..],
        &["SET", "a", "1"],
        &["SET", "b", "2"],
        &["EXEC"],
    ] {
        node.send(client, words);
    }
    node.turn();
    states.push(node.digest());
    node.rest();
    let disk = node.die();
    assert!(
        disk.file(BASE).is_some() && disk.file(INCR).is_some(),
        "{:?}",
        disk.listed()
    );
    (disk, states)
}

fn with_file(disk: &ModelDisk, path: &str, bytes: &[u8]) -> ModelDisk {
    let mut changed = disk.after_death();
    changed.put(path, bytes);
    changed
}

fn without_file(disk: &ModelDisk, path: &str) -> ModelDisk {
    let mut changed = disk.after_death();
    changed.remove(path);
    changed
}

#[test]
fn whole_directories_load_whole() {
    let (disk, digest) = dump();
    assert_eq!(must_start(disk, without).digest(), digest);
    let (disk, states) = aof();
    let mut node = must_start(disk, with_aof);
    assert_eq!(Some(&node.digest()), states.last());
}

#[test]
fn nothing_or_empty_files_are_an_empty_data_set() {
    let mut empty = ModelDisk::default();
    empty.put_directory("appendonlydir");
    for disk in [
        ModelDisk::default(),
        empty,
        with_file(&ModelDisk::default(), DUMP, b""),
    ] {
        let nothing = must_start(ModelDisk::default(), without).digest();
        assert_eq!(must_start(disk.after_death(), without).digest(), nothing);
        assert_eq!(must_start(disk, with_aof).digest(), nothing);
    }
}

#[test]
fn a_dump_that_ends_anywhere_is_refused_with_the_place() {
    let (disk, _) = dump();
    let whole = disk.file(DUMP).expect("saved").to_vec();
    for length in 1..whole.len() {
        let refused = must_refuse(with_file(&disk, DUMP, &whole[..length]), without);
        let failed = refused.failed.as_ref().expect("a reason");
        assert!(failed.is_damaged_rdb, "{length}: {}", failed.text);
        let expected = "Short read or OOM loading DB. Unrecoverable error, aborting now.";
        assert!(
            failed.text.starts_with(expected),
            "{length}: {}",
            failed.text
        );
        assert!(failed.text.contains(DUMP), "{}", failed.text);
    }
}

#[test]
fn a_dump_with_any_byte_changed_is_refused() {
    let (disk, digest) = dump();
    let whole = disk.file(DUMP).expect("saved").to_vec();
    for at in 0..whole.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            match TestNode::start(with_file(&disk, DUMP, &damaged), without) {
                Err(refused) => {
                    let text = refused.failed.expect("a reason").text;
                    let is_db = text.contains("more than 16 databases");
                    assert!(is_db || text.contains(DUMP), "{at}: {text}");
                }
                // A version from before there were checksums.
                Ok(mut node) => {
                    assert!((5..9).contains(&at), "byte {at}");
                    assert_eq!(node.digest(), digest);
                }
            }
        }
    }
}

#[test]
fn dumps_for_others_are_refused_with_what_they_are() {
    let (disk, _) = dump();
    let whole = disk.file(DUMP).expect("saved").to_vec();
    let text = reason(with_file(&disk, DUMP, b"not a dump at all"), without);
    assert!(
        text.contains("Wrong signature trying to load DB from file"),
        "{text}"
    );
    let mut newer = whole.clone();
    newer[5..9].copy_from_slice(b"9999");
    let text = reason(with_file(&disk, DUMP, &newer), without);
    assert!(
        text.contains("Can't handle RDB format version 9999"),
        "{text}"
    );
    // A stream's type, and then its key.
    let mut foreign = whole[..9].to_vec();
    foreign.extend(b"\x15\x08mystream");
    let text = reason(with_file(&disk, DUMP, &foreign), without);
    assert!(
        text.contains("mystream") && text.contains("stream"),
        "{text}"
    );
}

#[test]
fn a_dump_with_a_key_twice_is_refused_with_its_name() {
    let (disk, _) = dump();
    let mut twice = disk.file(DUMP).expect("saved")[..9].to_vec();
    twice.extend(b"\xfe\x02\x00\x03key\x01a\x00\x03key\x01b\xff\0\0\0\0\0\0\0\0");
    let text = reason(with_file(&disk, DUMP, &twice), without);
    assert!(
        text.contains("RDB has duplicated key 'key' in DB 2"),
        "{text}"
    );
}

#[test]
fn more_databases_than_there_are_here_are_refused() {
    let (disk, _) = dump();
    let text = reason(disk, |config| config.databases = 2);
    let expected = "Data file was created with a server configured to handle more than 2 databases";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn files_that_cannot_be_read_are_refused_with_the_reason() {
    let (disk, _) = dump();
    for at in [0, 20] {
        let mut unreadable = disk.after_death();
        unreadable.faults.unreadable = Some((DUMP.into(), at));
        let text = reason(unreadable, without);
        assert!(text.contains(DUMP) && text.contains(IO_ERROR), "{text}");
    }
    let (disk, _) = aof();
    for file in [BASE, INCR, MANIFEST] {
        let mut unreadable = disk.after_death();
        unreadable.faults.unreadable = Some((file.into(), 0));
        let text = reason(unreadable, with_aof);
        let name = file.rsplit('/').next().expect("a name");
        assert!(text.contains(name) && text.contains(IO_ERROR), "{text}");
    }
    // A directory where a file should be.
    let mut directory = ModelDisk::default();
    directory.put_directory(DUMP);
    let text = reason(directory, without);
    assert!(text.contains("Is a directory"), "{text}");
}

/// How many commands of the increment are whole in so many of its bytes.
fn states_in(whole: &[u8], states: &[String], length: usize) -> usize {
    // SELECT comes first and MULTI to EXEC count as one.
    let text = String::from_utf8_lossy(&whole[..length]).into_owned();
    let mut ends = Vec::new();
    let full = String::from_utf8_lossy(whole).into_owned();
    for (marker, value) in [
        ("string\r\n", "again\r\n"),
        ("list\r\n", "d\r\n"),
        ("DEL\r\n", "set\r\n"),
        ("hash\r\n", "changed\r\n"),
        ("zset\r\n", "c\r\n"),
        ("MULTI\r\n", "EXEC\r\n"),
    ] {
        let from = full.find(marker).expect(marker);
        let end = full[from + marker.len()..].find(value).expect(value);
        ends.push(from + marker.len() + end + value.len());
    }
    assert_eq!(ends.len() + 1, states.len());
    ends.iter().filter(|&&end| end <= text.len()).count()
}

#[test]
fn an_increment_that_ends_anywhere_is_cut_to_its_whole_commands_or_refused() {
    let (disk, states) = aof();
    let whole = disk.file(INCR).expect("written").to_vec();
    for length in 0..whole.len() {
        let torn = with_file(&disk, INCR, &whole[..length]);
        let mut node = must_start(torn.after_death(), with_aof);
        let expected = states_in(&whole, &states, length);
        assert_eq!(node.digest(), states[expected], "{length}: {}", node.log());
        // What is written now follows what was kept.
        commands(&mut node, &["SET later 1"]);
        let digest = node.digest();
        node.rest();
        let mut again = must_start(node.die(), strict);
        assert_eq!(again.digest(), digest);

        let is_whole = must_start_or(&torn, strict);
        if let Err(text) = is_whole {
            let expected = "Unexpected end of file reading the append only file";
            assert!(text.contains(expected), "{length}: {text}");
        }
    }
}

fn must_start_or(disk: &ModelDisk, configure: fn(&mut Config)) -> Result<TestNode, String> {
    TestNode::start(disk.after_death(), configure)
        .map_err(|refused| refused.failed.expect("a reason").text)
}

#[test]
fn a_tail_that_cannot_be_cut_off_is_refused() {
    let (disk, _) = aof();
    let whole = disk.file(INCR).expect("written").to_vec();
    let torn = with_file(&disk, INCR, &whole[..whole.len() - 3]);
    let mut found = false;
    for at in 1..20 {
        let mut failing = torn.after_death();
        failing.faults.fail_at = Some(at);
        if let Err(refused) = TestNode::start(failing, with_aof)
            && refused.disk.faults.failed == ["truncate"]
        {
            let text = refused.failed.expect("a reason").text;
            assert!(text.contains("Error truncating the AOF file"), "{text}");
            found = true;
        }
    }
    assert!(found);
}

#[test]
fn only_the_last_file_may_be_torn() {
    let (disk, _) = aof();
    let whole = disk.file(INCR).expect("written").to_vec();
    let manifest = disk.file(MANIFEST).expect("written").to_vec();
    let manifest = [
        &manifest[..],
        b"file appendonly.aof.3.incr.aof seq 3 type i\n",
    ]
    .concat();
    let mut disk = with_file(&disk, MANIFEST, &manifest);
    disk.put(
        "appendonlydir/appendonly.aof.3.incr.aof",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n9\r\n",
    );
    must_start(disk.after_death(), with_aof);
    let text = reason(with_file(&disk, INCR, &whole[..whole.len() - 3]), with_aof);
    assert!(
        text.contains("the truncated file is not the last file"),
        "{text}"
    );
    let base = disk.file(BASE).expect("written").to_vec();
    let text = reason(with_file(&disk, BASE, &base[..base.len() - 3]), with_aof);
    assert!(text.contains("Short read or OOM loading DB"), "{text}");
}

#[test]
fn damage_within_an_increment_is_refused_with_the_place() {
    let (disk, _) = aof();
    let whole = disk.file(INCR).expect("written").to_vec();
    for (damage, expected) in [
        (
            &b"garbage\r\n"[..],
            "Bad file format reading the append only file",
        ),
        (
            b"*1\r\n$3\r\nfoo\r\n",
            "Unknown command 'foo' reading the append only file",
        ),
        (
            b"*2\r\n$3\r\nset\r\n$1\r\na\r\n",
            "Wrong number of arguments for 'set'",
        ),
        (
            b"*1\r\n$-5\r\n",
            "Bad file format reading the append only file",
        ),
        (
            b"*1\r\n:5\r\n",
            "Bad file format reading the append only file",
        ),
        (
            b"*99999999999\r\n",
            "Bad file format reading the append only file",
        ),
        (
            b"*1\r\n$99999999999999\r\nx",
            "Bad file format reading the append only file",
        ),
    ] {
        let damaged = [&whole[..], damage, &whole[..]].concat();
        let refused = must_refuse(with_file(&disk, INCR, &damaged), with_aof);
        let log = refused.log();
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(log.contains(&format!("offset {}", whole.len())), "{log}");
        assert!(log.contains("appendonly.aof.2.incr.aof"), "{log}");
    }
}

#[test]
fn manifests_that_make_no_sense_are_refused() {
    let (disk, _) = aof();
    for manifest in [
        &b""[..],
        b"\n",
        b"nonsense\n",
        b"file appendonly.aof.2.base.rdb seq 2 type x\n",
        b"file appendonly.aof.2.base.rdb seq two type b\n",
        b"file ../../etc/passwd seq 2 type b\n",
        b"file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.base.rdb seq 2 type b\n",
        b"file appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
        b"file appendonly.aof.2.base.rdb seq 2 type b",
        b"\xff\xfe\0",
    ] {
        let refused = must_refuse(with_file(&disk, MANIFEST, manifest), with_aof);
        let shown = manifest.escape_ascii();
        assert!(!refused.log.is_empty(), "{shown}");
        assert!(!refused.failed.expect("a reason").text.is_empty(), "{shown}");
    }
    for file in [BASE, INCR] {
        let text = reason(without_file(&disk, file), with_aof);
        let name = file.rsplit('/').next().expect("a name");
        let expected =
            format!("The append log file {name} doesn't exist: No such file or directory");
        assert_eq!(text, expected);
    }
}

#[test]
fn parts_without_a_manifest_are_not_overwritten() {
    let (disk, states) = aof();
    let lost = without_file(&disk, MANIFEST);
    let text = reason(lost.after_death(), with_aof);
    assert!(text.contains("appendonly.aof.2.base.rdb"), "{text}");
    assert!(
        text.contains("there is no manifest appendonly.aof.manifest"),
        "{text}"
    );
    for file in [BASE, INCR] {
        assert!(reason(without_file(&lost, file), with_aof).contains("no manifest"));
        // Neither beside a dump, which would be loaded otherwise.
        let (dump, _) = dump();
        let bytes = dump.file(DUMP).expect("saved").to_vec();
        let both = with_file(&without_file(&lost, file), DUMP, &bytes);
        assert!(reason(both, with_aof).contains("no manifest"));
    }
    // The manifest comes back, and all is well.
    let manifest = disk.file(MANIFEST).expect("written").to_vec();
    let mut node = must_start(with_file(&lost, MANIFEST, &manifest), with_aof);
    assert_eq!(Some(&node.digest()), states.last());
}

/// A process that dies between its first files and their manifest leaves no riddle.
#[test]
fn what_a_first_start_left_when_it_died_is_replaced() {
    let whole = must_start(ModelDisk::default(), with_aof).die();
    assert!(whole.file(MANIFEST).is_some());
    let left = without_file(&whole, MANIFEST);
    assert_eq!(left.listed().len(), 2);
    let mut node = must_start(left, with_aof);
    commands(&mut node, &["SET key 1"]);
    node.rest();
    let digest = node.digest();
    assert_eq!(must_start(node.die(), with_aof).digest(), digest);
}

#[test]
fn an_old_style_file_is_taken_over_in_steps_each_of_which_may_fail() {
    let (disk, states) = aof();
    let base = disk.file(BASE).expect("written");
    let incr = disk.file(INCR).expect("written");
    let old = with_file(
        &ModelDisk::default(),
        "appendonly.aof",
        &[base, incr].concat(),
    );
    let mut failures = 0;
    for at in 1.. {
        let mut failing = old.after_death();
        failing.faults.fail_at = Some(at);
        let disk = match TestNode::start(failing, with_aof) {
            Ok(node) if node.host.outside.disk.faults.failed.is_empty() => break,
            Ok(node) => node.die(),
            Err(refused) => {
                assert!(refused.log().contains(IO_ERROR), "{}", refused.log());
                refused.disk.after_death()
            }
        };
        failures += 1;
        let mut node = must_start(disk, with_aof);
        assert_eq!(Some(&node.digest()), states.last(), "after step {at}");
        commands(&mut node, &["SET later 1"]);
        node.rest();
        let digest = node.digest();
        assert_eq!(must_start(node.die(), with_aof).digest(), digest);
    }
    assert!(failures >= 4, "{failures}");
    let mut node = must_start(old, with_aof);
    assert!(
        node.log()
            .contains("Successfully migrated an old-style AOF file")
    );
    assert!(node.disk().file("appendonly.aof").is_none());
}

#[test]
fn a_dump_beside_an_aof_that_has_no_files_yet_becomes_its_first_base() {
    let (disk, digest) = dump();
    let mut node = must_start(disk, with_aof);
    assert!(node.log().contains("there is no append only file yet"));
    assert_eq!(node.digest(), digest);
    node.settle();
    commands(&mut node, &["SET later 1"]);
    node.rest();
    let digest = node.digest();
    let disk = without_file(&node.die(), DUMP);
    assert_eq!(must_start(disk, with_aof).digest(), digest);
}

#[test]
fn an_aof_that_is_there_and_off_is_announced() {
    let (disk, _) = aof();
    let node = must_start(disk, without);
    let text = "There is an append only file in appendonlydir, but 'appendonly' is off";
    assert!(node.log().contains(text), "{}", node.log());
}

/// Whatever a disk gives back: a node that starts or one that says why not.
#[test]
fn random_damage_anywhere_never_panics_and_is_never_loaded_half() {
    let (disk, states) = aof();
    let rounds = std::env::var("NODE_DAMAGE_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (mut started, mut refused) = (0, 0);
    for seed in 0..rounds.unwrap_or(3000) {
        let mut random = Random::new(seed);
        let file = [BASE, INCR, MANIFEST][random.below(3) as usize];
        let mut bytes = disk.file(file).expect("written").to_vec();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let damaged = with_file(&disk, file, &bytes);
        let known = |digest: &String| states.contains(digest);
        match TestNode::start(damaged, if random.one_in(2) { with_aof } else { strict }) {
            Ok(mut node) => {
                started += 1;
                // Bytes of values may differ unseen where there is no checksum: in an increment, and
                // in a base that says it is of a version without. A manifest may name fewer files.
                let is_checked = match file {
                    BASE => bytes.get(..9) == disk.file(BASE).and_then(|whole| whole.get(..9)),
                    _ => false,
                };
                assert!(!is_checked || known(&node.digest()), "seed {seed}");
            }
            Err(refusal) => {
                refused += 1;
                assert!(!refusal.log.is_empty(), "seed {seed}");
            }
        }
    }
    assert!(started > 20 && refused > 500, "{started} {refused}");
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len().max(1) as u64) as usize;
    match random.below(5) {
        _ if bytes.is_empty() => bytes.push(random.next() as u8),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, random.next() as u8),
        3 => {
            bytes.remove(at);
        }
        _ => {
            let length = random.below(16).min((bytes.len() - at) as u64) as usize;
            let copy = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len() as u64) as usize;
            bytes.splice(to..to, copy);
        }
    }
}
