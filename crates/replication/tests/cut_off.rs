//! At default settings a replica that is cut off for ten seconds under 20,000 writes a second goes on
//! where it left off; and what is kept for it does not outgrow the budget, nor outlive its time.

use replication::{Action, Config, LinkId, Replication, SnapshotId};

const WRITE_BYTES: usize = 120;
const WRITES_PER_MS: usize = 20;

struct Primary {
    machine: Replication,
    now_ms: u64,
}

impl Primary {
    /// With one replica online on link 1.
    fn with_replica(config: Config) -> Primary {
        let machine = Replication::new(config, 1);
        let mut primary = Primary { machine, now_ms: 1 };
        let result = primary.come(1, "?", "-1");
        assert_eq!(result, Ok(()));
        primary.pass(6_000);
        let id = SnapshotId(1);
        primary.machine.snapshot_started(primary.now_ms, id);
        primary.machine.snapshot_finished(primary.now_ms, id);
        primary.send(1);
        primary.ack(1);
        primary
    }

    fn come(&mut self, link: u64, id: &str, wanted: &str) -> Result<(), String> {
        let link = LinkId(link);
        let known: [&[u8]; 6] = [
            b"listening-port",
            b"7001",
            b"capa",
            b"eof",
            b"capa",
            b"psync2",
        ];
        self.machine
            .replconf(self.now_ms, link, "10.0.0.1", &known)?;
        let args: [&[u8]; 3] = [b"PSYNC", id.as_bytes(), wanted.as_bytes()];
        self.machine
            .sync(self.now_ms, link, "10.0.0.1", "", &args, false)
    }

    fn ack(&mut self, link: u64) {
        let offset = self.machine.offset().to_string();
        let args: [&[u8]; 2] = [b"ACK", offset.as_bytes()];
        let reply = self
            .machine
            .replconf(self.now_ms, LinkId(link), "10.0.0.1", &args);
        assert!(reply.is_ok());
    }

    /// Sends all there is for a link, and says how much that was.
    fn send(&mut self, link: u64) -> usize {
        let mut sent = 0;
        loop {
            let len = self.machine.output(LinkId(link)).len();
            if len == 0 {
                return sent;
            }
            self.machine.written(self.now_ms, LinkId(link), len);
            sent += len;
        }
    }

    fn pass(&mut self, duration_ms: u64) {
        let end_ms = self.now_ms + duration_ms;
        while self.now_ms < end_ms {
            self.now_ms += 10;
            self.machine.handle_timeout(self.now_ms);
            self.machine.end_of_turn(self.now_ms);
            while self.machine.poll_action().is_some() {}
        }
    }

    fn write_for(&mut self, duration_ms: u64) {
        let end_ms = self.now_ms + duration_ms;
        while self.now_ms < end_ms {
            self.machine
                .append(&vec![b'w'; WRITE_BYTES * WRITES_PER_MS * 10]);
            self.pass(10);
        }
    }

    fn wants_snapshot(&mut self) -> bool {
        self.pass(6_000);
        self.machine.info(self.now_ms).contains("state=wait_bgsave")
    }
}

#[test]
fn ten_seconds_away_cost_no_full_synchronization() {
    let mut primary = Primary::with_replica(Config::default());
    primary.write_for(1_000);
    primary.send(1);
    primary.ack(1);
    let (id, wanted) = (primary.machine.id(), primary.machine.offset().wanted());
    primary.machine.link_closed(primary.now_ms, LinkId(1));
    let before = primary.machine.offset();
    primary.write_for(10_000);
    let missed = primary.machine.offset().bytes_since(before) as usize;
    assert!(missed > 20_000_000);
    assert_eq!(primary.come(2, id.as_str(), &wanted.to_string()), Ok(()));
    primary.machine.end_of_turn(primary.now_ms);
    let limits = |action: &Action| matches!(action, Action::CloseLink { .. });
    assert!(!std::iter::from_fn(|| primary.machine.poll_action()).any(|a| limits(&a)));
    assert!(primary.send(2) > missed);
    assert!(!primary.wants_snapshot());
    // What nobody needs any more goes.
    primary.ack(2);
    primary.pass(2_000);
    assert!(primary.machine.backlog_memory_bytes() < 2 * 1024 * 1024);
}

#[test]
fn history_for_the_absent_keeps_within_its_budget_and_its_time() {
    const MIB: usize = 1024 * 1024;
    let config = Config {
        backlog_budget_bytes: 8 * MIB as u64,
        ..Config::default()
    };
    let mut primary = Primary::with_replica(config);
    let (id, wanted) = (primary.machine.id(), primary.machine.offset().wanted());
    primary.machine.link_closed(primary.now_ms, LinkId(1));
    primary.write_for(3_000);
    assert!(primary.machine.backlog_memory_bytes() > 6 * MIB);
    primary.write_for(7_000);
    assert!(primary.machine.backlog_memory_bytes() < 9 * MIB);
    assert_eq!(primary.come(2, id.as_str(), &wanted.to_string()), Ok(()));
    assert!(primary.wants_snapshot());

    let mut primary = Primary::with_replica(Config::default());
    primary.machine.link_closed(primary.now_ms, LinkId(1));
    primary.write_for(3_000);
    assert!(primary.machine.backlog_memory_bytes() > 6 * MIB);
    primary.pass(130_000);
    assert!(primary.machine.backlog_memory_bytes() < 2 * MIB);
}

/// Both of one process: the older one, whose death nobody has noticed, is all that keeps the history
/// that the newer one asks for.
#[test]
fn a_replica_that_is_back_before_its_old_link_is_gone_goes_on_from_there() {
    let mut primary = Primary::with_replica(Config {
        backlog_size_bytes: 16 << 10,
        backlog_budget_bytes: 0,
        ..Config::default()
    });
    let (id, wanted) = (primary.machine.id(), primary.machine.offset().wanted());
    let run_id: [&[u8]; 2] = [b"capa", b"redan-run-id=f00d"];
    for link in [1, 2] {
        let reply = primary
            .machine
            .replconf(primary.now_ms, LinkId(link), "10.0.0.1", &run_id);
        assert!(reply.is_ok());
    }
    primary.write_for(100);
    assert_eq!(primary.come(2, id.as_str(), &wanted.to_string()), Ok(()));
    let is_old = |action| matches!(action, Action::CloseLink { link, .. } if link == LinkId(1));
    assert!(std::iter::from_fn(|| primary.machine.poll_action()).any(is_old));
    assert!(primary.send(2) > 100 * WRITES_PER_MS * WRITE_BYTES);
    assert!(!primary.wants_snapshot());
}
