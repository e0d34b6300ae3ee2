//! Playing transcripts against a real redis-server: what agrees, and how a difference is told.

use testkit::{Options, Server, transcript};

#[test]
fn a_true_transcript_plays_without_differences() {
    let Some(options) = Options::reference() else {
        return;
    };
    let server = Server::start(&options);
    transcript::check(
        &server,
        "notation.txt",
        include_str!("testdata/notation.txt"),
    );
}

#[test]
fn differences_are_told_with_line_command_and_both_replies() {
    let Some(options) = Options::reference() else {
        return;
    };
    let server = Server::start(&options);
    let text = "> SET a 1\n< OK\n> INCR a\n< 3\n> GET a\n< \"3\"\n";
    assert_eq!(
        transcript::differences(&server, "wrong.txt", text),
        [
            "wrong.txt:4: > INCR a\n  expected 3\n  got      2",
            "wrong.txt:6: > GET a\n  expected \"3\"\n  got      \"2\"",
        ]
    );
}
