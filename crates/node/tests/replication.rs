//! Replication between whole nodes over model connections.
mod support;
use support::network::Network;

#[test]
fn a_replica_gets_everything_and_then_follows() {
    let mut net = Network::new(1);
    let (a, b) = (net.add(|_| {}), net.add(|_| {}));
    net.ok(a, "SET key value");
    net.follow(b, a);
    net.until_in_sync(b, a);
    net.ok(a, "SET key other");
    net.until_in_sync(b, a);
    assert_eq!(net.ask(b, "GET key"), "$5 other");
}

#[test]
fn what_a_transaction_wrote_around_replicaof_is_history() {
    for appends in [false, true] {
        let mut net = Network::new(1);
        let (a, b) = (net.add(move |c| c.appendonly = appends), net.add(|_| {}));
        net.follow(b, a);
        net.until_in_sync(b, a);
        net.run_ms(2000);
        let before = net.position(a);
        let client = net.node(a).client();
        for words in [
            &["MULTI"][..],
            &["INCR", "one"],
            &["REPLICAOF", "10.0.0.2", "7001"],
            &["INCR", "two"],
            &["EXEC"],
        ] {
            net.node(a).send(client, words);
        }
        net.turn(a);
        println!("{}", net.node(a).received(client));
        println!("{before:?} {:?}", net.position(a));
        println!("{}", net.log(a));
    }
}
