//! Whether two replies count as the same, and the table of differences that are allowed, each with
//! its reason.

use crate::frame::Node;
use crate::generate::Request;

/// How replies that are not equal byte for byte may still count as the same.
enum Rule {
    /// The elements come in no defined order.
    AnyOrder,
    /// As `AnyOrder`, in pairs of field and value.
    AnyOrderOfPairs,
    /// A cursor, then elements in no defined order.
    Scan,
    /// As `Scan`, in pairs.
    ScanPairs,
    /// Both servers read their own clocks: integers may differ by so much.
    Clock(i64),
    /// Numbers may be written differently if they are the same number.
    SameNumbers,
    /// Anything, if the request has this word.
    Undefined(&'static str),
    /// Any text for any text: whether there is one is compared.
    SomeText,
    /// An integer that may be smaller with us.
    AtMostTheirs,
    /// Refused by us, with this error, whatever Redis 7.0 says.
    Refused(&'static str),
    /// Answered by us, refused by Redis 7.0 with this error.
    Taken(&'static str),
    /// Exactly this reply of ours for that one of Redis 7.0's.
    Instead {
        ours: &'static str,
        theirs: &'static str,
    },
}

/// Command (`Z*` for all that begin so, `*SCAN` for all that end so), rule, reason.
const TABLE: &[(&str, Rule, &str)] = &[
    (
        "ZRANGE",
        Rule::Undefined("BYLEX"),
        "undefined where scores differ",
    ),
    (
        "ZRANGEBYLEX",
        Rule::Undefined("ZRANGEBYLEX"),
        "undefined where scores differ",
    ),
    (
        "ZREVRANGEBYLEX",
        Rule::Undefined("ZREVRANGEBYLEX"),
        "undefined where scores differ",
    ),
    (
        "ZLEXCOUNT",
        Rule::Undefined("ZLEXCOUNT"),
        "undefined where scores differ",
    ),
    (
        "EXPIRE",
        Rule::Undefined("GT"),
        "two equal relative expiries, compared by each clock",
    ),
    ("EXPIRE", Rule::Undefined("LT"), "as above"),
    ("PEXPIRE", Rule::Undefined("GT"), "as above"),
    ("PEXPIRE", Rule::Undefined("LT"), "as above"),
    (
        "DUMP",
        Rule::SomeText,
        "the version and the compressor show in it; what is loaded is compared in persistence_cross",
    ),
    ("KEYS", Rule::AnyOrder, "hash table order"),
    ("SMEMBERS", Rule::AnyOrder, "hash table order"),
    ("SINTER", Rule::AnyOrder, "hash table order"),
    ("SUNION", Rule::AnyOrder, "hash table order"),
    ("SDIFF", Rule::AnyOrder, "hash table order"),
    ("HKEYS", Rule::AnyOrder, "hash table order"),
    ("HVALS", Rule::AnyOrder, "hash table order"),
    ("HGETALL", Rule::AnyOrderOfPairs, "hash table order"),
    ("PUBSUB", Rule::AnyOrder, "table order of channels"),
    (
        "SORT",
        Rule::AnyOrder,
        "a set under BY nosort, and ALPHA ties, have no defined order",
    ),
    (
        "SORT_RO",
        Rule::AnyOrder,
        "a set under BY nosort, and ALPHA ties, have no defined order",
    ),
    (
        "SORT",
        Rule::Undefined("LIMIT"),
        "a window of an order that is not defined, see above",
    ),
    (
        "SORT_RO",
        Rule::Undefined("LIMIT"),
        "a window of an order that is not defined, see above",
    ),
    (
        "OBJECT",
        Rule::Undefined("REFCOUNT"),
        "Redis shares values among keys and buffers for a while; we never do",
    ),
    ("SCAN", Rule::Scan, "hash table order"),
    ("SSCAN", Rule::Scan, "hash table order"),
    ("HSCAN", Rule::ScanPairs, "hash table order"),
    ("ZSCAN", Rule::ScanPairs, "hash table order"),
    ("TTL", Rule::Clock(5), "relative expiry"),
    ("PTTL", Rule::Clock(5000), "relative expiry"),
    ("EXPIRETIME", Rule::Clock(5), "relative expiry"),
    ("PEXPIRETIME", Rule::Clock(5000), "relative expiry"),
    (
        "DBSIZE",
        Rule::AtMostTheirs,
        "what is set with a past expiry is never stored here, Redis deletes it later",
    ),
    (
        "*SCAN",
        Rule::Taken("-ERR invalid cursor\r\n"),
        "blanks before a cursor, since 7.2",
    ),
    (
        "*SCAN",
        Rule::Refused("-ERR invalid cursor\r\n"),
        "negative cursors, since 7.2",
    ),
    (
        "ZSCAN",
        Rule::Taken("-ERR syntax error\r\n"),
        "NOSCORES, new in Valkey 8.0",
    ),
    (
        "HSCAN",
        Rule::Taken("-ERR syntax error\r\n"),
        "NOVALUES, new in 7.4",
    ),
    (
        "ZRANK",
        Rule::Taken("-ERR wrong number of arguments for 'zrank' command\r\n"),
        "WITHSCORE, new in 7.2",
    ),
    (
        "ZREVRANK",
        Rule::Taken("-ERR wrong number of arguments for 'zrevrank' command\r\n"),
        "WITHSCORE, new in 7.2",
    ),
    (
        "BITCOUNT",
        Rule::Taken("-ERR syntax error\r\n"),
        "a start without an end, new in Valkey 8.0",
    ),
    (
        "BITCOUNT",
        Rule::Refused("-ERR value is not an integer or out of range\r\n"),
        "arguments are checked also where there is no key, since 7.2",
    ),
    (
        "BITCOUNT",
        Rule::Refused("-ERR syntax error\r\n"),
        "as above",
    ),
    (
        "BITPOS",
        Rule::Refused("-ERR value is not an integer or out of range\r\n"),
        "arguments are checked also where there is no key, since 7.2",
    ),
    ("BITPOS", Rule::Refused("-ERR syntax error\r\n"), "as above"),
    (
        "B*",
        Rule::Instead {
            ours: "-ERR timeout is out of range\r\n",
            theirs: "-ERR timeout is negative\r\n",
        },
        "a timeout too large for milliseconds is recognised since 7.2",
    ),
    (
        "Z*",
        Rule::SameNumbers,
        "scores are printed in their shortest form since 7.2",
    ),
    (
        "BZ*",
        Rule::SameNumbers,
        "scores are printed in their shortest form since 7.2",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$3\r\nint\r\n",
            theirs: "$6\r\nembstr\r\n",
        },
        "an integer is kept as one whatever command made it (INCRBYFLOAT)",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$3\r\nint\r\n",
            theirs: "$3\r\nraw\r\n",
        },
        "an integer is kept as one whatever command made it (BITOP)",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$8\r\nlistpack\r\n",
            theirs: "$8\r\nskiplist\r\n",
        },
        "SORT leaves a sorted set's encoding alone here",
    ),
    (
        "LPOS",
        Rule::Refused(
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
        ),
        "a rank whose negative does not exist, since 7.2",
    ),
    (
        "LREM",
        Rule::Refused(
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
        ),
        "a count whose negative does not exist, since 7.2",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$6\r\nembstr\r\n",
            theirs: "$3\r\nraw\r\n",
        },
        "a short string is kept inline whatever command made it (BITOP)",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$8\r\nlistpack\r\n",
            theirs: "$9\r\nquicklist\r\n",
        },
        "small lists are listpacks since 7.2",
    ),
    (
        "OBJECT",
        Rule::Instead {
            ours: "$8\r\nlistpack\r\n",
            theirs: "$9\r\nhashtable\r\n",
        },
        "small sets are listpacks since 7.2",
    ),
];

/// Compares replies in order; follows transactions, whose replies come at the end.
#[derive(Default)]
pub struct Comparison {
    queued: Vec<Request>,
    /// The command inside the transaction that differed last.
    pub culprit: Option<Request>,
}

impl Comparison {
    pub fn same(&mut self, request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
        if theirs == b"+QUEUED\r\n" {
            self.queued.push(request.clone());
            return ours == theirs;
        }
        let ends = request.is("EXEC") || request.is("DISCARD");
        let queued = if ends {
            std::mem::take(&mut self.queued)
        } else {
            Vec::new()
        };
        if ours == theirs {
            return true;
        }
        let (ours, theirs) = (Node::of(ours), Node::of(theirs));
        match (&ours, &theirs) {
            (Node::Aggregate(_, ours), Node::Aggregate(_, theirs)) if request.is("EXEC") => {
                let mut replies = queued.iter().zip(ours.iter().zip(theirs));
                self.culprit = replies
                    .find(|(r, (o, t))| o != t && !is_allowed(r, o, t))
                    .map(|(request, _)| request.clone());
                self.culprit.is_none() && ours.len() == theirs.len() && ours.len() == queued.len()
            }
            _ => is_allowed(request, &ours, &theirs),
        }
    }
}

fn is_allowed(request: &Request, ours: &Node, theirs: &Node) -> bool {
    let concerns = |name: &str| match (name.strip_suffix('*'), name.strip_prefix('*')) {
        (Some(start), _) => request.name().starts_with(start),
        (_, Some(end)) => request.name().ends_with(end),
        _ => request.is(name),
    };
    TABLE
        .iter()
        .filter(|(name, _, _)| concerns(name))
        .any(|(_, rule, _)| match rule {
            Rule::SomeText => is_text(ours) && is_text(theirs),
            Rule::AnyOrder => ours.sorted(1) == theirs.sorted(1),
            Rule::AnyOrderOfPairs => ours.sorted(2) == theirs.sorted(2),
            Rule::Scan => same_scan(request, ours, theirs, 1),
            Rule::ScanPairs => same_scan(request, ours, theirs, 2),
            Rule::Clock(most) => match (ours.integer(), theirs.integer()) {
                (Some(a), Some(b)) => a > 0 && b > 0 && a.abs_diff(b) <= most.unsigned_abs(),
                _ => false,
            },
            Rule::Undefined(word) => {
                let is_meant = request
                    .args
                    .iter()
                    .any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
                let are_lists =
                    matches!((ours, theirs), (Node::Aggregate(..), Node::Aggregate(..)));
                is_meant && (are_lists || (ours.integer().is_some() && theirs.integer().is_some()))
            }
            Rule::AtMostTheirs => match (ours.integer(), theirs.integer()) {
                (Some(a), Some(b)) => a <= b,
                _ => false,
            },
            Rule::Refused(error) => *ours == leaf(error),
            Rule::Taken(error) => *theirs == leaf(error),
            Rule::SameNumbers => same_numbers(ours, theirs),
            Rule::Instead { ours: a, theirs: b } => *ours == leaf(a) && *theirs == leaf(b),
        })
}

fn leaf(reply: &str) -> Node {
    Node::Leaf(reply.as_bytes().to_vec())
}

/// Whether a reply is a bulk string, and one that is there.
fn is_text(reply: &Node) -> bool {
    matches!(reply, Node::Leaf(bytes) if bytes.starts_with(b"$") && !bytes.starts_with(b"$-"))
}

/// What a cursor of nobody's stands for is each server's own affair.
fn same_scan(request: &Request, ours: &Node, theirs: &Node, group: usize) -> bool {
    match (ours, theirs) {
        (Node::Aggregate(_, ours), Node::Aggregate(_, theirs)) => match (&ours[..], &theirs[..]) {
            ([cursor, ours], [their_cursor, theirs]) => {
                let is_invented =
                    request.args.get(2).is_none_or(|cursor| cursor != b"0") && !request.is("SCAN");
                is_invented || cursor == their_cursor && ours.sorted(group) == theirs.sorted(group)
            }
            _ => false,
        },
        _ => false,
    }
}

fn same_numbers(ours: &Node, theirs: &Node) -> bool {
    match (ours, theirs) {
        (Node::Aggregate(kind, ours), Node::Aggregate(their_kind, theirs)) => {
            kind == their_kind
                && ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(o, t)| same_numbers(o, t))
        }
        (Node::Leaf(a), Node::Leaf(b)) => {
            a == b
                || (a[0] == b[0]
                    && a[0] != b'-'
                    && ours.number().is_some_and(|n| theirs.number() == Some(n)))
        }
        _ => false,
    }
}
