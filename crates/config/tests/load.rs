//! Loading: files of several releases, overrides, includes, and every way to fail.
//!
//! The fixtures hold directives at the defaults of the release they name, in our own words.
//! Error texts were observed from Redis 7.0.15; the last line, naming the text, is ours.

use std::collections::BTreeMap;

use config::{CommandLine, Config, FileText, LoadError, Source, Text, Warning};

/// Loads a file, then `args` as the command line after it; includes come from `files`.
fn load_with(
    config: &mut Config,
    file: &str,
    args: &[&str],
    files: &BTreeMap<&str, &str>,
) -> Result<Vec<Warning>, LoadError> {
    let args: Vec<Text> = args.iter().map(|&arg| Text::from(arg)).collect();
    let include = |pattern: &[u8]| {
        let pattern = std::str::from_utf8(pattern).unwrap();
        let named = |(&name, &text): (&&str, &&str)| FileText {
            name: name.into(),
            bytes: text.as_bytes().to_vec(),
        };
        match pattern.strip_suffix('*') {
            Some(prefix) => Ok(files
                .iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(named)
                .collect()),
            None => match files.get_key_value(pattern) {
                Some(found) => Ok(vec![named(found)]),
                None => Err("No such file or directory".to_string()),
            },
        }
    };
    let enter = |dir: &[u8]| match dir.starts_with(b"/none") {
        true => Err("No such file or directory".to_string()),
        false => Ok(()),
    };
    let command_line = CommandLine::parse(&args);
    config.load(&Source {
        file: Some(&FileText {
            name: "/etc/redis.conf".into(),
            bytes: file.into(),
        }),
        stdin: None,
        options: &command_line.options,
        include: &include,
        enter: &enter,
        sentinel: command_line.sentinel,
    })
}

fn load(file: &str, args: &[&str]) -> Result<(Config, Vec<Warning>), LoadError> {
    let mut config = Config::default();
    let warnings = load_with(&mut config, file, args, &BTreeMap::new())?;
    Ok((config, warnings))
}

fn get(config: &Config, name: &str) -> String {
    config.get(name.as_bytes())[0].1.to_string()
}

#[test]
fn files_of_every_release_load_without_warnings() {
    for (name, text) in [
        ("3.2", include_str!("fixtures/redis-3.2.conf")),
        ("6.0", include_str!("fixtures/redis-6.0.conf")),
        ("7.4", include_str!("fixtures/redis-7.4.conf")),
        ("valkey 8.0", include_str!("fixtures/valkey-8.0.conf")),
    ] {
        let (_, warnings) = load(text, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(warnings, [], "{name}");
    }
}

#[test]
fn the_file_of_todays_defaults_changes_nothing() {
    let (config, _) = load(include_str!("fixtures/redis-7.4.conf"), &[]).unwrap();
    assert_eq!(config.differences(&Config::default()), []);
    assert!(config.version > Config::default().version);
}

#[test]
fn typed_fields_follow_the_file() {
    let file = "maxmemory 1gb\nmaxmemory-policy ALLKEYS-LFU\nPort 7000\nbind 10.0.0.1 ::1\n\
                notify-keyspace-events KEA\nunixsocketperm 700\nmaxmemory-clients 5%\n\
                requirepass \"p\\x00 \\xff\"\nclient-output-buffer-limit pubsub 1mb 512kb 7\n";
    let (config, warnings) = load(file, &[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.maxmemory, 1 << 30);
    assert_eq!(config.maxmemory_policy, config::MaxmemoryPolicy::AllkeysLfu);
    assert_eq!(config.port, 7000);
    assert_eq!(config.bind, ["10.0.0.1", "::1"]);
    assert!(
        config
            .notify_keyspace_events
            .contains(config::NotifyFlags::EVICTED)
    );
    assert_eq!(config.unixsocketperm, 0o700);
    assert_eq!(config.maxmemory_clients, config::ClientsMemory::Percent(5));
    assert_eq!(config.requirepass.as_bytes(), b"p\0 \xff");
    let limits = config.client_output_buffer_limits;
    assert_eq!(
        (limits[1].hard_bytes, limits[2].hard_bytes),
        (256 << 20, 1 << 20)
    );
    assert_eq!(
        (limits[2].soft_bytes, limits[2].soft_seconds),
        (512 << 10, 7)
    );
}

#[test]
fn an_option_that_is_not_built_warns_once_by_name() {
    let file = "activedefrag yes\nactivedefrag yes\ntls-key-file-pass secret\nlocale-collate de\nuser a on\nuser b on\n";
    let (config, warnings) = load(file, &[]).unwrap();
    let options: Vec<&str> = warnings.iter().map(|warning| warning.option).collect();
    assert_eq!(
        options,
        [
            "locale-collate",
            "activedefrag",
            "tls-key-file-pass",
            "user"
        ]
    );
    assert!(warnings[1].text.contains("'activedefrag'") && warnings[1].text.contains("'yes'"));
    assert!(!warnings[2].text.contains("secret"));
    assert_eq!(get(&config, "activedefrag"), "yes");
    assert_eq!(config.users.len(), 2);
}

#[test]
fn options_that_ask_for_nothing_do_not_warn() {
    let (_, warnings) = load("save \"\"\nactivedefrag no\nlocale-collate C\n", &[]).unwrap();
    assert_eq!(warnings, []);
}

#[test]
fn save_lines_replace_the_defaults_and_then_add_up() {
    for (file, args, expected) in [
        ("", &[][..], "3600 1 300 100 60 10000"),
        ("save 100 100", &[], "100 100"),
        ("save 900 1\nsave 300 10", &[], "900 1 300 10"),
        ("save 900 1 300 10", &[], "900 1 300 10"),
        ("save 900 1", &["--save", "100", "100"], "900 1 100 100"),
        ("save 900 1", &["--save", "100 100"], "900 1 100 100"),
        ("save 900 1", &["--save", ""], ""),
        ("save 900 1", &["--save"], ""),
        ("save 900 1", &["--save", "--hz", "10"], ""),
        ("save 900 1\nsave \"\"\nsave 5 5", &[], "5 5"),
    ] {
        let (config, _) = load(file, args).unwrap();
        assert_eq!(get(&config, "save"), expected, "{file:?} {args:?}");
    }
}

#[test]
fn the_command_line_overrides_the_file() {
    let args = [
        "a.conf",
        "--port",
        "7000",
        "--maxmemory 700mb",
        "--loglevel",
        "debug",
    ];
    let (config, _) = load("port 1\nloglevel warning", &args).unwrap();
    assert_eq!((config.port, config.maxmemory), (7000, 700 << 20));
    assert_eq!(config.loglevel, config::LogLevel::Debug);

    // Wrong usage that Redis takes all the same, and values that look like options.
    let args = ["a.conf", "loglevel", "verbose", "--maxmemory '700mb'"];
    let (config, _) = load("", &args).unwrap();
    assert_eq!(
        (config.loglevel, config.maxmemory),
        (config::LogLevel::Verbose, 700 << 20)
    );
    let (config, _) = load("", &["--proc-title-template", "--my--title", "--port", "9"]).unwrap();
    assert_eq!(config.proc_title_template, "--my--title");
    let (config, _) = load("", &["--shutdown-on-sigint", "nosave now"]).unwrap();
    assert_eq!(get(&config, "shutdown-on-sigint"), "nosave now");
}

#[test]
fn standard_input_comes_between_file_and_command_line() {
    let mut config = Config::default();
    let source = Source {
        file: Some(&FileText {
            name: "f".into(),
            bytes: b"port 1\nhz 11\ntimeout 1".to_vec(),
        }),
        stdin: Some(b"hz 12\ntimeout 2"),
        options: b"timeout 3",
        include: &|_| Err("none".into()),
        enter: &|_| Ok(()),
        sentinel: false,
    };
    config.load(&source).unwrap();
    assert_eq!((config.port, config.hz, config.timeout), (1, 12, 3));
}

#[test]
fn aliases_are_the_same_option() {
    let (config, _) = load(
        "hash-max-listpack-entries 20\nhash-max-ziplist-entries 21",
        &[],
    )
    .unwrap();
    assert_eq!(config.hash_max_listpack_entries, 21);
    let (config, _) = load("slaveof 10.0.0.1 6380", &[]).unwrap();
    assert_eq!(get(&config, "replicaof"), "10.0.0.1 6380");
}

#[test]
fn includes_are_read_in_place_and_patterns_may_match_nothing() {
    let files = BTreeMap::from([
        ("/etc/d/a.conf", "port 1\nhz 20"),
        ("/etc/d/b.conf", "include /etc/c.conf"),
        ("/etc/c.conf", "timeout 9"),
    ]);
    let mut config = Config::default();
    let text = "include /etc/d/*\ninclude /none/*\nport 2";
    load_with(&mut config, text, &[], &files).unwrap();
    assert_eq!((config.port, config.hz, config.timeout), (2, 20, 9));
}

#[test]
fn an_error_in_an_included_file_names_that_file() {
    let files = BTreeMap::from([("/etc/c.conf", "\nport x")]);
    let error = load_with(&mut Config::default(), "include /etc/c.conf", &[], &files).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("at line 2\n>>> 'port x'\n"), "{text}");
    assert!(text.ends_with("(in file '/etc/c.conf')"), "{text}");
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let files = BTreeMap::from([
        ("/a", "include /a"),
        ("/b", "include /c\ninclude /c"),
        ("/c", ""),
    ]);
    let error = load_with(&mut Config::default(), "include /a", &[], &files).unwrap_err();
    assert_eq!(error.reason, "Too many files included");
    load_with(&mut Config::default(), "include /b", &[], &files).unwrap();
    let error = load_with(&mut Config::default(), "include /x", &[], &files).unwrap_err();
    assert_eq!(
        error.reason,
        "Fatal error, can't open config file '/x': No such file or directory"
    );
}

#[test]
fn the_fatal_text_is_redis_s_with_the_origin_below() {
    let error = load("# comment\n\n  port   abc \n", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
         Reading the configuration file, at line 3\n\
         >>> 'port   abc'\n\
         argument couldn't be parsed into an integer\n\
         (in file '/etc/redis.conf')"
    );
    let error = load("", &["--hz", "5", "--port", "abc"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
         Reading the configuration file, at line 2\n\
         >>> 'port \"abc\"'\n\
         argument couldn't be parsed into an integer\n\
         (on the command line)"
    );
    let error = load("replicaof a 5\ncluster-enabled yes", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
         replicaof directive not allowed in cluster mode"
    );
}

#[test]
fn bad_lines_are_refused_with_their_reason() {
    const BAD: &str = "Bad directive or wrong number of arguments";
    for (line, reason) in [
        ("invalid", BAD),
        ("invalid 1 2", BAD),
        ("include", BAD),
        ("rename-command a", BAD),
        ("user", BAD),
        ("lua-replicate-commands", BAD),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        (
            "port 65536",
            "argument must be between 0 and 65535 inclusive",
        ),
        ("maxmemory 1x", "argument must be a memory value"),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        (
            "loglevel loud",
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
        (
            "shutdown-on-sigint",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "unixsocketperm 888",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "unixsocketperm 1000",
            "argument must be between 0 and 777 inclusive",
        ),
        ("save 900", "Invalid save parameters"),
        ("save 0 1", "Invalid save parameters"),
        ("replicaof 127.0.0.1", "wrong number of arguments"),
        ("replicaof 127.0.0.1 abc", "Invalid primary port"),
        ("\"foo", "Unbalanced quotes in configuration line"),
        ("bind \"'a\"", "Unbalanced quotes in configuration line"),
        (
            "bind 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
            "Too many bind addresses specified.",
        ),
        (
            "sentinel monitor m h 1 1",
            "sentinel directive while not in sentinel mode",
        ),
        ("search.timeout", "Module config specified without value"),
        (
            "search.timeout 5",
            "Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting",
        ),
        (
            "cluster-config-file \"\"",
            "cluster-config-file can't be empty",
        ),
        ("dir \"\"", "dir can't be empty"),
    ] {
        let error = load(line, &[]).unwrap_err();
        assert_eq!(error.reason, reason, "{line}");
        assert_eq!(error.place.unwrap().line, line);
    }
}

#[test]
fn a_failed_load_changes_nothing() {
    let mut config = Config::default();
    load_with(&mut config, "port 1\nhz x", &[], &BTreeMap::new()).unwrap_err();
    assert_eq!(config.differences(&Config::default()), []);
    assert_eq!(config.version, 0);
}

#[test]
fn any_hz_is_a_hint_and_a_cluster_has_one_database() {
    let (config, _) = load("hz 100000", &[]).unwrap();
    assert_eq!(config.hz, 500);
    let (config, warnings) = load("cluster-enabled yes", &[]).unwrap();
    assert_eq!(config.databases, 1);
    assert_eq!(warnings[0].option, "databases");
}

#[test]
fn kept_directives_remember_their_line() {
    let (config, warnings) =
        load("\nrename-command FLUSHALL \"\"\nrename-command a b", &[]).unwrap();
    assert_eq!(warnings, []);
    let [first, second] = &config.rename_commands[..] else {
        panic!("two lines")
    };
    assert_eq!(first.args, [Text::from("FLUSHALL"), Text::from("")]);
    let error = LoadError::at(&second.place, "No such command in rename-command");
    assert!(
        error
            .to_string()
            .contains("at line 3\n>>> 'rename-command a b'\nNo such command")
    );
}

#[test]
fn sentinel_lines_are_kept_in_sentinel_mode() {
    let (config, _) = load("sentinel monitor m 127.0.0.1 6379 2", &["--sentinel"]).unwrap();
    assert_eq!(config.sentinel[0].args.len(), 5);
}

#[test]
fn a_directory_that_cannot_be_entered_is_blamed_on_its_line() {
    let error = load("port 1\ndir /none/data", &[]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("at line 2\n>>> 'dir /none/data'\nNo such file or directory"),
        "{text}"
    );
    assert_eq!(load("dir /data", &[]).unwrap().0.dir, "/data");
}
