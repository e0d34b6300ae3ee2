//! What a command's arguments look like, as COMMAND DOCS and the CLI's hints describe them.
//!
//! A list of [`Arg`]s is a small grammar: plain values, optional tokens, alternatives
//! ([`ArgType::OneOf`]) and groups ([`ArgType::Block`]). It documents; the handlers parse. A hygiene
//! test keeps it consistent with each command's arity and key specs.
//!
//! The builders are `const` and meant to be chained: `Arg::integer("seconds").token("EX").since("2.6.12")`.
//!
//! Tests: `table/hygiene.rs`.

use crate::bits::bitset;

bitset! {
    /// How often an argument may appear.
    pub struct ArgFlags: u8 {
        OPTIONAL = 0 => "optional",
        /// May be repeated.
        MULTIPLE = 1 => "multiple",
        /// When repeated, its token is repeated with it.
        MULTIPLE_TOKEN = 2 => "multiple_token",
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgType {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    /// Only the token, no value.
    PureToken,
    /// Exactly one of the children.
    OneOf,
    /// All the children, in order.
    Block,
}

impl ArgType {
    /// The word COMMAND DOCS uses.
    pub const fn name(self) -> &'static str {
        match self {
            ArgType::String => "string",
            ArgType::Integer => "integer",
            ArgType::Double => "double",
            ArgType::Key => "key",
            ArgType::Pattern => "pattern",
            ArgType::UnixTime => "unix-time",
            ArgType::PureToken => "pure-token",
            ArgType::OneOf => "oneof",
            ArgType::Block => "block",
        }
    }

    pub const fn has_children(self) -> bool {
        matches!(self, ArgType::OneOf | ArgType::Block)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arg {
    pub name: &'static str,
    pub arg_type: ArgType,
    /// Shown in place of the name; see [`Arg::display_text`].
    pub display: Option<&'static str>,
    /// Which of the command's key specs finds this argument.
    pub key_spec_index: Option<u8>,
    /// The word that precedes the value (or stands alone).
    pub token: Option<&'static str>,
    pub flags: ArgFlags,
    pub since: Option<&'static str>,
    pub deprecated_since: Option<&'static str>,
    pub children: &'static [Arg],
}

impl Arg {
    const fn new(name: &'static str, arg_type: ArgType) -> Arg {
        Arg {
            name,
            arg_type,
            display: None,
            key_spec_index: None,
            token: None,
            flags: ArgFlags::empty(),
            since: None,
            deprecated_since: None,
            children: &[],
        }
    }

    pub(crate) const fn string(name: &'static str) -> Arg {
        Arg::new(name, ArgType::String)
    }

    pub(crate) const fn integer(name: &'static str) -> Arg {
        Arg::new(name, ArgType::Integer)
    }

    pub(crate) const fn double(name: &'static str) -> Arg {
        Arg::new(name, ArgType::Double)
    }

    pub(crate) const fn pattern(name: &'static str) -> Arg {
        Arg::new(name, ArgType::Pattern)
    }

    pub(crate) const fn unix_time(name: &'static str) -> Arg {
        Arg::new(name, ArgType::UnixTime)
    }

    /// A key that the command's key spec number `key_spec_index` finds.
    pub(crate) const fn key(name: &'static str, key_spec_index: u8) -> Arg {
        Arg::new(name, ArgType::Key).key_spec(key_spec_index)
    }

    /// A token that stands alone.
    pub(crate) const fn word(name: &'static str, token: &'static str) -> Arg {
        Arg::new(name, ArgType::PureToken).token(token)
    }

    pub(crate) const fn one_of(name: &'static str, children: &'static [Arg]) -> Arg {
        Arg {
            children,
            ..Arg::new(name, ArgType::OneOf)
        }
    }

    pub(crate) const fn block(name: &'static str, children: &'static [Arg]) -> Arg {
        Arg {
            children,
            ..Arg::new(name, ArgType::Block)
        }
    }

    pub(crate) const fn token(self, token: &'static str) -> Arg {
        Arg {
            token: Some(token),
            ..self
        }
    }

    pub(crate) const fn key_spec(self, index: u8) -> Arg {
        Arg {
            key_spec_index: Some(index),
            ..self
        }
    }

    pub(crate) const fn display(self, text: &'static str) -> Arg {
        Arg {
            display: Some(text),
            ..self
        }
    }

    pub(crate) const fn optional(self) -> Arg {
        Arg {
            flags: self.flags.or(ArgFlags::OPTIONAL),
            ..self
        }
    }

    pub(crate) const fn multiple(self) -> Arg {
        Arg {
            flags: self.flags.or(ArgFlags::MULTIPLE),
            ..self
        }
    }

    pub(crate) const fn multiple_token(self) -> Arg {
        Arg {
            flags: self
                .flags
                .or(ArgFlags::MULTIPLE)
                .or(ArgFlags::MULTIPLE_TOKEN),
            ..self
        }
    }

    pub(crate) const fn since(self, version: &'static str) -> Arg {
        Arg {
            since: Some(version),
            ..self
        }
    }

    pub(crate) const fn deprecated_since(self, version: &'static str) -> Arg {
        Arg {
            deprecated_since: Some(version),
            ..self
        }
    }

    /// What COMMAND DOCS calls `display_text`: every argument that is not a group has one.
    pub const fn display_text(&self) -> Option<&'static str> {
        if self.arg_type.has_children() {
            return None;
        }
        match self.display {
            Some(text) => Some(text),
            None => Some(self.name),
        }
    }
}
