"""python3-etcd3gw, the JSON gateway: key-value, transactions, watches, leases, locks."""
import base64
import sys
import time

import etcd3gw

from checks import Background, equal, eventually, true


def client(port):
    """With a third argument, the file of an authority: over TLS."""
    secure = {"protocol": "https", "ca_cert": sys.argv[2]} if len(sys.argv) > 2 else {}
    return etcd3gw.Etcd3Client(host="127.0.0.1", port=port, api_path="/v3/", timeout=10, **secure)


def text(value):
    return base64.b64encode(value.encode()).decode()


def keys_and_values(c):
    equal(c.get("missing"), [], "a missing key")
    true(c.put("a/1", "one"), "put")
    true(c.put("a/2", b"two"), "put of bytes")
    equal(c.get("a/1"), [b"one"], "get")
    got = c.get("a/1", metadata=True)
    equal(got[0][1]["version"], "1", "a number in quotes")
    equal([value for value, _ in c.get_prefix("a/", sort_order="descend")], [b"two", b"one"], "a prefix, backwards")
    true(c.create("a/3", "x"), "create")
    true(not c.create("a/3", "y"), "create of what is there")
    true(c.replace("a/3", "x", "z"), "replace")
    true(not c.replace("a/3", "x", "z"), "replace of another value")
    true(c.delete("a/3"), "delete")
    true(not c.delete("a/3"), "delete of what is gone")
    true(c.delete_prefix("a/"), "delete of a prefix")


def transactions(c):
    c.put("t", "1")
    answer = c.transaction({
        "compare": [{"key": text("t"), "result": "EQUAL", "target": "VALUE", "value": text("1")}],
        "success": [{"request_put": {"key": text("t"), "value": text("2")}}],
        "failure": []})
    true(answer["succeeded"], "the transaction's condition")
    equal(c.get("t"), [b"2"], "what it put")


def watches(c):
    events, cancel = c.watch("w")
    seen = Background(lambda: [next(events) for _ in range(2)])
    time.sleep(0.3)
    c.put("w", "x")
    c.delete("w")
    got = seen.end("two events")
    equal([event.get("type", "PUT") for event in got], ["PUT", "DELETE"], "kinds of events")
    equal(got[0]["kv"]["value"], b"x", "the value of an event")
    cancel()
    once = Background(lambda: c.watch_once("w2", timeout=8))
    time.sleep(0.3)
    c.put("w2", "y")
    equal(once.end("one event")["kv"]["value"], b"y", "watch_once")


def leases(c):
    lease = c.lease(ttl=30)
    c.put("l", "x", lease=lease)
    true(0 < lease.ttl() <= 30, "the time left")
    equal([bytes(key) for key in lease.keys()], [b"l"], "the lease's keys")
    equal(lease.refresh(), 30, "a renewal")
    true(lease.revoke(), "revoke")
    equal(c.get("l"), [], "a key whose lease was revoked")
    c.put("l", "x", lease=c.lease(ttl=2))
    eventually(lambda: c.get("l") == [], "the end of a lease")


def locks(c, port):
    first, second = c.lock(id="door", ttl=20), client(port).lock(id="door", ttl=20)
    true(first.acquire(), "a free lock")
    true(first.is_acquired(), "the lock's state")
    true(not second.acquire(), "a lock that another has")
    true(first.release(), "release")
    true(second.acquire(), "the lock after its release")
    second.release()


def elections(c):
    """The library has none: the paths themselves."""
    lease = c.lease(ttl=30)
    won = c.post(c.get_url("/election/campaign"), json={"name": text("e"), "lease": lease.id, "value": text("me")})
    leader = c.post(c.get_url("/election/leader"), json={"name": text("e")})
    equal(base64.b64decode(leader["kv"]["value"]), b"me", "the leader")
    c.post(c.get_url("/election/proclaim"), json={"leader": won["leader"], "value": text("still me")})
    leader = c.post(c.get_url("/election/leader"), json={"name": text("e")})
    equal(base64.b64decode(leader["kv"]["value"]), b"still me", "what it proclaimed")
    c.post(c.get_url("/election/resign"), json={"leader": won["leader"]})
    locked = c.post(c.get_url("/lock/lock"), json={"name": text("l"), "lease": lease.id})
    c.post(c.get_url("/lock/unlock"), json={"key": locked["key"]})
    lease.revoke()


def main():
    port = int(sys.argv[1])
    c = client(port)
    true(int(c.status()["dbSize"]) > 0, "status")
    equal(len(list(c.members())), 1, "members")
    keys_and_values(c)
    transactions(c)
    watches(c)
    leases(c)
    locks(c, port)
    elections(c)
    print("ok")


if __name__ == "__main__":
    main()
