"""Writes through redis-py's Sentinel client while the primary dies, and says what was acknowledged.

usage: sentinel_writer.py NAME PASSWORD SENTINEL_PORT...
On standard output, a line each: "ok N" after the Nth acknowledged write, "safe N" when all replicas
had it too, "error TEXT" when a write failed. Ends when standard input is closed; the last line is
"end N".
"""

import sys
import threading
import time

import redis
from redis.sentinel import Sentinel


def main():
    name, password = sys.argv[1:3]
    sentinels = [("127.0.0.1", int(port)) for port in sys.argv[3:]]
    sentinel = Sentinel(sentinels, socket_timeout=0.5)
    primary = sentinel.master_for(name, socket_timeout=0.5, password=password)
    is_over = threading.Event()
    threading.Thread(target=wait_for_the_end, args=[is_over], daemon=True).start()
    count = 0
    while not is_over.is_set():
        try:
            primary.set(f"key:{count}", count)
            primary.rpush("written", count)
            say("ok", count)
            if count % 20 == 0 and primary.wait(2, 200) >= 2:
                say("safe", count)
            count += 1
        except redis.RedisError as error:
            say("error", f"{type(error).__name__}: {error}")
            # The same write is tried again, as an application would.
            time.sleep(0.05)
    say("end", count)


def wait_for_the_end(is_over):
    sys.stdin.read()
    is_over.set()


def say(*words):
    print(*words, flush=True)


main()
