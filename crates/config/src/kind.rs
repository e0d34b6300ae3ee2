//! The kinds of option, as data: bounds, names, default; and the way from each kind to its
//! reader (parse.rs) and its writers (show.rs).
//!
//! Values travel between the typed fields of `Config` (field.rs) and this generic code as
//! `Value`. Parsing has no effects. To add a kind, add a variant here and let the compiler name
//! the places. Tests: table.rs, for every row; tests/.

use crate::check::Check;
use crate::line::{is_plain_word, quote};
use crate::parse::*;
use crate::show::*;
use crate::text::Text;
use crate::types::*;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool {
        default: bool,
    },
    Integer {
        min: i64,
        max: i64,
        default: i64,
    },
    Octal {
        min: i64,
        max: i64,
        default: i64,
    },
    Memory {
        min: u64,
        max: u64,
        default: u64,
    },
    /// Bytes or "n%"; the default is 0 bytes.
    MemoryOrPercent,
    /// `unset_if_empty`: the empty value is the absence of the line rather than `name ""`.
    Text {
        default: &'static str,
        unset_if_empty: bool,
        check: Option<Check>,
    },
    Choice {
        names: Names,
        default: u32,
    },
    /// Several words that add up; only the shutdown options.
    Shutdown,
    Dir,
    Save,
    OutputBufferLimits,
    OomScores,
    NotifyEvents,
    Bind,
    ReplicaOf,
    Percentiles,
}

/// A value of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    /// Wide enough for every integer field, signed or not.
    Number(i128),
    ClientsMemory(ClientsMemory),
    Text(Text),
    Choice(u32),
    Flags(u32),
    Save(Vec<SavePoint>),
    OutputBufferLimits(OutputBufferLimits),
    OomScores([i32; 3]),
    Words(Vec<String>),
    Primary(Option<PrimaryAddress>),
    Percentiles(Vec<f64>),
}

/// What CONFIG REWRITE does with an option.
pub enum Rewrite {
    /// Remove its lines: absence says the same.
    Remove,
    /// Lines to write; one that is not `forced` only replaces an existing line.
    Lines(Vec<RewriteLine>),
}

pub struct RewriteLine {
    pub text: Vec<u8>,
    pub forced: bool,
}

pub const WRONG_COUNT: &str = "wrong number of arguments";

impl Kind {
    /// Takes any number of words; checks the count itself.
    pub fn takes_many(&self) -> bool {
        use Kind::*;
        matches!(
            self,
            Shutdown | Save | OutputBufferLimits | OomScores | Bind | ReplicaOf | Percentiles
        )
    }

    pub fn default(&self) -> Value {
        match *self {
            Kind::Bool { default } => Value::Bool(default),
            Kind::Integer { default, .. } | Kind::Octal { default, .. } => {
                Value::Number(default.into())
            }
            Kind::Memory { default, .. } => Value::Number(default.into()),
            Kind::MemoryOrPercent => Value::ClientsMemory(ClientsMemory::Bytes(0)),
            Kind::Text { default, .. } => Value::Text(default.into()),
            Kind::Choice { default, .. } => Value::Choice(default),
            Kind::Shutdown | Kind::NotifyEvents => Value::Flags(0),
            Kind::Dir => Value::Text("./".into()),
            Kind::Save => Value::Save(DEFAULT_SAVE.to_vec()),
            Kind::OutputBufferLimits => Value::OutputBufferLimits(DEFAULT_OUTPUT_BUFFER_LIMITS),
            Kind::OomScores => Value::OomScores([0, 200, 800]),
            Kind::Bind => Value::Words(vec!["*".into(), "-::*".into()]),
            Kind::ReplicaOf => Value::Primary(None),
            Kind::Percentiles => Value::Percentiles(vec![50.0, 99.0, 99.9]),
        }
    }

    /// The value of the words `args`. `current` matters where words change only a part of it.
    pub fn parse(&self, args: &[Text], current: &Value) -> Result<Value, String> {
        if !self.takes_many() && args.len() != 1 {
            return Err(WRONG_COUNT.into());
        }
        let first: &[u8] = args.first().map_or(b"", |arg| arg);
        match *self {
            Kind::Bool { .. } => parse_bool(first),
            Kind::Integer { min, max, .. } => bounded(parse_integer(first), min, max),
            Kind::Octal { min, max, .. } => parse_octal(first, min, max),
            Kind::Memory { min, max, .. } => parse_memory_bounded(first, min, max),
            Kind::MemoryOrPercent => parse_memory_or_percent(first),
            Kind::Text { check, .. } => parse_text(first, check),
            Kind::Choice { names, .. } => find_name(names, first)
                .map(Value::Choice)
                .ok_or_else(|| one_of(names)),
            Kind::Shutdown => parse_shutdown(args),
            Kind::Dir => parse_text(first, Some(crate::check::dir)),
            Kind::Save => parse_save(args),
            Kind::OutputBufferLimits => parse_output_buffer_limits(args, current),
            Kind::OomScores => parse_oom_scores(args),
            Kind::NotifyEvents => NotifyFlags::parse(first)
                .map(|flags| Value::Flags(flags.0))
                .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
            Kind::Bind => parse_bind(args),
            Kind::ReplicaOf => parse_replicaof(args),
            Kind::Percentiles => parse_percentiles(args),
        }
    }

    /// As CONFIG GET shows it.
    pub fn show(&self, value: &Value) -> Text {
        match (self, value) {
            (Kind::Octal { .. }, Value::Number(number)) => format!("{number:o}").into(),
            (Kind::Choice { names, .. }, Value::Choice(choice)) => name_of(names, *choice).into(),
            (Kind::Shutdown, Value::Flags(flags)) => show_shutdown(*flags).into(),
            (Kind::NotifyEvents, Value::Flags(flags)) => NotifyFlags(*flags).show().into(),
            (_, Value::Bool(on)) => yes_no(*on).into(),
            (_, Value::Number(number)) => number.to_string().into(),
            (_, Value::ClientsMemory(ClientsMemory::Bytes(bytes))) => bytes.to_string().into(),
            (_, Value::ClientsMemory(ClientsMemory::Percent(share))) => format!("{share}%").into(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::Save(points)) => show_save(points).into(),
            (_, Value::OutputBufferLimits(limits)) => show_limits(limits).into(),
            (_, Value::OomScores(scores)) => join(scores).into(),
            (_, Value::Words(words)) => words.join(" ").into(),
            (_, Value::Primary(primary)) => primary.as_ref().map_or(Text::default(), |primary| {
                let port = format!(" {}", primary.port);
                [primary.host.as_bytes(), port.as_bytes()].concat().into()
            }),
            (_, Value::Percentiles(percentiles)) => show_percentiles(percentiles).into(),
            (kind, value) => unreachable!("{kind:?} holding {value:?}"),
        }
    }

    /// As CONFIG REWRITE writes it.
    pub fn rewrite(&self, name: &str, value: &Value) -> Rewrite {
        let changed = *value != self.default();
        let line = |rest: &[u8], forced: bool| {
            let text = [name.as_bytes(), b" ", rest].concat();
            Rewrite::Lines(vec![RewriteLine { text, forced }])
        };
        match (self, value) {
            (Kind::Memory { .. }, Value::Number(bytes)) => {
                line(show_memory(*bytes).as_bytes(), changed)
            }
            (_, Value::ClientsMemory(ClientsMemory::Bytes(bytes))) => {
                line(show_memory((*bytes).into()).as_bytes(), changed)
            }
            (
                Kind::Text {
                    unset_if_empty: true,
                    ..
                },
                Value::Text(text),
            ) if text.is_empty() => Rewrite::Remove,
            // Whoever starts the server elsewhere must find the same directory.
            (Kind::Dir, Value::Text(dir)) => line(&quote(dir), true),
            (_, Value::Text(text)) => line(&quote(text), changed),
            (Kind::NotifyEvents, Value::Flags(flags)) => {
                line(&quote(NotifyFlags(*flags).spell().as_bytes()), changed)
            }
            // Always written: a file without it means the default, which may change.
            (Kind::Save, Value::Save(points)) if points.is_empty() => line(b"\"\"", true),
            (Kind::Save, _) => line(&self.show(value), true),
            (_, Value::OutputBufferLimits(limits)) => rewrite_limits(name, limits),
            (_, Value::Words(_)) if !changed => Rewrite::Remove,
            (_, Value::Words(words)) => line(&quote_words(words), true),
            (_, Value::Primary(None)) => Rewrite::Remove,
            (_, Value::Primary(Some(primary))) => {
                let host = if is_plain_word(&primary.host) {
                    primary.host.to_vec()
                } else {
                    quote(&primary.host)
                };
                line(
                    &[&host, format!(" {}", primary.port).as_bytes()].concat(),
                    true,
                )
            }
            (_, Value::Percentiles(list)) if list.is_empty() => line(b"\"\"", true),
            // In full, not rounded to six places as CONFIG GET shows them.
            (_, Value::Percentiles(list)) => line(join(list).as_bytes(), true),
            _ => line(&self.show(value), changed),
        }
    }
}

const DEFAULT_SAVE: [SavePoint; 3] = [
    SavePoint {
        seconds: 3600,
        changes: 1,
    },
    SavePoint {
        seconds: 300,
        changes: 100,
    },
    SavePoint {
        seconds: 60,
        changes: 10000,
    },
];

pub(crate) const DEFAULT_OUTPUT_BUFFER_LIMITS: OutputBufferLimits = [
    OutputBufferLimit {
        hard_bytes: 0,
        soft_bytes: 0,
        soft_seconds: 0,
    },
    OutputBufferLimit {
        hard_bytes: 256 << 20,
        soft_bytes: 64 << 20,
        soft_seconds: 60,
    },
    OutputBufferLimit {
        hard_bytes: 32 << 20,
        soft_bytes: 8 << 20,
        soft_seconds: 60,
    },
];
