//! Which arguments of a command must not be shown: passwords, and options that hold some.

use crate::ctx::Args;
use commands::CommandId;

/// What stands in their place.
pub(super) const REDACTED: &[u8] = b"(redacted)";

/// Whether the argument at `index` is a secret.
pub(super) fn is_secret(id: CommandId, args: Args<'_>, index: usize) -> bool {
    match id {
        CommandId::Auth => index > 0,
        CommandId::Hello => in_hello_auth(args, index),
        // Name and value alternate from the third argument on.
        CommandId::ConfigSet => {
            index >= 3 && index % 2 == 1 && config::is_sensitive(args[index - 1])
        }
        _ => false,
    }
}

/// HELLO <version> … AUTH <user> <password> …
fn in_hello_auth(args: Args<'_>, index: usize) -> bool {
    let is_auth = |at: usize| {
        at >= 2
            && args
                .get(at)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"auth"))
    };
    index >= 3 && is_auth(index - 1) || index >= 4 && is_auth(index - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: CommandId, line: &str) -> String {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let words: Vec<&str> = line
            .split(' ')
            .enumerate()
            .map(|(i, word)| if is_secret(id, &args, i) { "*" } else { word })
            .collect();
        words.join(" ")
    }

    #[test]
    fn passwords_are_secrets() {
        assert_eq!(shown(CommandId::Auth, "auth user pw"), "auth * *");
        assert_eq!(
            shown(CommandId::Hello, "hello 3 AUTH me pw setname x"),
            "hello 3 AUTH * * setname x"
        );
        assert_eq!(shown(CommandId::Hello, "hello"), "hello");
        let line = "config set requirepass a maxmemory 1 masterauth b";
        assert_eq!(
            shown(CommandId::ConfigSet, line),
            "config set requirepass * maxmemory 1 masterauth *"
        );
        assert_eq!(
            shown(CommandId::Set, "set requirepass a"),
            "set requirepass a"
        );
    }
}
