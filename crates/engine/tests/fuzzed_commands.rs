//! The command layer under a fixed number of fuzzed cases; `examples/fuzz_commands.rs` runs more.

mod fuzz;
mod support;

#[test]
fn random_requests_on_many_sessions_are_answered_once_and_keep_the_books_balanced() {
    let sent: u64 = (0..40).map(|n| fuzz::chaos::run(4 * n + 1)).sum();
    assert!(sent > 20_000);
}

#[test]
fn random_requests_on_one_session_get_the_replies_of_a_plain_model() {
    let sent: u64 = (0..40).map(|n| fuzz::model::run(4 * n)).sum();
    assert!(sent > 20_000);
}
