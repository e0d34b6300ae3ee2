//! Command-line options: `--name value` and `--name`, each taken once, anything left refused.

use anyhow::{Context, Result, bail};
use std::fmt::Display;
use std::str::FromStr;

pub struct Arguments {
    words: Vec<String>,
    /// What follows `--`.
    trailing: Vec<String>,
}

impl Arguments {
    pub fn new(mut words: Vec<String>) -> Arguments {
        let trailing = match words.iter().position(|word| word == "--") {
            Some(index) => words.split_off(index).split_off(1),
            None => Vec::new(),
        };
        Arguments { words, trailing }
    }

    /// Takes `name` and its value out.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(index) = self.words.iter().position(|word| word == name) else {
            return Ok(None);
        };
        if index + 1 >= self.words.len() {
            bail!("{name} needs a value");
        }
        self.words.remove(index);
        Ok(Some(self.words.remove(index)))
    }

    /// Takes `name` and its value out, or gives the default.
    pub fn value<T>(&mut self, name: &str, default: T) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    pub fn optional<T>(&mut self, name: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => bail!("{name} {text}: {error}"),
        }
    }

    pub fn flag(&mut self, name: &str) -> bool {
        let index = self.words.iter().position(|word| word == name);
        index.map(|index| self.words.remove(index)).is_some()
    }

    pub fn trailing(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trailing)
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<()> {
        if let Some(word) = self.words.first().or(self.trailing.first()) {
            bail!("unknown argument {word:?}; `bench help` lists them");
        }
        Ok(())
    }
}

/// The value of a list option such as `--only get-p1,set-p1`.
pub fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A number of seconds as a duration, refusing what is none.
pub fn seconds(value: f64) -> Result<std::time::Duration> {
    std::time::Duration::try_from_secs_f64(value).with_context(|| format!("{value} seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments::new(text.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn options_are_taken_and_the_rest_is_refused() {
        let mut arguments = arguments("--port 17 --quick --what -- GET x");
        assert_eq!(arguments.value("--port", 1u16).unwrap(), 17);
        assert_eq!(arguments.value("--rounds", 3u32).unwrap(), 3);
        assert!(arguments.flag("--quick"));
        assert_eq!(arguments.trailing(), ["GET", "x"]);
        assert!(arguments.finish().is_err());
    }

    #[test]
    fn bad_values_are_refused() {
        assert!(arguments("--port x").value("--port", 1u16).is_err());
        assert!(arguments("--port").value("--port", 1u16).is_err());
        assert!(seconds(-1.0).is_err());
    }
}
