//! Client libraries that people use, against our server: redis-py and redis-rs, RESP2 and RESP3.

use redis::{Commands, RedisResult};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use testkit::{DEADLINE, Options, Server, peer, poll_until};

#[test]
fn redis_py_works_in_both_protocols() {
    let Some(python) = peer::python_with_redis() else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/smoke.py");
    let server = Server::start(&Options::redan());
    for protocol in ["2", "3"] {
        let port = server.port().to_string();
        let output = Command::new(&python)
            .arg(&script)
            .args([&port, protocol])
            .output();
        let output = output.expect("python runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "RESP{protocol}: {error}");
        assert_eq!(output.stdout, b"ok\n");
    }
}

#[test]
fn redis_rs_works_in_both_protocols() {
    let server = Server::start(&Options::redan());
    for protocol in ["resp2", "resp3"] {
        let url = format!("redis://127.0.0.1:{}/?protocol={protocol}", server.port());
        let client = redis::Client::open(url).expect("a valid address");
        smoke(&client).unwrap_or_else(|e| panic!("{protocol}: {e}"));
    }
}

fn smoke(client: &redis::Client) -> RedisResult<()> {
    let mut c = client.get_connection()?;
    redis::cmd("FLUSHALL").exec(&mut c)?;
    c.set_ex::<_, _, ()>("s", "v", 100)?;
    assert_eq!(c.get::<_, String>("s")?, "v");
    assert_eq!(c.incr::<_, _, i64>("n", 5)?, 5);
    c.rpush::<_, _, ()>("l", &["a", "b"])?;
    assert_eq!(c.lrange::<_, Vec<String>>("l", 0, -1)?, ["a", "b"]);
    c.hset_multiple::<_, _, _, ()>("h", &[("a", 1), ("b", 2)])?;
    let fields: HashMap<String, i64> = c.hgetall("h")?;
    assert_eq!(
        fields,
        HashMap::from([("a".to_string(), 1), ("b".to_string(), 2)])
    );
    c.zadd::<_, _, _, ()>("z", "m", 1.5)?;
    assert_eq!(c.zscore::<_, _, f64>("z", "m")?, 1.5);
    assert_eq!(c.get::<_, Option<String>>("none")?, None);
    let error = c
        .lpush::<_, _, ()>("s", "x")
        .expect_err("a string is no list");
    assert_eq!(error.code(), Some("WRONGTYPE"));

    let mut pipeline = redis::pipe();
    for i in 0..1000 {
        pipeline.set(format!("k{i}"), i).ignore();
    }
    pipeline.exec(&mut c)?;
    let (five, six): (i64, i64) = redis::pipe().atomic().get("n").incr("n", 1).query(&mut c)?;
    assert_eq!((five, six), (5, 6));

    let mut waiting = client.get_connection()?;
    let popped = std::thread::scope(|scope| {
        let popped = scope.spawn(move || waiting.blpop::<_, (String, String)>("queue", 20.0));
        poll_until(DEADLINE, "the client is blocked", || {
            let info: String = redis::cmd("INFO")
                .arg("clients")
                .query(&mut c)
                .unwrap_or_default();
            info.contains("blocked_clients:1")
        });
        c.rpush::<_, _, ()>("queue", "job")?;
        popped.join().expect("no panic")
    })?;
    assert_eq!(popped, ("queue".to_string(), "job".to_string()));

    let mut listening = client.get_connection()?;
    let mut subscriber = listening.as_pubsub();
    subscriber.subscribe("news")?;
    subscriber.psubscribe("n*")?;
    assert_eq!(c.publish::<_, _, i64>("news", "hello")?, 2);
    for _ in 0..2 {
        assert_eq!(subscriber.get_message()?.get_payload::<String>()?, "hello");
    }
    Ok(())
}
