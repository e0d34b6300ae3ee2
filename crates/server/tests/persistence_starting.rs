//! What a server makes of the files it finds: it loads them and says how far it is, cuts a torn
//! tail off if it may, takes an old-style AOF over, and refuses what is damaged, with the reason
//! and without touching it.
//!
//! `REDAN_SUBJECT=redis` plays what both do alike against a real redis-server. Texts were observed
//! on 7.0.15.

mod support;

use std::path::Path;
use support::{Directory, info, info_number, say, wait_for_info};
use testkit::{Connection, DEADLINE, Options, Server, poll_for, poll_until};

const INCR: &str = "appendonlydir/appendonly.aof.1.incr.aof";
const BASE: &str = "appendonlydir/appendonly.aof.1.base.rdb";
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const LOADING: &str = "-LOADING Redis is loading the dataset in memory";

fn in_directory(directory: &Directory) -> Options {
    Options::subject().option("dir", &directory.path().display().to_string())
}

fn with_aof(directory: &Directory) -> Options {
    in_directory(directory).option("appendonly", "yes")
}

/// Runs the commands on a server that is then shut down.
fn prepare(options: &Options, commands: &[&str]) {
    let mut server = Server::start(options);
    let mut client = server.client();
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let reply = say(&mut client, &words);
        assert!(!reply.starts_with('-'), "{command}: {reply}");
    }
    assert!(server.stop().success());
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// The server refuses to start and leaves the file as it is; returns its log.
fn refusal(options: &Options, file: &Path) -> String {
    let before = read(file);
    let (status, log) = Server::refusal(options);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(read(file) == before, "{} was changed", file.display());
    log
}

/// An AOF with three keys, its last command cut off.
fn torn_aof() -> (Directory, usize) {
    let directory = Directory::new();
    prepare(&with_aof(&directory), &["SET a 1", "SET b 2", "SET c 3"]);
    let path = directory.file(INCR);
    let whole = read(&path);
    let last = b"*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n";
    assert!(whole.ends_with(last), "{}", whole.escape_ascii());
    write(&path, &whole[..whole.len() - 5]);
    (directory, whole.len() - last.len())
}

#[test]
fn a_torn_tail_of_an_aof_is_cut_off_where_that_is_allowed() {
    let (directory, whole_bytes) = torn_aof();
    let mut server = Server::start(&with_aof(&directory));
    let mut client = server.client();
    assert_eq!(
        say(&mut client, &["MGET", "a", "b", "c"]),
        r#"["1", "2", nil]"#
    );
    assert_eq!(read(&directory.file(INCR)).len(), whole_bytes);
    let log = server.log();
    for text in [
        "!!! Warning: short read while loading the AOF file appendonly.aof.1.incr.aof!!!",
        &format!("!!! Truncating the AOF appendonly.aof.1.incr.aof at offset {whole_bytes} !!!"),
        "AOF appendonly.aof.1.incr.aof loaded anyway because aof-load-truncated is enabled",
    ] {
        assert!(log.contains(text), "{text} in {log}");
    }
    // What is written now follows what was kept.
    assert_eq!(say(&mut client, &["SET", "c", "again"]), "OK");
    assert!(server.stop().success());
    let server = Server::start(&with_aof(&directory).option("aof-load-truncated", "no"));
    let values = say(&mut server.client(), &["MGET", "a", "b", "c"]);
    assert_eq!(values, r#"["1", "2", "again"]"#);
}

#[test]
fn a_torn_tail_of_an_aof_is_refused_where_it_must_not_be_cut_off() {
    let (directory, _) = torn_aof();
    let options = with_aof(&directory).option("aof-load-truncated", "no");
    let log = refusal(&options, &directory.file(INCR));
    let text = "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof. \
                You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix";
    assert!(log.contains(text), "{log}");
}

#[test]
fn an_unfinished_transaction_at_the_end_is_cut_off_as_a_whole() {
    let directory = Directory::new();
    prepare(&with_aof(&directory), &["SET a 1"]);
    let path = directory.file(INCR);
    let whole = read(&path);
    let torn = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n";
    write(&path, &[&whole[..], torn].concat());
    let server = Server::start(&with_aof(&directory));
    assert_eq!(say(&mut server.client(), &["GET", "a"]), "\"1\"");
    assert_eq!(read(&path), whole);
}

#[test]
fn damage_inside_an_aof_is_refused() {
    let directory = Directory::new();
    prepare(&with_aof(&directory), &["SET a 1", "SET b 2"]);
    let path = directory.file(INCR);
    let mut bytes = read(&path);
    assert!(bytes.starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3"));
    bytes[23] = b'X';
    write(&path, &bytes);
    let log = refusal(&with_aof(&directory), &path);
    let text = "Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup \
                of your AOF file, then use ./redis-check-aof --fix";
    assert!(log.contains(text), "{log}");
}

#[test]
fn a_manifest_that_names_a_missing_file_or_is_damaged_is_refused() {
    let directory = Directory::new();
    prepare(&with_aof(&directory), &["SET a 1"]);
    let manifest = read(&directory.file(MANIFEST));
    std::fs::rename(directory.file(BASE), directory.file("elsewhere")).expect("rename");
    let log = refusal(&with_aof(&directory), &directory.file(MANIFEST));
    assert!(log.contains("appendonly.aof.1.base.rdb"), "{log}");
    assert!(
        log.contains("No such file or directory") || log.contains("doesn't exist"),
        "{log}"
    );
    std::fs::rename(directory.file("elsewhere"), directory.file(BASE)).expect("rename");

    for (line, reason) in [
        (
            "file x seq -1 type i\n",
            "Found a non-monotonic sequence number",
        ),
        ("nonsense\n", "Invalid AOF manifest file format"),
        ("file x seq 2 type z\n", "Unknown AOF file type"),
        (
            "file ../x seq 2 type i\n",
            "File can't be a path, just a filename",
        ),
    ] {
        write(
            &directory.file(MANIFEST),
            &[&manifest[..], line.as_bytes()].concat(),
        );
        let log = refusal(&with_aof(&directory), &directory.file(MANIFEST));
        assert!(
            log.contains("*** FATAL AOF MANIFEST FILE ERROR ***"),
            "{log}"
        );
        assert!(
            log.contains("Reading the manifest file, at line 3"),
            "{log}"
        );
        assert!(log.contains(reason), "{reason} in {log}");
    }
    write(&directory.file(MANIFEST), &manifest);
    let server = Server::start(&with_aof(&directory));
    assert_eq!(say(&mut server.client(), &["GET", "a"]), "\"1\"");
}

/// A single file as servers before 7.0 wrote it, bare or with an RDB in front.
fn old_style_aof(directory: &Directory, with_preamble: bool) {
    let mut bytes = Vec::new();
    if with_preamble {
        prepare(&in_directory(directory), &["SET base 0", "SAVE"]);
        bytes = read(&directory.file("dump.rdb"));
        std::fs::remove_file(directory.file("dump.rdb")).expect("remove the dump");
    }
    bytes.extend_from_slice(
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n$1\r\nx\r\n",
    );
    write(&directory.file("appendonly.aof"), &bytes);
}

#[test]
fn an_old_style_aof_becomes_the_base_of_a_directory() {
    for with_preamble in [false, true] {
        let directory = Directory::new();
        old_style_aof(&directory, with_preamble);
        let mut server = Server::start(&with_aof(&directory));
        let mut client = server.client();
        assert_eq!(say(&mut client, &["SET", "new", "1"]), "OK");
        let check = |client: &mut Connection| {
            let base = if with_preamble { "\"0\"" } else { "nil" };
            assert_eq!(say(client, &["GET", "base"]), base);
            assert_eq!(say(client, &["GET", "new"]), "\"1\"");
            assert_eq!(say(client, &["SELECT", "3"]), "OK");
            assert_eq!(say(client, &["LRANGE", "list", "0", "-1"]), r#"["x"]"#);
        };
        check(&mut client);
        assert!(!directory.file("appendonly.aof").exists());
        assert!(directory.file("appendonlydir/appendonly.aof").exists());
        let manifest = directory.read(MANIFEST);
        let mut lines = manifest.lines();
        assert_eq!(lines.next(), Some("file appendonly.aof seq 1 type b"));
        assert_eq!(
            lines.next(),
            Some("file appendonly.aof.1.incr.aof seq 1 type i")
        );
        assert!(server.stop().success());

        let server = Server::start(&with_aof(&directory));
        let mut client = server.client();
        check(&mut client);
        say(&mut client, &["BGREWRITEAOF"]);
        wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
        poll_until(DEADLINE, "the old file is gone", || {
            !directory.file("appendonlydir/appendonly.aof").exists()
        });
        drop(server);
        check(&mut Server::start(&with_aof(&directory)).client());
    }
}

#[test]
fn a_damaged_dump_is_refused_with_the_place_and_the_reason() {
    let directory = Directory::new();
    prepare(
        &in_directory(&directory),
        &["RPUSH list a b c", "SET key value", "SAVE"],
    );
    let path = directory.file("dump.rdb");
    let good = read(&path);
    let flipped = |index: usize| {
        let mut bytes = good.clone();
        bytes[index] ^= 0x10;
        bytes
    };
    let length = good.len();
    for (bytes, reason) in [
        (good[..length - 20].to_vec(), "EOF"),
        (flipped(length - 1), "CRC"),
        (b"hello, this is no dump at all".to_vec(), "signature"),
        (
            [b"REDIS0099", &good[9..]].concat(),
            "Can't handle RDB format version 99",
        ),
    ] {
        write(&path, &bytes);
        let log = refusal(&in_directory(&directory), &path);
        assert!(log.contains(reason), "{reason} in {log}");
        let is_of_content = !reason.contains("version") && !reason.contains("signature");
        assert!(!is_of_content || log.contains("offset"), "{log}");
    }
    write(&path, &good);
    let server = Server::start(&in_directory(&directory));
    assert_eq!(say(&mut server.client(), &["DBSIZE"]), "2");
}

#[test]
fn two_servers_do_not_share_a_directory() {
    if !Options::subject().is_redan() {
        // A real server has no such guard.
        return;
    }
    let directory = Directory::new();
    for options in [
        with_aof(&directory),
        in_directory(&directory).option("save", "3600 1"),
    ] {
        let mut server = Server::start(&options);
        let mut client = server.client();
        assert_eq!(say(&mut client, &["SET", "key", "first"]), "OK");
        let (status, log) = Server::refusal(&options);
        assert_eq!(status.code(), Some(1), "{log}");
        let path = directory.path().display().to_string();
        let lines = log
            .lines()
            .filter(|line| line.contains(" # ") && line.contains(&path));
        assert_eq!(
            lines.count(),
            1,
            "one line says which directory is in use:\n{log}"
        );
        assert_eq!(say(&mut client, &["SAVE"]), "OK");
        // The guard goes with the process, however it ends.
        server.kill();
        let server = Server::start(&options);
        assert_eq!(say(&mut server.client(), &["GET", "key"]), "\"first\"");
    }
}

/// A directory with many small keys as a dump and as an AOF of commands, and what it holds.
fn large_directory(keys: u64) -> Directory {
    let directory = Directory::new();
    let options = in_directory(&directory)
        .option("enable-debug-command", "yes")
        .option("aof-use-rdb-preamble", "no");
    let mut server = Server::start(&options);
    let mut client = server.client();
    assert_eq!(
        say(
            &mut client,
            &["DEBUG", "POPULATE", &keys.to_string(), "key", "30"]
        ),
        "OK"
    );
    assert_eq!(say(&mut client, &["SAVE"]), "OK");
    assert_eq!(
        say(&mut client, &["CONFIG", "SET", "appendonly", "yes"]),
        "OK"
    );
    wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
    assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "ok");
    assert!(server.stop().success());
    directory
}

/// A connection to a server that is still loading.
fn connect_while_loading(server: &Server) -> Connection {
    poll_for(DEADLINE, "the server listens", || {
        let address = ("127.0.0.1", server.port());
        std::net::TcpStream::connect(address)
            .ok()
            .map(|_| server.client())
    })
}

/// The loading fields of INFO, if the server is still loading.
fn loading_progress(client: &mut Connection) -> Option<(u64, u64)> {
    let text = say(client, &["INFO", "persistence"]);
    let field = |name: &str| {
        let rest = text.split(&format!("\\n{name}:")).nth(1)?;
        rest.split("\\r").next()?.parse::<f64>().ok()
    };
    if field("loading") != Some(1.0) {
        return None;
    }
    for name in [
        "async_loading",
        "loading_start_time",
        "loading_rdb_used_mem",
        "loading_eta_seconds",
    ] {
        assert!(field(name).is_some(), "{name} in {text}");
    }
    let percent = field("loading_loaded_perc").expect("a percentage");
    assert!((0.0..=100.0).contains(&percent), "{percent}");
    let bytes = |name| field(name).unwrap_or_else(|| panic!("{name} in {text}")) as u64;
    Some((bytes("loading_loaded_bytes"), bytes("loading_total_bytes")))
}

#[test]
fn while_loading_clients_are_told_so_and_can_watch_the_progress() {
    const KEYS: u64 = 1_000_000;
    let directory = large_directory(KEYS);
    for (options, file) in [
        (in_directory(&directory), "dump.rdb"),
        (
            with_aof(&directory),
            "appendonlydir/appendonly.aof.1.base.aof",
        ),
    ] {
        let total_bytes = std::fs::metadata(directory.file(file))
            .expect("it is there")
            .len();
        let server = Server::launch(&options);
        let mut client = connect_while_loading(&server);
        let mut seen = Vec::new();
        poll_until(DEADLINE, "the server has loaded", || {
            for command in [
                &["PING"][..],
                &["GET", "key:1"],
                &["SET", "key:2", "b"],
                &["DBSIZE"],
            ] {
                match say(&mut client, command).as_str() {
                    LOADING => {}
                    _ => return true,
                }
            }
            assert!(say(&mut client, &["CONFIG", "GET", "port"]).contains("port"));
            seen.extend(loading_progress(&mut client));
            false
        });
        assert!(!seen.is_empty(), "{file} was loaded unseen");
        let loaded: Vec<u64> = seen.iter().map(|(loaded, _)| *loaded).collect();
        assert!(loaded.is_sorted(), "{loaded:?}");
        for (loaded, total) in &seen {
            assert!(loaded <= total, "{loaded} of {total}");
        }
        // An AOF's total has its increment in it.
        let total = seen[0].1;
        assert!(
            (total_bytes..total_bytes + 1000).contains(&total),
            "{total} of {total_bytes}"
        );
        assert_eq!(info_number(&mut client, "loading"), 0);
        assert_eq!(say(&mut client, &["DBSIZE"]), KEYS.to_string());
        assert!(server.log().contains("DB loaded from"), "{}", server.log());
    }
    check_end_while_loading(&directory);
}

/// Neither SIGTERM nor SHUTDOWN may save the half that is loaded over the whole file.
fn check_end_while_loading(directory: &Directory) {
    let path = directory.file("dump.rdb");
    let before = read(&path);
    let options = in_directory(directory).option("save", "3600 1");
    for by_signal in [true, false] {
        let mut server = Server::launch(&options);
        let mut client = connect_while_loading(&server);
        assert_eq!(say(&mut client, &["PING"]), LOADING);
        if by_signal {
            server.signal("TERM");
        } else {
            client.send(&["SHUTDOWN"]);
        }
        assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
        assert!(
            read(&path) == before,
            "the dump was replaced by a part of itself"
        );
    }
}
