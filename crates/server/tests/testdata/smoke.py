"""A broad smoke test with redis-py. Usage: smoke.py PORT PROTOCOL. Run by clients_real.rs."""

import sys
import threading

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def client(**options):
    return redis.Redis(port=port, protocol=protocol, decode_responses=True, **options)


r = client()
assert r.ping()
r.flushall()

# Every type once.
assert r.set("s", "v", ex=100) and r.get("s") == "v" and 0 < r.ttl("s") <= 100
assert r.incrby("n", 5) == 5 and r.incrbyfloat("f", 1.5) == 1.5
assert r.rpush("l", "a", "b", "c") == 3 and r.lrange("l", 0, -1) == ["a", "b", "c"]
assert r.hset("h", mapping={"a": "1", "b": "2"}) == 2 and r.hgetall("h") == {"a": "1", "b": "2"}
assert r.sadd("t", "x", "y") == 2 and r.smembers("t") == {"x", "y"}
assert r.zadd("z", {"one": 1, "two": 2.5}) == 2
assert [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)] == [("one", 1.0), ("two", 2.5)]
assert r.zscore("z", "two") == 2.5
assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
assert sorted(r.scan_iter()) == sorted(r.keys())
assert dict(r.hscan_iter("h")) == {"a": "1", "b": "2"}
assert r.type("z") == "zset" and r.object("encoding", "n") == "int"

# Pipelines, plain and transactional; WATCH.
with r.pipeline(transaction=False) as p:
    for i in range(1000):
        p.set(f"k{i}", i)
    assert all(p.execute())
with r.pipeline() as p:
    p.incr("n").incr("n").get("n")
    assert p.execute() == [6, 7, "7"]
with r.pipeline() as p:
    p.watch("n")
    client().set("n", 1)
    p.multi()
    p.incr("n")
    try:
        p.execute()
        raise AssertionError("WATCH did not notice")
    except redis.WatchError:
        pass
assert r.mget("k1", "k2", "none") == ["1", "2", None]

# Publish and subscribe.
subscriber = r.pubsub()
subscriber.subscribe("news")
subscriber.psubscribe("n*")
assert [subscriber.get_message(timeout=20)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
assert client().publish("news", "hello") == 2
messages = [subscriber.get_message(timeout=20) for _ in range(2)]
assert [(m["type"], m["channel"], m["data"]) for m in messages] == [
    ("message", "news", "hello"),
    ("pmessage", "news", "hello"),
]
subscriber.close()

# Blocking.
popped = []
waiter = threading.Thread(target=lambda: popped.append(client().blpop(["queue"], timeout=20)))
waiter.start()
while r.info("clients")["blocked_clients"] == 0:
    pass
r.rpush("queue", "job")
waiter.join()
assert tuple(popped[0]) == ("queue", "job")

# Errors, and what tools ask.
try:
    r.lpush("s", "x")
    raise AssertionError("no WRONGTYPE")
except redis.ResponseError as error:
    assert "WRONGTYPE" in str(error), error
assert r.info()["redis_version"].startswith("7.4.")
assert r.config_get("maxmemory") == {"maxmemory": "0"}
assert r.client_setname("smoke") and r.client_getname() == "smoke"
assert any(c["name"] == "smoke" for c in r.client_list())
assert r.command_count() > 100
assert r.execute_command("HELLO")
print("ok")
