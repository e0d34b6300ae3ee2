//! Validity rules of single string options beyond their type, with Redis's error texts.
//!
//! Each is pure: rules that need the system (can the file be opened, is the port free) belong to
//! whoever applies the change. Tests below and, against the texts of Redis 7.0, tests/set.rs.

/// A rule: `Err` carries the text that follows "CONFIG SET failed (…) - ".
pub type Check = fn(&[u8]) -> Result<(), &'static str>;

fn file_name(value: &[u8], empty: &'static str, path: &'static str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err(empty);
    }
    if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(path);
    }
    Ok(())
}

pub fn dbfilename(value: &[u8]) -> Result<(), &'static str> {
    file_name(
        value,
        "dbfilename can't be empty",
        "dbfilename can't be a path, just a filename",
    )
}

pub fn appendfilename(value: &[u8]) -> Result<(), &'static str> {
    file_name(
        value,
        "appendfilename can't be empty",
        "appendfilename can't be a path, just a filename",
    )
}

pub fn appenddirname(value: &[u8]) -> Result<(), &'static str> {
    file_name(
        value,
        "appenddirname can't be empty",
        "appenddirname can't be a path, just a dirname",
    )
}

pub fn cluster_config_file(value: &[u8]) -> Result<(), &'static str> {
    if value.is_empty() {
        Err("cluster-config-file can't be empty")
    } else {
        Ok(())
    }
}

pub fn dir(value: &[u8]) -> Result<(), &'static str> {
    if value.is_empty() {
        Err("dir can't be empty")
    } else {
        Ok(())
    }
}

pub fn hostname(value: &[u8]) -> Result<(), &'static str> {
    if value.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if !value
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    Ok(())
}

/// Characters that would break nodes.conf's `key=value,key=value` fields.
pub fn node_name(value: &[u8]) -> Result<(), &'static str> {
    if value
        .iter()
        .any(|byte| b"!#$%&()*+;<>?@[]^{|}~".contains(byte))
    {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

pub fn ipv4(value: &[u8]) -> Result<(), &'static str> {
    address::<core::net::Ipv4Addr>(value).ok_or("Invalid IPv4 address")
}

pub fn ipv6(value: &[u8]) -> Result<(), &'static str> {
    address::<core::net::Ipv6Addr>(value).ok_or("Invalid IPv6 address")
}

fn address<A: std::str::FromStr>(value: &[u8]) -> Option<()> {
    if value.is_empty() {
        return Some(());
    }
    std::str::from_utf8(value)
        .ok()?
        .parse::<A>()
        .ok()
        .map(|_| ())
}

/// `{variable}` and `{{` for a brace. What expands to nothing is refused, and while a template is
/// being checked `{title}` does, in Redis too: `{title}` alone is refused.
pub fn proc_title_template(value: &[u8]) -> Result<(), &'static str> {
    const VARIABLES: [&[u8]; 7] = [
        b"title",
        b"listen-addr",
        b"server-mode",
        b"port",
        b"tls-port",
        b"unixsocket",
        b"config-file",
    ];
    const INVALID: &str = "template format is invalid or contains unknown variables";
    let mut rest = value;
    let mut blank = true;
    while let Some(open) = rest.iter().position(|&byte| byte == b'{') {
        blank &= rest[..open].iter().all(|&byte| byte == b' ');
        rest = &rest[open + 1..];
        if let [b'{', after @ ..] = rest {
            rest = after;
            blank = false;
            continue;
        }
        let close = rest.iter().position(|&byte| byte == b'}').ok_or(INVALID)?;
        let variable = &rest[..close];
        if !VARIABLES.contains(&variable) {
            return Err(INVALID);
        }
        blank &= variable == b"title";
        rest = &rest[close + 1..];
    }
    if blank && rest.iter().all(|&byte| byte == b' ') {
        Err(INVALID)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_templates_know_their_variables() {
        for (template, valid) in [
            ("{title} {listen-addr} {server-mode}", true),
            ("plain", true),
            ("{{literal}", true),
            ("{{", true),
            ("{title}", false),
            (" {title} ", false),
            ("{title}:{port}", true),
            ("{title} x", true),
            ("", false),
            ("  ", false),
            ("{", false),
            ("{title", false),
            ("{nothing}", false),
        ] {
            assert_eq!(
                proc_title_template(template.as_bytes()).is_ok(),
                valid,
                "{template}"
            );
        }
    }

    #[test]
    fn announced_addresses_are_addresses_or_empty() {
        assert!(ipv4(b"").is_ok() && ipv4(b"10.0.0.1").is_ok() && ipv4(b"::1").is_err());
        assert!(ipv6(b"").is_ok() && ipv6(b"::1").is_ok() && ipv6(b"10.0.0.1").is_err());
    }
}
