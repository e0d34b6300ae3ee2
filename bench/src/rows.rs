//! The rows of the comparison: what is sent, on which data, and what the project has to reach.
//!
//! A flat table; the language of the commands is that of `template`. Rows that share a data set
//! follow each other, because both servers are started afresh for every data set.

/// What both servers hold before a row is measured.
#[derive(Debug, PartialEq, Eq)]
pub struct Dataset {
    pub name: &'static str,
    pub fills: &'static [Fill],
}

/// Requests sent once, numbered from 0 (`{seq}`).
#[derive(Debug, PartialEq, Eq)]
pub struct Fill {
    pub command: &'static str,
    pub count: u64,
}

#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub command: &'static str,
    pub pipeline: u64,
    pub dataset: &'static Dataset,
    /// Sent before each round, for rows that would grow without end.
    pub before_round: Option<&'static [&'static str]>,
    /// A null reply means that the data set is not what it should be.
    pub nulls_allowed: bool,
    /// Throughput, ours ÷ theirs: at least this.
    pub throughput_at_least: f64,
    /// User CPU per request, ours ÷ theirs: at most this.
    pub user_cpu_at_most: f64,
}

const STRINGS: Dataset = Dataset {
    name: "1 M strings",
    fills: &[Fill {
        command: "SET key:{seq:12} {fill:32}",
        count: 1_000_000,
    }],
};
const VOLATILE: Dataset = Dataset {
    name: "1 M strings with a TTL",
    fills: &[Fill {
        command: "SET key:{seq:12} {fill:32} EX 3600",
        count: 1_000_000,
    }],
};
const COUNTERS: Dataset = Dataset {
    name: "1 M counters",
    fills: &[Fill {
        command: "INCR key:{seq:12}",
        count: 1_000_000,
    }],
};
const BIG_COLLECTIONS: Dataset = Dataset {
    name: "one set, hash, sorted set of 100 k, one list",
    fills: &[
        Fill {
            command: "SADD set element:{seq:12}",
            count: 100_000,
        },
        Fill {
            command: "HSET hash field:{seq:12} {fill:32}",
            count: 100_000,
        },
        Fill {
            command: "ZADD zset {rand:1000000-1999999} element:{seq:12}",
            count: 100_000,
        },
        Fill {
            command: "RPUSH range element:{seq:12}",
            count: 1_000,
        },
    ],
};
const SMALL_HASHES: Dataset = Dataset {
    name: "1 M small hashes",
    fills: &[Fill {
        command: "HSET key:{seq:12} field:0 {fill:16} field:1 {fill:16} field:2 {fill:16} \
                  field:3 {fill:16}",
        count: 1_000_000,
    }],
};

pub const ROWS: &[Row] = &[
    Row {
        name: "get-p1",
        command: "GET key:{rand:0-999999:12}",
        pipeline: 1,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.0,
        user_cpu_at_most: 0.8,
    },
    Row {
        name: "set-p1",
        command: "SET key:{rand:0-999999:12} {fill:32}",
        pipeline: 1,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.0,
        user_cpu_at_most: 0.8,
    },
    Row {
        name: "get-p16",
        command: "GET key:{rand:0-999999:12}",
        pipeline: 16,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.25,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "get-p64",
        command: "GET key:{rand:0-999999:12}",
        pipeline: 64,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.5,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "set-p16",
        command: "SET key:{rand:0-999999:12} {fill:32}",
        pipeline: 16,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.4,
        user_cpu_at_most: 0.55,
    },
    Row {
        name: "set-p64",
        command: "SET key:{rand:0-999999:12} {fill:32}",
        pipeline: 64,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.7,
        user_cpu_at_most: 0.55,
    },
    Row {
        name: "mset10-p4",
        command: "MSET key:{rand:0-999999:12} {fill:32} key:{rand:0-999999:12} {fill:32} \
                  key:{rand:0-999999:12} {fill:32} key:{rand:0-999999:12} {fill:32} \
                  key:{rand:0-999999:12} {fill:32} key:{rand:0-999999:12} {fill:32} \
                  key:{rand:0-999999:12} {fill:32} key:{rand:0-999999:12} {fill:32} \
                  key:{rand:0-999999:12} {fill:32} key:{rand:0-999999:12} {fill:32}",
        pipeline: 4,
        dataset: &STRINGS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.6,
        user_cpu_at_most: 0.55,
    },
    Row {
        name: "set-ex-p16",
        command: "SET key:{rand:0-999999:12} {fill:32} EX 3600",
        pipeline: 16,
        dataset: &VOLATILE,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.6,
        user_cpu_at_most: 0.55,
    },
    Row {
        name: "incr-p16",
        command: "INCR key:{rand:0-999999:12}",
        pipeline: 16,
        dataset: &COUNTERS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.35,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "sadd-p16",
        command: "SADD set element:{rand:0-99999:12}",
        pipeline: 16,
        dataset: &BIG_COLLECTIONS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.35,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "hset-p16",
        command: "HSET hash field:{rand:0-99999:12} {fill:32}",
        pipeline: 16,
        dataset: &BIG_COLLECTIONS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.35,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "lpush-p16",
        command: "LPUSH list element:{rand:0-99999:12}",
        pipeline: 16,
        dataset: &BIG_COLLECTIONS,
        before_round: Some(&["DEL", "list"]),
        nulls_allowed: false,
        throughput_at_least: 1.2,
        user_cpu_at_most: 0.6,
    },
    Row {
        name: "zadd-p16",
        command: "ZADD zset {rand:1000000-1999999} element:{rand:0-99999:12}",
        pipeline: 16,
        dataset: &BIG_COLLECTIONS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.8,
        user_cpu_at_most: 0.5,
    },
    Row {
        name: "zrange-p16",
        command: "ZRANGE zset {rand:1000000-1999000} +inf BYSCORE LIMIT 0 10",
        pipeline: 16,
        dataset: &BIG_COLLECTIONS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.4,
        user_cpu_at_most: 0.65,
    },
    Row {
        name: "lrange100-p4",
        command: "LRANGE range 0 99",
        pipeline: 4,
        dataset: &BIG_COLLECTIONS,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.4,
        user_cpu_at_most: 0.65,
    },
    Row {
        name: "hset-small-p16",
        command: "HSET key:{rand:0-999999:12} field:{rand:0-3} {fill:16}",
        pipeline: 16,
        dataset: &SMALL_HASHES,
        before_round: None,
        nulls_allowed: false,
        throughput_at_least: 1.35,
        user_cpu_at_most: 0.6,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    #[test]
    fn every_command_compiles_and_names_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for row in ROWS {
            assert!(names.insert(row.name), "{} twice", row.name);
            Template::parse(row.command).unwrap();
            for fill in row.dataset.fills {
                Template::parse(fill.command).unwrap();
            }
        }
    }

    #[test]
    fn rows_of_a_dataset_follow_each_other() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.dataset.name).collect();
        names.dedup();
        let unique: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), unique.len());
    }
}
