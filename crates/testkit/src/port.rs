//! Free TCP ports for the servers that tests start.
//!
//! Ports come from a range below the one the kernel uses for outgoing connections, each handed out
//! once per process. A port counts as free if it can be bound now; another process may still take
//! it before our server does, so `Server::start` tries again with the next one when that happens.
//! `REDAN_TEST_PORTS=first-last` chooses another range, for machines where several people test.

use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

const RANGE: RangeInclusive<u16> = 11000..=19999;

pub fn free_port() -> u16 {
    static HANDED_OUT: AtomicUsize = AtomicUsize::new(0);
    let range = match std::env::var("REDAN_TEST_PORTS") {
        Ok(text) => parse_range(&text)
            .unwrap_or_else(|| panic!("REDAN_TEST_PORTS={text}: expected first-last")),
        Err(_) => RANGE,
    };
    // Test programs that run at the same time start at different places of the range.
    let offset = std::process::id() as usize * 97;
    for _ in 0..range.len() {
        let index = (offset + HANDED_OUT.fetch_add(1, Ordering::Relaxed)) % range.len();
        let port = range.start() + index as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {} to {}", range.start(), range.end());
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let range = first.parse().ok()?..=last.parse().ok()?;
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_two_in_a_row_differ() {
        let (first, second) = (free_port(), free_port());
        assert_ne!(first, second);
        assert!(TcpListener::bind(("127.0.0.1", first)).is_ok());
    }

    #[test]
    fn ranges_are_parsed_or_refused() {
        assert_eq!(parse_range("7000-7009"), Some(7000..=7009));
        for text in ["7000", "7009-7000", "a-b", "1-99999"] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }
}
