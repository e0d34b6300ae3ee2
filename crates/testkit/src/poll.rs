//! Waiting for a condition with a deadline: the only wait in the project's tests.
//!
//! Polling often with a generous deadline is both fast when things go well and patient on a slow
//! machine; a fixed sleep is neither. Tests at the bottom.

use std::time::{Duration, Instant};

/// Long enough for the slowest machine, so that only a real failure meets it.
pub const DEADLINE: Duration = Duration::from_secs(20);

const INTERVAL: Duration = Duration::from_millis(2);

/// Returns once `condition` holds; panics saying `what` did not come about if it never does.
pub fn poll_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    poll_for(deadline, what, || condition().then_some(()));
}

/// As `poll_until`, for a condition that yields something.
pub fn poll_for<T>(deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            start.elapsed() < deadline,
            "waited {deadline:?} in vain until {what}"
        );
        std::thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_ends_as_soon_as_the_condition_holds() {
        let mut attempts = 0;
        poll_until(DEADLINE, "three attempts were made", || {
            attempts += 1;
            attempts == 3
        });
        assert_eq!(attempts, 3);
        assert_eq!(poll_for(DEADLINE, "a value came", || Some(7)), 7);
    }

    #[test]
    fn a_condition_that_never_holds_is_named() {
        let outcome = std::panic::catch_unwind(|| {
            poll_until(Duration::from_millis(5), "pigs fly", || false);
        });
        let message = *outcome.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(message, "waited 5ms in vain until pigs fly");
    }
}
