//! CONFIG GET and CONFIG SET: texts observed from Redis 7.0.15, atomicity, what is reported.
//!
//! Known differences from 7.0, on purpose: `loglevel` lists `nothing` and `maxmemory-samples`
//! ends at 64 (both as in 7.4); a size beyond 64 bits is refused instead of wrapping around.

use config::{Config, OPTIONS, OptionId, SetContext, SetError, Text, is_sensitive};

fn set(config: &mut Config, words: &[&str]) -> Result<Vec<OptionId>, String> {
    let pairs: Vec<(&[u8], &[u8])> = words
        .chunks(2)
        .map(|pair| (pair[0].as_bytes(), pair[1].as_bytes()))
        .collect();
    let changed = config
        .set(&pairs, SetContext::default())
        .map_err(|error| error.to_string())?;
    Ok(changed.into_iter().map(|change| change.id).collect())
}

fn get(config: &Config, name: &str) -> String {
    config.get(name.as_bytes())[0].1.to_string()
}

fn names(config: &Config, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    config
        .get_many(&patterns)
        .into_iter()
        .map(|(name, _)| name.to_string())
        .collect()
}

#[test]
fn bad_values_get_redis_s_texts() {
    const NUMBER: &str = "argument couldn't be parsed into an integer";
    const LIMIT: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    const CLASS: &str = "Invalid client class specified in buffer limit configuration.";
    const TITLE: &str = "template format is invalid or contains unknown variables";
    for (name, value, reason) in [
        ("port", "abc", NUMBER),
        ("port", "", NUMBER),
        (
            "port",
            "70000",
            "argument must be between 0 and 65535 inclusive",
        ),
        ("timeout", " 5", NUMBER),
        ("timeout", "1.5", NUMBER),
        ("tcp-keepalive", "+5", NUMBER),
        ("replica-priority", "010", NUMBER),
        (
            "slave-priority",
            "-1",
            "argument must be between 0 and 2147483647 inclusive",
        ),
        ("maxmemory", "1x", "argument must be a memory value"),
        ("maxmemory", "-1", "argument must be a memory value"),
        (
            "hash-max-ziplist-value",
            "x",
            "argument must be a memory value",
        ),
        (
            "maxmemory-clients",
            "200%",
            "percentage argument must be less or equal to 100",
        ),
        (
            "maxmemory-clients",
            "x",
            "argument must be a memory or percent value",
        ),
        (
            "maxmemory-clients",
            "5%x",
            "argument must be a memory or percent value",
        ),
        (
            "maxclients",
            "0",
            "argument must be between 1 and 4294967295 inclusive",
        ),
        (
            "maxclients",
            "-1",
            "argument must be between 1 and 4294967295 inclusive",
        ),
        (
            "hash-max-ziplist-entries",
            "-1",
            "argument must be between 0 and 9223372036854775807 inclusive",
        ),
        (
            "slowlog-log-slower-than",
            "-2",
            "argument must be between -1 and 9223372036854775807 inclusive",
        ),
        (
            "proto-max-bulk-len",
            "1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            "list-max-ziplist-size",
            "99999999999",
            "argument must be between -2147483648 and 2147483647 inclusive",
        ),
        ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
        ("dynamic-hz", "", "argument must be 'yes' or 'no'"),
        (
            "maxmemory-policy",
            "zz",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, \
             volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
        ),
        (
            "loglevel",
            "x",
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
        (
            "tls-auth-clients",
            "x",
            "argument(s) must be one of the following: no, yes, optional",
        ),
        (
            "oom-score-adj",
            "x",
            "argument(s) must be one of the following: no, yes, relative, absolute",
        ),
        ("save", "1", "Invalid save parameters"),
        ("save", "a", "Invalid save parameters"),
        ("save", "1  2", "Invalid save parameters"),
        (
            "client-output-buffer-limit",
            "1",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        ("client-output-buffer-limit", "bad 1 1 1", CLASS),
        ("client-output-buffer-limit", "master 1 1 1", CLASS),
        ("client-output-buffer-limit", "normal 1 x 1", LIMIT),
        ("client-output-buffer-limit", "normal 1 1 -1", LIMIT),
        (
            "notify-keyspace-events",
            "Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        ("oom-score-adj-values", "1", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 9999",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "shutdown-on-sigint",
            "foo",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigint",
            "",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigint",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "latency-tracking-info-percentiles",
            "x",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        ("proc-title-template", "{x}", TITLE),
        ("proc-title-template", "{", TITLE),
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "activedefrag",
            "yes",
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with \
             a modified Jemalloc like the one shipped by default with the Redis source distribution",
        ),
        ("daemonize", "yes", "can't set immutable config"),
        ("databases", "4", "can't set immutable config"),
        ("dbfilename", "a/b", "can't set protected config"),
        ("dir", "/tmp", "can't set protected config"),
    ] {
        let mut config = Config::default();
        let expected =
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(
            set(&mut config, &[name, value]),
            Err(expected),
            "{name} {value}"
        );
        assert_eq!(config.differences(&Config::default()), []);
    }
}

#[test]
fn unknown_duplicate_and_first_errors_win_as_in_redis() {
    let mut config = Config::default();
    for (words, expected) in [
        (
            &["foo", "1"][..],
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
        ),
        (
            &["maxmemory", "1", "MAXMEMORY", "2"],
            "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
        ),
        (
            &["maxmemory", "1", "foo", "2", "daemonize", "yes"],
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
        ),
        (
            &["daemonize", "yes", "foo", "2"],
            "ERR CONFIG SET failed (possibly related to argument 'daemonize') - \
             can't set immutable config",
        ),
        (
            &["PORT", "x"],
            "ERR CONFIG SET failed (possibly related to argument 'port') - \
             argument couldn't be parsed into an integer",
        ),
        (
            &["rename-command", "a b"],
            "ERR Unknown option or number of arguments for CONFIG SET - 'rename-command'",
        ),
    ] {
        assert_eq!(set(&mut config, words), Err(expected.to_string()));
    }
}

#[test]
fn a_bad_pair_undoes_the_good_ones() {
    let mut config = Config::default();
    let words = [
        "maxmemory",
        "10000001",
        "maxmemory-clients",
        "200%",
        "hz",
        "x",
    ];
    set(&mut config, &words).unwrap_err();
    assert_eq!(config.differences(&Config::default()), []);
    assert_eq!(config.version, 0);
}

#[test]
fn good_pairs_apply_together_and_report_what_changed() {
    let mut config = Config::default();
    let words = [
        "maxmemory",
        "1gb",
        "hz",
        "10",
        "save",
        "3000 5",
        "slave-priority",
        "5",
    ];
    let changed = set(&mut config, &words).unwrap();
    assert_eq!(
        changed,
        [
            OptionId::Maxmemory,
            OptionId::Save,
            OptionId::ReplicaPriority
        ]
    );
    assert_eq!(config.maxmemory, 1 << 30);
    assert_eq!(get(&config, "save"), "3000 5");
    assert_eq!(config.version, 1);
    assert_eq!(set(&mut config, &words), Ok(vec![]));
    assert_eq!(config.version, 1);
}

#[test]
fn special_values_are_normalised_as_in_redis() {
    let mut config = Config::default();
    for (name, value, shown) in [
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("maxmemory", "", "0"),
        ("maxmemory", "1GB", "1073741824"),
        ("oom-score-adj", "relative", "yes"),
        ("appendfsync", "ALWAYS", "always"),
        ("save", "", ""),
        ("bind", "", ""),
        ("bind", "127.0.0.1 ::1", "127.0.0.1 ::1"),
        ("maxmemory-clients", "7%", "7%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "1mb", "1048576"),
        ("latency-tracking-info-percentiles", "", ""),
        (
            "latency-tracking-info-percentiles",
            "5.123456789 1e1 0.5 0",
            "5.123457 10 0.5 0",
        ),
        (
            "shutdown-on-sigterm",
            "force nosave NOW",
            "nosave now force",
        ),
        ("shutdown-on-sigterm", "default", "default"),
        (
            "client-output-buffer-limit",
            "replica 1mb 0 5",
            "normal 0 0 0 slave 1048576 0 5 pubsub 33554432 8388608 60",
        ),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("proc-title-template", "{title}:{port}", "{title}:{port}"),
        ("repl-backlog-size", "1", "16384"),
    ] {
        set(&mut config, &[name, value]).unwrap();
        assert_eq!(get(&config, name), shown, "{name} {value:?}");
    }
}

#[test]
fn every_modifiable_option_takes_back_what_it_shows() {
    let mut config = Config {
        enable_protected_configs: config::ProtectedAction::Yes,
        ..Config::default()
    };
    for (name, value) in config.clone().get(b"*") {
        let (spec, _) = config::lookup(&name).unwrap();
        if spec.access.modifiable {
            let set = config.set(&[(&name, &value)], SetContext::default());
            let changed = set.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(changed.is_empty(), !spec.access.volatile, "{name}");
        }
    }
}

#[test]
fn protected_options_open_for_yes_and_for_local_clients() {
    let local = SetContext {
        client_is_local: true,
        loading: false,
    };
    let pair: &[(&[u8], &[u8])] = &[(b"dbfilename", b"x.rdb")];
    let mut config = Config::default();
    config.enable_protected_configs = config::ProtectedAction::Local;
    assert!(config.set(pair, SetContext::default()).is_err());
    assert!(config.set(pair, local).is_ok());
    config.enable_protected_configs = config::ProtectedAction::Yes;
    assert!(config.set(pair, SetContext::default()).is_ok());
}

#[test]
fn some_options_wait_until_the_data_is_loaded() {
    let loading = SetContext {
        client_is_local: true,
        loading: true,
    };
    let error = Config::default()
        .set(&[(b"appendonly", b"yes")], loading)
        .unwrap_err();
    assert_eq!(error, SetError::Loading);
    assert_eq!(
        error.to_string(),
        "LOADING Redis is loading the dataset in memory"
    );
    assert!(
        Config::default()
            .set(&[(b"maxmemory", b"1")], loading)
            .is_ok()
    );
}

#[test]
fn an_effect_that_fails_is_reverted_by_snapshot() {
    let mut config = Config::default();
    let snapshot = config.clone();
    let changed = config
        .set(&[(b"hz", b"20"), (b"port", b"7000")], SetContext::default())
        .unwrap();
    let error = SetError::apply_failed(
        &changed[1],
        "Unable to listen on this port. Check server logs.",
    );
    assert_eq!(
        error.to_string(),
        "ERR CONFIG SET failed (possibly related to argument 'port') - \
         Unable to listen on this port. Check server logs."
    );
    let version = config.version;
    config.revert(snapshot);
    assert_eq!(config.differences(&Config::default()), []);
    assert!(config.version > version);
}

#[test]
fn setting_what_is_not_built_warns_unless_it_asks_for_nothing() {
    let warning = |name: &[u8], value: &[u8]| {
        let changed = Config::default()
            .set(&[(name, value)], SetContext::default())
            .unwrap();
        changed[0].warning.as_ref().map(|warning| warning.option)
    };
    assert_eq!(
        warning(b"tracking-table-max-keys", b"5"),
        Some("tracking-table-max-keys")
    );
    assert_eq!(warning(b"locale-collate", b"C"), None);
    assert_eq!(warning(b"maxmemory", b"5"), None);
}

#[test]
fn get_finds_names_patterns_aliases_and_hidden_options() {
    let config = Config::default();
    assert_eq!(
        names(&config, &["maxmemory", "maxmemory", "MaxMemory"]),
        ["maxmemory"]
    );
    assert_eq!(names(&config, &["MAXMEMORY"]), ["MAXMEMORY"]);
    assert_eq!(names(&config, &["*OF"]), ["replicaof", "slaveof"]);
    assert_eq!(names(&config, &["slaveof"]), ["slaveof"]);
    assert_eq!(names(&config, &["none", "no*such", "user"]), [""; 0]);
    assert_eq!(names(&config, &["key-load-delay"]), ["key-load-delay"]);
    assert!(!names(&config, &["*"]).contains(&"key-load-delay".to_string()));
    let many = names(&config, &["maxmemory", "maxmemory*", "bind", "max*"]);
    assert_eq!(many.iter().filter(|name| *name == "maxmemory").count(), 1);
    assert!(many.contains(&"bind".into()) && many.contains(&"maxclients".into()));
}

#[test]
fn passwords_are_bytes_and_sensitive() {
    let mut config = Config::default();
    config
        .set(&[(b"requirepass", b"\xff\0 x")], SetContext::default())
        .unwrap();
    assert_eq!(
        config.get(b"requirepass")[0].1,
        Text::from(&b"\xff\0 x"[..])
    );
    assert!(is_sensitive(b"MasterAuth") && is_sensitive(b"requirepass"));
    assert!(!is_sensitive(b"port") && !is_sensitive(b"none"));
}

/// Names and defaults as Redis 7.0.15 shows them. Left out: what 7.4 changed or what depends on
/// the machine (dir, and the cpulists, renamed with a dash in 7.4 and kept as aliases).
#[test]
fn defaults_are_redis_s() {
    let config = Config::default();
    for line in include_str!("fixtures/defaults.txt").lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let found = config.get(name.as_bytes());
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].1, value, "{name}");
    }
    // The rest is what later releases added.
    assert!(OPTIONS.len() > 150);
}

#[test]
fn options_of_replication_are_set_under_both_names_and_come_back() {
    let mut config = Config::default();
    for (name, alias, value) in [
        ("replica-serve-stale-data", "slave-serve-stale-data", "no"),
        ("replica-read-only", "slave-read-only", "no"),
        ("replica-priority", "slave-priority", "7"),
        ("replica-announce-ip", "slave-announce-ip", "10.0.0.9"),
        ("replica-announce-port", "slave-announce-port", "7000"),
        ("replica-ignore-maxmemory", "slave-ignore-maxmemory", "no"),
        ("replica-lazy-flush", "slave-lazy-flush", "yes"),
        ("repl-ping-replica-period", "repl-ping-slave-period", "3"),
        ("min-replicas-to-write", "min-slaves-to-write", "2"),
        ("min-replicas-max-lag", "min-slaves-max-lag", "5"),
        ("masterauth", "primaryauth", "secret"),
        ("masteruser", "primaryuser", "me"),
    ] {
        set(&mut config, &[alias, value]).unwrap();
        assert_eq!(get(&config, name), value, "{name}");
        assert_eq!(get(&config, alias), value, "{alias}");
    }
    for (name, value) in [
        ("replica-ignore-disk-write-errors", "yes"),
        ("replica-announced", "no"),
        ("repl-timeout", "5"),
        ("repl-disable-tcp-nodelay", "yes"),
        ("repl-backlog-ttl", "0"),
        ("repl-diskless-sync", "no"),
        ("repl-diskless-sync-delay", "0"),
        ("repl-diskless-sync-max-replicas", "3"),
        ("repl-diskless-load", "swapdb"),
        ("repl-refuse-empty", "no"),
        ("repl-throttle-writes", "no"),
    ] {
        set(&mut config, &[name, value]).unwrap();
        assert_eq!(get(&config, name), value, "{name}");
    }
    set(&mut config, &["repl-backlog-budget", "1gb"]).unwrap();
    assert_eq!(get(&config, "repl-backlog-budget"), "1073741824");
    assert!(set(&mut config, &["repl-timeout", "0"]).is_err());
    assert!(set(&mut config, &["replicaof", "a 1"]).is_err());
}
