//! Where a socket is bound or who is at its other end, and how that is written.
//!
//! The text is the one Redis puts into its client list: `127.0.0.1:6379`, `[::1]:6379`, and for a
//! Unix socket the path with a port of 0, at both ends, because the client's end has no name.
//! IPv6 zones are left out, as `inet_ntop` does.
//!
//! Tests are at the bottom.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One end of a connection. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Address {
    Tcp(SocketAddr),
    /// The path the listener is bound to.
    Unix(Arc<str>),
}

impl Address {
    /// Whether the peer is on this machine: the loopback networks and Unix sockets.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Unix(_) => true,
            Address::Tcp(address) => match address.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => {
                    ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
                }
            },
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Address::Unix(_) => 0,
            Address::Tcp(address) => address.port(),
        }
    }

    /// Reads what `getsockname` or `getpeername` gave.
    pub(crate) fn from_socket(address: &socket2::SockAddr) -> Option<Address> {
        if let Some(address) = address.as_socket() {
            return Some(Address::Tcp(address));
        }
        let path = address.as_pathname()?;
        Some(Address::Unix(path.to_string_lossy().into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "{path}:0"),
            Address::Tcp(SocketAddr::V4(address)) => write!(f, "{address}"),
            Address::Tcp(SocketAddr::V6(address)) => {
                write!(f, "[{}]:{}", address.ip(), address.port())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> Address {
        Address::Tcp(text.parse().expect("a valid address"))
    }

    #[test]
    fn addresses_are_written_as_redis_writes_them() {
        assert_eq!(tcp("127.0.0.1:6379").to_string(), "127.0.0.1:6379");
        assert_eq!(tcp("[::1]:6379").to_string(), "[::1]:6379");
        assert_eq!(tcp("[fe80::1%3]:6379").to_string(), "[fe80::1]:6379");
        assert_eq!(
            Address::Unix("/run/a.sock".into()).to_string(),
            "/run/a.sock:0"
        );
    }

    #[test]
    fn only_loopback_and_unix_peers_are_local() {
        for local in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(tcp(local).is_local(), "{local}");
        }
        for remote in ["10.0.0.1:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!tcp(remote).is_local(), "{remote}");
        }
        assert!(Address::Unix("x".into()).is_local());
    }
}
