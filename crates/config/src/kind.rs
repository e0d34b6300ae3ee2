//! The kinds of option: how a kind is parsed, shown by CONFIG GET and written by CONFIG REWRITE.
//!
//! A `Kind` is data (bounds, names, default) so that documentation and tests can read it. Values
//! travel between the typed fields of `Config` and this generic code as `Value`; a kind and its
//! field disagreeing is a bug that the table's hygiene test meets for every row. Parsing has no
//! effects: text in, `Value` or Redis's error text out.
//! Numbers follow Redis's own readers, not Rust's: no leading zeros or plus signs in plain
//! integers, units in any case (`1gb` is 1024³, `1g` is 1000³), C's `strtoll` inside lists.
//! Tests: below, and tests/set.rs against texts observed from Redis 7.0.

use crate::check::Check;
use crate::line::{is_plain_word, quote};
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

/// A typed field of `Config`. `from_value` may assume that the value passed its kind's bounds.
pub trait Field: Sized {
    fn to_value(&self) -> Value;
    fn from_value(value: Value) -> Self;
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
const BINDADDR_MAX: usize = 16;

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

const DEFAULT_OUTPUT_BUFFER_LIMITS: OutputBufferLimits = [
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

// Parsing, kind by kind.

fn parse_bool(word: &[u8]) -> Result<Value, String> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(Value::Bool(true))
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(Value::Bool(false))
    } else {
        Err("argument must be 'yes' or 'no'".into())
    }
}

/// A decimal integer written in the one canonical way: no plus sign, blanks or leading zeros.
fn parse_integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let canonical = word == b"0" || matches!(digits, [b'1'..=b'9', ..]);
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn bounded(parsed: Option<i64>, min: i64, max: i64) -> Result<Value, String> {
    let number = parsed.ok_or("argument couldn't be parsed into an integer")?;
    if !(min..=max).contains(&number) {
        return Err(format!(
            "argument must be between {min} and {max} inclusive"
        ));
    }
    Ok(Value::Number(number.into()))
}

fn parse_octal(word: &[u8], min: i64, max: i64) -> Result<Value, String> {
    let number = parse_c_long(word, 8).ok_or("argument couldn't be parsed as an octal number")?;
    if !(min..=max).contains(&number) {
        return Err(format!(
            "argument must be between {min:o} and {max:o} inclusive"
        ));
    }
    Ok(Value::Number(number.into()))
}

/// C's `strtoll` over the whole word: blanks, a sign, perhaps no digits at all; `None` on trailing
/// bytes and on overflow.
fn parse_c_long(word: &[u8], radix: u32) -> Option<i64> {
    if word.is_empty() {
        return Some(0);
    }
    let start = word.iter().position(|&byte| !crate::line::is_blank(byte))?;
    let (negative, digits) = match &word[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0i128, |sum, &digit| {
        let next = sum * i128::from(radix) + i128::from((digit as char).to_digit(radix)?);
        (next <= 1 << 64).then_some(next)
    })?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `1024`, `1k`, `1kb`, `1Gb` … in bytes. No digits are 0, as in Redis; an overflow is refused,
/// where Redis wraps around.
pub fn parse_memory(word: &[u8]) -> Option<u64> {
    let length = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(length);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().try_fold(0u64, |sum, &digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    number?.checked_mul(factor)
}

fn parse_memory_bounded(word: &[u8], min: u64, max: u64) -> Result<Value, String> {
    let bytes = parse_memory(word).ok_or("argument must be a memory value")?;
    if !(min..=max).contains(&bytes) {
        return Err(format!(
            "argument must be between {min} and {max} inclusive"
        ));
    }
    Ok(Value::Number(bytes.into()))
}

fn parse_memory_or_percent(word: &[u8]) -> Result<Value, String> {
    const TOO_MUCH: &str = "percentage argument must be less or equal to 100";
    if let Some(bytes) = parse_memory(word) {
        // Redis keeps percentages as negative numbers, hence the text for a huge size too.
        return match i64::try_from(bytes) {
            Ok(_) => Ok(Value::ClientsMemory(ClientsMemory::Bytes(bytes))),
            Err(_) => Err(TOO_MUCH.into()),
        };
    }
    let share = word
        .strip_suffix(b"%")
        .and_then(parse_integer)
        .filter(|&share| share >= 0);
    match share.ok_or("argument must be a memory or percent value")? {
        0 => Ok(Value::ClientsMemory(ClientsMemory::Bytes(0))),
        share @ 1..=100 => Ok(Value::ClientsMemory(ClientsMemory::Percent(share as u8))),
        _ => Err(TOO_MUCH.into()),
    }
}

fn parse_text(word: &[u8], check: Option<Check>) -> Result<Value, String> {
    if let Some(check) = check {
        check(word)?;
    }
    Ok(Value::Text(word.into()))
}

fn find_name(names: Names, word: &[u8]) -> Option<u32> {
    let found = names
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|&(_, value)| value)
}

fn one_of(names: Names) -> String {
    let names: Vec<&str> = names.iter().map(|&(name, _)| name).collect();
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
}

fn parse_shutdown(args: &[Text]) -> Result<Value, String> {
    let names = ShutdownFlags::NAMES;
    if args.is_empty() {
        return Err(one_of(names));
    }
    let bits = args
        .iter()
        .try_fold(0, |bits, word| Some(bits | find_name(names, word)?));
    let flags = ShutdownFlags(bits.ok_or_else(|| one_of(names))?);
    if flags.contains(ShutdownFlags::SAVE) && flags.contains(ShutdownFlags::NOSAVE) {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(Value::Flags(flags.0))
}

fn parse_save(args: &[Text]) -> Result<Value, String> {
    let args = without_lone_empty(args);
    let point = |pair: &[Text]| match pair {
        [seconds, changes] => {
            let seconds = parse_c_long(seconds, 10).filter(|&seconds| seconds >= 1)?;
            let changes = parse_c_long(changes, 10).filter(|&changes| changes >= 0)?;
            Some(SavePoint {
                seconds: seconds as u64,
                changes: changes as u64,
            })
        }
        _ => None,
    };
    let points: Option<Vec<SavePoint>> = args.chunks(2).map(point).collect();
    points
        .map(Value::Save)
        .ok_or_else(|| "Invalid save parameters".into())
}

/// `save ""`, `bind ""` and the like mean no words at all.
fn without_lone_empty(args: &[Text]) -> &[Text] {
    match args {
        [only] if only.is_empty() => &[],
        args => args,
    }
}

fn parse_output_buffer_limits(args: &[Text], current: &Value) -> Result<Value, String> {
    const BAD_COUNT: &str = "Wrong number of arguments in buffer limit configuration.";
    const BAD_CLASS: &str = "Invalid client class specified in buffer limit configuration.";
    const BAD_LIMIT: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    let Value::OutputBufferLimits(mut limits) = *current else {
        unreachable!("buffer limits over {current:?}");
    };
    if !args.len().is_multiple_of(4) {
        return Err(BAD_COUNT.into());
    }
    for group in args.chunks_exact(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => ClientClass::Normal,
            b"slave" | b"replica" => ClientClass::Replica,
            b"pubsub" => ClientClass::Pubsub,
            _ => return Err(BAD_CLASS.into()),
        };
        let soft_seconds =
            parse_c_long(&group[3], 10).filter(|&seconds| seconds <= i32::MAX.into());
        limits[class as usize] = OutputBufferLimit {
            hard_bytes: parse_memory(&group[1]).ok_or(BAD_LIMIT)?,
            soft_bytes: parse_memory(&group[2]).ok_or(BAD_LIMIT)?,
            soft_seconds: soft_seconds
                .and_then(|s| u32::try_from(s).ok())
                .ok_or(BAD_LIMIT)?,
        };
    }
    Ok(Value::OutputBufferLimits(limits))
}

fn parse_oom_scores(args: &[Text]) -> Result<Value, String> {
    let [primary, replica, child] = args else {
        return Err(WRONG_COUNT.into());
    };
    let mut scores = [0; 3];
    for (score, word) in scores.iter_mut().zip([primary, replica, child]) {
        let number = parse_c_long(word, 10).filter(|number| (-2000..=2000).contains(number));
        *score = number
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?
            as i32;
    }
    Ok(Value::OomScores(scores))
}

fn parse_bind(args: &[Text]) -> Result<Value, String> {
    if args.len() > BINDADDR_MAX {
        return Err("Too many bind addresses specified.".into());
    }
    let words = without_lone_empty(args);
    Ok(Value::Words(
        words
            .iter()
            .map(|word| word.to_str_lossy().into_owned())
            .collect(),
    ))
}

fn parse_replicaof(args: &[Text]) -> Result<Value, String> {
    let [host, port] = args else {
        return Err(WRONG_COUNT.into());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::Primary(None));
    }
    let port = parse_c_long(port, 10).and_then(|port| u16::try_from(port).ok());
    // Redis says "Invalid master port"; the reference suite wants this word, and only a person
    // starting the server ever reads it.
    let port = port.ok_or("Invalid primary port")?;
    Ok(Value::Primary(Some(PrimaryAddress {
        host: host.clone(),
        port,
    })))
}

fn parse_percentiles(args: &[Text]) -> Result<Value, String> {
    let percentile = |word: &Text| {
        let number = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(number) if number.is_nan() => None,
            number => number,
        }
    };
    let mut percentiles = Vec::new();
    for word in without_lone_empty(args) {
        let number =
            percentile(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
        percentiles.push(number);
    }
    Ok(Value::Percentiles(percentiles))
}

// Showing and writing.

fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

fn name_of(names: Names, value: u32) -> &'static str {
    let found = names.iter().find(|&&(_, candidate)| candidate == value);
    found.map_or("unknown", |&(name, _)| name)
}

fn show_shutdown(flags: u32) -> String {
    let words = ShutdownFlags::NAMES
        .iter()
        .filter(|&&(_, bit)| bit != 0 && flags & bit == bit);
    let words: Vec<&str> = words.map(|&(name, _)| name).collect();
    if words.is_empty() {
        "default".into()
    } else {
        words.join(" ")
    }
}

fn show_save(points: &[SavePoint]) -> String {
    let points: Vec<String> = points
        .iter()
        .map(|point| format!("{} {}", point.seconds, point.changes))
        .collect();
    points.join(" ")
}

/// CONFIG GET still calls the second class by its old name.
fn show_limits(limits: &OutputBufferLimits) -> String {
    let class = |(name, limit): (&str, &OutputBufferLimit)| {
        format!(
            "{name} {} {} {}",
            limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
        )
    };
    let classes: Vec<String> = ["normal", "slave", "pubsub"]
        .into_iter()
        .zip(limits)
        .map(class)
        .collect();
    classes.join(" ")
}

fn rewrite_limits(name: &str, limits: &OutputBufferLimits) -> Rewrite {
    let classes = ["normal", "replica", "pubsub"].into_iter().zip(limits);
    let lines = classes
        .zip(&DEFAULT_OUTPUT_BUFFER_LIMITS)
        .map(|((class, limit), default)| {
            let (hard, soft) = (
                show_memory(limit.hard_bytes.into()),
                show_memory(limit.soft_bytes.into()),
            );
            let text = format!("{name} {class} {hard} {soft} {}", limit.soft_seconds).into_bytes();
            RewriteLine {
                text,
                forced: limit != default,
            }
        });
    Rewrite::Lines(lines.collect())
}

/// The largest unit that divides the number of bytes.
fn show_memory(bytes: i128) -> String {
    for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Six places at most, without trailing zeros.
fn show_percentiles(percentiles: &[f64]) -> String {
    let show = |number: &f64| {
        let text = format!("{number:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    let shown: Vec<String> = percentiles.iter().map(show).collect();
    shown.join(" ")
}

/// The words such that the loader reads them back: it splits a lone word once more.
fn quote_words(words: &[String]) -> Vec<u8> {
    let one = |word: &String| match is_plain_word(word.as_bytes()) {
        true => word.clone().into_bytes(),
        false => quote(word.as_bytes()),
    };
    match words {
        [] => b"\"\"".to_vec(),
        [only] if !is_plain_word(only.as_bytes()) => quote(&quote(only.as_bytes())),
        words => words.iter().map(one).collect::<Vec<_>>().join(&b' '),
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

// The field types.

macro_rules! number_fields {
    ($($number:ty),+) => { $(
        impl Field for $number {
            fn to_value(&self) -> Value {
                Value::Number(*self as i128)
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::Number(number) => {
                        <$number>::try_from(number).expect("an option's bounds fit its field")
                    }
                    other => unreachable!("number from {other:?}"),
                }
            }
        }
    )+ };
}

number_fields!(u16, i32, u32, u64, i64, usize);

macro_rules! plain_fields {
    ($($field:ty => $variant:ident),+ $(,)?) => { $(
        impl Field for $field {
            fn to_value(&self) -> Value {
                Value::$variant(self.clone())
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => inner,
                    other => unreachable!("{} from {other:?}", stringify!($field)),
                }
            }
        }
    )+ };
}

plain_fields! {
    bool => Bool,
    ClientsMemory => ClientsMemory,
    Text => Text,
    Vec<SavePoint> => Save,
    OutputBufferLimits => OutputBufferLimits,
    [i32; 3] => OomScores,
    Vec<String> => Words,
    Option<PrimaryAddress> => Primary,
    Vec<f64> => Percentiles,
}

macro_rules! flag_fields {
    ($($flags:ident),+) => { $(
        impl Field for $flags {
            fn to_value(&self) -> Value {
                Value::Flags(self.0)
            }

            fn from_value(value: Value) -> Self {
                match value {
                    Value::Flags(bits) => $flags(bits),
                    other => unreachable!("flags from {other:?}"),
                }
            }
        }
    )+ };
}

flag_fields!(ShutdownFlags, NotifyFlags);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        for (word, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("100b", Some(100)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3Gb", Some(3 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("17179869184gb", None),
            ("-1", None),
            ("1.5gb", None),
            ("1tb", None),
            (" 1", None),
        ] {
            assert_eq!(parse_memory(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn integers_have_one_spelling() {
        for (word, expected) in [
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+5", None),
            ("010", None),
            (" 5", None),
            ("5 ", None),
            ("1e3", None),
        ] {
            assert_eq!(parse_integer(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn numbers_in_lists_are_read_as_strtoll_reads_them() {
        for (word, radix, expected) in [
            ("", 10, Some(0)),
            (" +5", 10, Some(5)),
            ("-05", 10, Some(-5)),
            ("5x", 10, None),
            ("+", 10, None),
            ("  ", 10, None),
            ("755", 8, Some(0o755)),
            ("0755", 8, Some(0o755)),
            ("8", 8, None),
            ("99999999999999999999999999999999999999999999", 10, None),
        ] {
            assert_eq!(parse_c_long(word.as_bytes(), radix), expected, "{word:?}");
        }
    }

    #[test]
    fn event_classes_round_trip_and_fold_into_a() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Kg$lshzxetd", "AK"),
            ("gn", "gn"),
            ("mxE", "xEm"),
        ] {
            assert_eq!(
                NotifyFlags::parse(given.as_bytes()).unwrap().show(),
                shown,
                "{given}"
            );
        }
        assert_eq!(NotifyFlags::parse(b"Q"), None);
    }

    #[test]
    fn a_share_of_maxmemory_is_computed_without_overflow() {
        assert_eq!(ClientsMemory::Percent(5).limit_bytes(1000), 50);
        assert_eq!(ClientsMemory::Percent(100).limit_bytes(u64::MAX), u64::MAX);
        assert_eq!(ClientsMemory::Percent(5).limit_bytes(0), 0);
        assert_eq!(ClientsMemory::Bytes(7).limit_bytes(1), 7);
    }
}
