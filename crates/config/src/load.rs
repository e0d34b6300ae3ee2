//! The start sequence: command line, configuration files with what they include, standard input,
//! overrides; then the checks that need all of it.
//!
//! Precedence is the order of reading: file, standard input, command line; the last line wins.
//! `save` alone adds up: the first line of the whole sequence drops the defaults, each further
//! one adds points, `save ""` drops all. A failed load changes nothing and says which line of
//! which text is to blame, in Redis's layout with the text's name below.
//! Not done here, for lack of knowledge: opening files and directories (callbacks), knowing commands
//! (`rename_commands` keeps the line's place for `LoadError::at`), users and Sentinel's language.
//! Tests: below and tests/load.rs.

use std::fmt;

use crate::REDIS_VERSION;
use crate::kind::Value;
use crate::line::{quote, split_args, trim};
use crate::table::{Config, OPTIONS, OptionId, OptionSpec, lookup};
use crate::text::Text;

/// Included files may include others, this deep and this many in all; a file that includes
/// itself ends here instead of at the end of the stack.
const INCLUDE_DEPTH_MAX: usize = 16;
const INCLUDE_COUNT_MAX: usize = 1000;

/// Directives of earlier releases that no longer do anything, each with one value.
const RETIRED: &[&str] = &[
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
    "gopher-enabled",
];

/// The arguments of the server program, sorted by what is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The first argument, unless it starts with a dash.
    pub config_file: Option<Text>,
    /// A lone `-` as first or last argument.
    pub from_stdin: bool,
    /// `--sentinel` appears.
    pub sentinel: bool,
    /// The overrides as lines of a configuration file.
    pub options: Vec<u8>,
}

impl CommandLine {
    /// `args` without the program's name. `--version`, `--help` and the like are the caller's.
    pub fn parse(args: &[Text]) -> CommandLine {
        let mut parsed = CommandLine {
            sentinel: args.iter().any(|arg| *arg == "--sentinel"),
            ..CommandLine::default()
        };
        let mut first = 0;
        if let Some(file) = args.first().filter(|arg| !arg.starts_with(b"-")) {
            parsed.config_file = Some(file.clone());
            first = 1;
        }
        // Whether the last option has what it needs, so that `--` starts the next one. One value
        // is enough, and may itself start with `--`: `--logfile --odd--name`.
        let mut complete = true;
        for (index, arg) in args.iter().enumerate().skip(first) {
            let last = index + 1 == args.len();
            if *arg == "-" && (index == 0 || last) {
                parsed.from_stdin = true;
            } else if let Some(name) = arg.strip_prefix(b"--").filter(|_| complete) {
                let next_is_option = args
                    .get(index + 1)
                    .is_some_and(|next| next.starts_with(b"--"));
                complete = parsed.start_option(name, next_is_option, last);
            } else {
                parsed.options.extend(quote(arg));
                parsed.options.push(b' ');
                complete = true;
            }
        }
        parsed
    }

    /// Adds an option's line; whether its values are in it already (`"--port 6380"`).
    fn start_option(&mut self, name: &[u8], next_is_option: bool, last: bool) -> bool {
        if !self.options.is_empty() {
            self.options.push(b'\n');
        }
        self.options.extend_from_slice(name);
        self.options.push(b' ');
        if split_args(name).is_none_or(|words| words.len() != 1) {
            return true;
        }
        // Scripts build `--save` from an empty list; `--sentinel` takes no value.
        if name.eq_ignore_ascii_case(b"save") && (next_is_option || last) {
            self.options.extend(b"\"\"");
            return true;
        }
        next_is_option && name.eq_ignore_ascii_case(b"sentinel")
    }
}

/// A configuration text with the name to blame it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    pub name: Text,
    pub bytes: Vec<u8>,
}

/// Opens what an `include` line names: the file itself, or for a pattern (`*`, `?`, `[`) every
/// file that matches, perhaps none. `Err` is why a file cannot be read.
pub type Include<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<FileText>, String>;

/// Makes what a `dir` line names the working directory, at once: relative names in later lines are
/// relative to it. `Err` is why that cannot be.
pub type Enter<'a> = &'a dyn Fn(&[u8]) -> Result<(), String>;

/// Everything a server starts from.
pub struct Source<'a> {
    pub file: Option<&'a FileText>,
    pub stdin: Option<&'a [u8]>,
    /// `CommandLine::options`.
    pub options: &'a [u8],
    pub include: Include<'a>,
    pub enter: Enter<'a>,
    /// `sentinel …` lines are collected; otherwise they are errors.
    pub sentinel: bool,
}

/// A text that lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(Text),
    Stdin,
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(name) => write!(f, "in file '{name}'"),
            Origin::Stdin => f.write_str("on standard input"),
            Origin::CommandLine => f.write_str("on the command line"),
        }
    }
}

/// A line, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub origin: Origin,
    pub line_number: usize,
    pub line: Text,
}

/// A line that the crate keeps for those who understand it; `args` without the first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    pub args: Vec<Text>,
    pub place: Place,
}

/// Something to log at start, or after CONFIG SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub option: &'static str,
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Warning {
    /// The option is set to something this release does not do.
    pub(crate) fn not_built(config: &Config, spec: &OptionSpec) -> Warning {
        let text = if spec.access.sensitive {
            format!(
                "'{}' is not built in this release: its value has no effect",
                spec.name
            )
        } else {
            let value = config.show(spec.id);
            format!(
                "'{}' is not built in this release: its value '{value}' has no effect",
                spec.name
            )
        };
        Warning {
            option: spec.name,
            text,
        }
    }
}

/// Why the server does not start; `Display` is the whole text for standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    pub place: Option<Place>,
    pub reason: String,
}

impl LoadError {
    /// An error in a line that was loaded: an unknown command in `rename-command`, say.
    pub fn at(place: &Place, reason: impl Into<String>) -> LoadError {
        LoadError {
            place: Some(place.clone()),
            reason: reason.into(),
        }
    }

    /// An error of no one line: a log file that cannot be opened, say.
    pub fn general(reason: impl Into<String>) -> LoadError {
        LoadError {
            place: None,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***")?;
        let Some(place) = &self.place else {
            return f.write_str(&self.reason);
        };
        writeln!(
            f,
            "Reading the configuration file, at line {}",
            place.line_number
        )?;
        writeln!(f, ">>> '{}'", place.line)?;
        write!(f, "{}\n({})", self.reason, place.origin)
    }
}

impl std::error::Error for LoadError {}

impl Config {
    /// Reads a whole start sequence over the present values (the defaults, at start).
    pub fn load(&mut self, source: &Source<'_>) -> Result<Vec<Warning>, LoadError> {
        let mut loader = Loader {
            config: self.clone(),
            include: source.include,
            enter: source.enter,
            sentinel: source.sentinel,
            save_seen: false,
            included_count: 0,
            module_option: None,
            warnings: Vec::new(),
        };
        if let Some(file) = source.file {
            loader.read(&Origin::File(file.name.clone()), &file.bytes, 0)?;
        }
        if let Some(stdin) = source.stdin {
            loader.read(&Origin::Stdin, stdin, 0)?;
        }
        loader.read(&Origin::CommandLine, source.options, 0)?;
        let warnings = loader.finish()?;
        *self = loader.config;
        self.touch();
        Ok(warnings)
    }
}

struct Loader<'a> {
    config: Config,
    include: Include<'a>,
    enter: Enter<'a>,
    sentinel: bool,
    save_seen: bool,
    included_count: usize,
    /// The first `module.option` line: an error unless a module is to be loaded.
    module_option: Option<Place>,
    warnings: Vec<Warning>,
}

impl Loader<'_> {
    fn read(&mut self, origin: &Origin, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let place = || Place {
                origin: origin.clone(),
                line_number: index + 1,
                line: line.into(),
            };
            let fail = |reason: String| LoadError {
                place: Some(place()),
                reason,
            };
            let words = split_args(line)
                .ok_or_else(|| fail("Unbalanced quotes in configuration line".into()))?;
            let Some((name, args)) = words.split_first() else {
                continue;
            };
            let name = name.to_ascii_lowercase();
            if let Some((spec, _)) = lookup(&name) {
                self.set(spec, args).map_err(fail)?;
            } else if name == b"include" && args.len() == 1 {
                self.include(&args[0], place(), depth)?;
            } else {
                self.directive(&name, args, &place).map_err(fail)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, spec: &OptionSpec, args: &[Text]) -> Result<(), String> {
        let split;
        let args = match args {
            // `--save "900 1"` gives all words as one.
            [only] if spec.kind.takes_many() && !only.is_empty() => {
                split = split_args(only).ok_or("Unbalanced quotes in configuration line")?;
                &split
            }
            args => args,
        };
        let current = self.config.value(spec.id);
        let value = match spec.kind.parse(args, &current)? {
            Value::Save(points) => {
                let kept = match current {
                    Value::Save(kept) if self.save_seen && !points.is_empty() => kept,
                    _ => Vec::new(),
                };
                self.save_seen = true;
                Value::Save([kept, points].concat())
            }
            value => value,
        };
        if let (OptionId::Dir, Value::Text(dir)) = (spec.id, &value) {
            (self.enter)(dir)?;
        }
        self.config.put(spec.id, value);
        Ok(())
    }

    fn include(&mut self, pattern: &Text, place: Place, depth: usize) -> Result<(), LoadError> {
        let files = (self.include)(pattern).map_err(|reason| {
            LoadError::at(
                &place,
                format!("Fatal error, can't open config file '{pattern}': {reason}"),
            )
        })?;
        for file in files {
            self.included_count += 1;
            if depth == INCLUDE_DEPTH_MAX || self.included_count > INCLUDE_COUNT_MAX {
                return Err(LoadError::at(&place, "Too many files included"));
            }
            self.read(&Origin::File(file.name), &file.bytes, depth + 1)?;
        }
        Ok(())
    }

    /// The lines that are not options.
    fn directive(
        &mut self,
        name: &[u8],
        args: &[Text],
        place: &dyn Fn() -> Place,
    ) -> Result<(), String> {
        let keep = || Directive {
            args: args.to_vec(),
            place: place(),
        };
        match (name, args) {
            (b"rename-command", [_, _]) => self.config.rename_commands.push(keep()),
            (b"user", [_, ..]) => self.config.users.push(keep()),
            (b"loadmodule", [_, ..]) => self.config.modules.push(keep()),
            // Alone it only asks for Sentinel mode, which the caller has seen.
            (b"sentinel", []) => {}
            (b"sentinel", _) if self.sentinel => self.config.sentinel.push(keep()),
            (b"sentinel", _) => return Err("sentinel directive while not in sentinel mode".into()),
            (_, [value]) if RETIRED.iter().any(|retired| name == retired.as_bytes()) => {
                if name == b"gopher-enabled" && !value.eq_ignore_ascii_case(b"no") {
                    self.warn(
                        "gopher-enabled",
                        "'gopher-enabled' was removed in Redis 7".into(),
                    );
                }
            }
            (name, []) if name.contains(&b'.') => {
                return Err("Module config specified without value".into());
            }
            (name, _) if name.contains(&b'.') => {
                self.module_option.get_or_insert_with(place);
            }
            _ => return Err("Bad directive or wrong number of arguments".into()),
        }
        Ok(())
    }

    fn warn(&mut self, option: &'static str, text: String) {
        self.warnings.push(Warning { option, text });
    }

    /// What depends on several options, and the warnings.
    fn finish(&mut self) -> Result<Vec<Warning>, LoadError> {
        if let Some(place) = &self.module_option
            && self.config.modules.is_empty()
        {
            let reason = "Module Configuration detected without loadmodule directive \
                          or no ApplyConfig call: aborting";
            return Err(LoadError::at(place, reason));
        }
        if self.config.cluster_enabled && self.config.replicaof.is_some() {
            return Err(LoadError::general(
                "replicaof directive not allowed in cluster mode",
            ));
        }
        if self.config.cluster_enabled && self.config.databases > 1 {
            let text = format!(
                "WARNING: Changing databases number from {} to 1 since we are in cluster mode",
                self.config.databases
            );
            self.warn("databases", text);
            self.config.databases = 1;
        }
        self.config.clamp_hz();
        for spec in OPTIONS
            .iter()
            .filter(|spec| self.config.asks_for_missing(spec.id))
        {
            let warning = Warning::not_built(&self.config, spec);
            self.warnings.push(warning);
        }
        for (option, lines) in [
            ("user", &self.config.users),
            ("loadmodule", &self.config.modules),
        ] {
            if !lines.is_empty() {
                let text =
                    format!("'{option}' is not built in this release: its lines have no effect");
                self.warnings.push(Warning { option, text });
            }
        }
        Ok(std::mem::take(&mut self.warnings))
    }
}

impl Config {
    /// Any `hz` is accepted, as a hint.
    pub(crate) fn clamp_hz(&mut self) {
        self.hz = self.hz.clamp(1, 500);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> String {
        let args: Vec<Text> = args.iter().map(|&arg| Text::from(arg)).collect();
        String::from_utf8(CommandLine::parse(&args).options).unwrap()
    }

    #[test]
    fn arguments_become_lines() {
        for (args, expected) in [
            (&["--port", "7000"][..], "port \"7000\" "),
            (
                &["a.conf", "--port", "7000", "--save", ""],
                "port \"7000\" \nsave \"\" ",
            ),
            (&["--port 6380", "--hz", "10"], "port 6380 \nhz \"10\" "),
            (&["--save", "--port", "1"], "save \"\"\nport \"1\" "),
            (&["--port", "1", "--save"], "port \"1\" \nsave \"\""),
            (&["--sentinel", "--port", "1"], "sentinel \nport \"1\" "),
            (
                &["--port", "--loglevel", "verbose"],
                "port \"--loglevel\" \"verbose\" ",
            ),
            (
                &["--logfile", "--odd", "--hz", "5"],
                "logfile \"--odd\" \nhz \"5\" ",
            ),
            (
                &["a.conf", "loglevel", "verbose"],
                "\"loglevel\" \"verbose\" ",
            ),
            (&["--bind", "a", "b", "-"], "bind \"a\" \"b\" "),
            (&["--x \"y"], "x \"y "),
        ] {
            assert_eq!(options(args), expected, "{args:?}");
        }
    }

    #[test]
    fn file_stdin_and_sentinel_are_recognised() {
        let parse = |args: &[&str]| {
            CommandLine::parse(&args.iter().map(|&arg| Text::from(arg)).collect::<Vec<_>>())
        };
        assert_eq!(parse(&["a.conf"]).config_file, Some("a.conf".into()));
        assert_eq!(parse(&["--port", "1"]).config_file, None);
        assert!(parse(&["-", "--port", "1"]).from_stdin);
        assert!(parse(&["a.conf", "-"]).from_stdin);
        assert!(!parse(&["a.conf", "-", "--port", "1"]).from_stdin);
        assert!(parse(&["a.conf", "--sentinel"]).sentinel);
    }
}
