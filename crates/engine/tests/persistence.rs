//! What concerns the disk: commands that ask the host, refusals, INFO.

mod support;

use config::ProtectedAction;
use engine::ReplyError;
use support::World;

fn world() -> World {
    World::with(|c| c.enable_debug_command = ProtectedAction::Yes)
}

#[test]
fn commands_pass_their_options_on() {
    let mut b = world();
    let c = b.client();
    b.say(c, "set a 1\n");
    assert_eq!(b.say(c, "save\nlastsave\n"), "+OK :1700000000");
    assert!(
        b.say(c, "info persistence\n")
            .contains("rdb_changes_since_last_save:0 ")
    );
    assert_eq!(
        b.say(c, "bgsave\nbgsave schedule\nbgsave later\n"),
        "+Background saving started +Background saving started -ERR syntax error"
    );
    assert_eq!(
        b.say(c, "multi\nbgsave\nsave\n"),
        "+OK +QUEUED -ERR Command not allowed inside a transaction"
    );
    assert_eq!(
        b.say(c, "discard\nmulti\nbgsave\ndebug loadaof\nexec\n"),
        "+OK +OK +QUEUED +QUEUED *2 +Background saving started -ERR DEBUG LOADAOF is not allowed inside a transaction"
    );
    assert_eq!(
        b.say(
            c,
            "bgrewriteaof\ndebug reload\ndebug reload merge noflush nosave\ndebug reload fast\n"
        ),
        "+Background append only file rewriting started +OK +OK \
         -ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
    );
    assert_eq!(
        b.host.asked,
        [
            "save",
            "bgsave schedule=false in_exec=false",
            "bgsave schedule=true in_exec=false",
            "bgsave schedule=false in_exec=true",
            "rewrite_aof",
            "Rdb { save: true, flush: true, merge: false }",
            "Rdb { save: false, flush: false, merge: true }",
        ]
    );
}

#[test]
fn a_save_is_no_effect_although_it_sets_the_counter_of_changes_back() {
    let mut b = world();
    b.record();
    let c = b.client();
    b.say(c, "set a 1\nsave\nflushall\n");
    assert_eq!(b.effects(), ["set a 1", "flushall"]);
}

#[test]
fn writes_and_ping_are_refused_while_the_disk_fails() {
    let mut b = world();
    let c = b.client();
    b.say(c, "set a 1\n");
    b.engine.write_refusal = Some(ReplyError::new("MISCONF no"));
    assert_eq!(
        b.say(c, "set a 2\nping\nget a\necho x\n"),
        "-MISCONF no -MISCONF no $1 1 $1 x"
    );
    // As in Redis: what is queued is refused as it comes.
    assert_eq!(
        b.say(c, "multi\nset a 2\nexec\n"),
        "+OK -MISCONF no -EXECABORT Transaction discarded because of previous errors."
    );
    b.engine.write_refusal = None;
    b.say(c, "multi\nget a\nset a 2\n");
    b.engine.write_refusal = Some(ReplyError::new("MISCONF no"));
    assert_eq!(
        b.say(c, "exec\nget a\n"),
        "-EXECABORT Transaction discarded because of: MISCONF no $1 1"
    );
    b.say(c, "multi\nget a\n");
    assert_eq!(b.say(c, "exec\n"), "*1 $1 1");
}

#[test]
fn while_loading_only_what_needs_no_data_is_answered() {
    let mut b = world();
    b.engine.loading = true;
    let c = b.client();
    let loading = "-LOADING Redis is loading the dataset in memory";
    assert_eq!(b.say(c, "get a\nset a 1\nping\n"), [loading; 3].join(" "));
    assert!(b.say(c, "info persistence\n").starts_with('$'));
    assert_eq!(
        b.say(c, "multi\nget a\nexec\n"),
        format!("+OK {loading} -EXECABORT Transaction discarded because of previous errors.")
    );
    assert_eq!(b.say(c, "config set appendonly yes\n"), loading);
    assert_eq!(b.say(c, "config set hz 20\n"), "+OK");
    b.engine.loading = false;
    b.say(c, "multi\nget a\n");
    b.engine.loading = true;
    assert_eq!(
        b.say(c, "exec\n"),
        "-EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory"
    );
}

#[test]
fn emptying_the_data_set_spoils_transactions_and_is_no_effect() {
    let mut b = world();
    b.record();
    let c = b.client();
    b.say(c, "set a 1\nwatch a\nmulti\nping\n");
    b.effects();
    assert_eq!(b.engine.empty_data_set(&mut b.host), 1);
    assert_eq!(b.say(c, "exec\ndbsize\n"), "*-1 :0");
    assert!(b.effects().is_empty());
}

/// Forgets what a pass shows.
struct Nowhere;

impl keyspace::snapshot::Sink for Nowhere {
    fn entry(&mut self, _db: u32, _entry: keyspace::Entry<'_>) {}
    fn big_begin(&mut self, _db: u32, _header: keyspace::snapshot::BigHeader<'_>) {}
    fn big_piece(&mut self, _piece: keyspace::snapshot::Piece<'_>) {}
    fn big_end(&mut self) {}
}

#[test]
fn tables_that_emptied_during_a_snapshot_shrink_afterwards() {
    let mut world = world();
    let client = world.client();
    world.say(client, "debug populate 20000\n");
    let pass = world.engine.keyspace.begin_pass(Box::new(Nowhere));
    for number in 0..19_990 {
        world.send(client, &format!("del key:{number}"));
    }
    world.end_turn();
    drop(world.engine.keyspace.end_pass(pass));
    let buckets = |world: &World| world.engine.keyspace.db(0).bucket_counts().0;
    let before = buckets(&world);
    for _ in 0..10 {
        world.wait_ms(100);
    }
    assert!(before > 2_000, "{before} buckets kept by the pass");
    assert!(
        buckets(&world) < 20,
        "{} buckets for 10 keys",
        buckets(&world)
    );
}
