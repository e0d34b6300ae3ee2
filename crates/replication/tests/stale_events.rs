//! What a driver reports about an attempt that is over changes nothing, in whatever order it comes.

use replication::{Action, Attempt, Cause, Config, Replication};

fn connect(machine: &mut Replication) -> Attempt {
    let mut attempt = None;
    while let Some(action) = machine.poll_action() {
        if let Action::Connect { attempt: new, .. } = action {
            attempt = Some(new);
        }
    }
    attempt.expect("a new attempt")
}

#[test]
fn events_of_an_attempt_that_is_over_are_ignored() {
    let mut machine = Replication::new(Config::default(), 1);
    machine.replicate(1, "a", 1, Cause::Command);
    let old = connect(&mut machine);
    machine.connected(1, old);
    machine.replicate(2, "b", 2, Cause::Command);
    let new = connect(&mut machine);
    assert_ne!(old, new);
    let before = machine.info(3);
    machine.connected(3, old);
    machine.connection_lost(3, old, "gone");
    let mut input = &b"+PONG\r\n"[..];
    assert_eq!(machine.read(3, old, &mut input), None);
    assert_eq!(input.len(), 7);
    assert_eq!(machine.poll_action(), None);
    assert_eq!(machine.info(3), before);
    machine.connected(3, new);
    assert!(machine.poll_action().is_some());
    machine.promote(4);
    while machine.poll_action().is_some() {}
    machine.connected(5, new);
    machine.connection_lost(5, new, "gone");
    assert_eq!(machine.read(5, new, &mut input), None);
    machine.load_done(5);
    assert_eq!(machine.poll_action(), None);
}
