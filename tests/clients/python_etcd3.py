"""python3-etcd3, gRPC: key-value, transactions, watches, leases, locks, members."""
import sys
import time

import etcd3

from checks import Background, equal, eventually, true


def client(port):
    """With a third argument, the file of an authority: over TLS."""
    return etcd3.client(host="127.0.0.1", port=port, timeout=10, ca_cert=sys.argv[2] if len(sys.argv) > 2 else None)


def keys_and_values(c):
    equal(c.get("missing"), (None, None), "a missing key")
    c.put("a/1", "one")
    c.put("a/2", b"\x00\xff")
    value, meta = c.get("a/1")
    equal((value, meta.key, meta.version), (b"one", b"a/1", 1), "get")
    equal([v for v, _ in c.get_prefix("a/")], [b"one", b"\x00\xff"], "prefix")
    equal([m.key for _, m in c.get_prefix("a/", sort_order="descend")], [b"a/2", b"a/1"], "order")
    equal(c.put("a/1", "two", prev_kv=True).prev_kv.value, b"one", "previous value")
    true(c.replace("a/1", "two", "three"), "replace of the right value")
    true(not c.replace("a/1", "two", "four"), "replace of the wrong value")
    true(c.put_if_not_exists("a/3", "x"), "put if missing")
    true(not c.put_if_not_exists("a/3", "y"), "put if there")
    true(c.delete("a/3"), "delete")
    true(not c.delete("a/3"), "delete of what is gone")
    equal(c.delete_prefix("a/").deleted, 2, "delete of a prefix")


def transactions(c):
    c.put("t", "1")
    succeeded, answers = c.transaction(
        compare=[c.transactions.value("t") == "1", c.transactions.version("t") > 0],
        success=[c.transactions.put("t", "2"), c.transactions.get("t")],
        failure=[c.transactions.delete("t")])
    true(succeeded, "the transaction's condition")
    equal(answers[1][0][0], b"2", "a get that sees the put before it")
    succeeded, _ = c.transaction(compare=[c.transactions.value("t") == "1"], success=[],
                                 failure=[c.transactions.delete("t")])
    true(not succeeded, "a condition that does not hold")
    equal(c.get("t"), (None, None), "what the failing branch did")


def watches(c):
    events, cancel = c.watch_prefix("w/")
    seen = Background(lambda: [next(events) for _ in range(3)])
    time.sleep(0.2)
    c.put("w/1", "x")
    c.put("other", "y")
    c.put("w/2", "z")
    c.delete("w/1")
    got = seen.end("three events")
    equal([type(event).__name__ for event in got], ["PutEvent", "PutEvent", "DeleteEvent"], "kinds of events")
    equal([event.key for event in got], [b"w/1", b"w/2", b"w/1"], "keys of events")
    cancel()
    revision = c.get("w/2")[1].mod_revision
    events, cancel = c.watch("w/2", start_revision=revision)
    equal(next(events).value, b"z", "an event of the past")
    cancel()
    got = []
    watch_id = c.add_watch_callback("w/3", lambda answer: got.extend(answer.events))
    time.sleep(0.2)
    c.put("w/3", "v")
    eventually(lambda: got, "a callback")
    c.cancel_watch(watch_id)


def leases(c):
    lease = c.lease(30)
    c.put("l", "x", lease=lease)
    equal(lease.granted_ttl, 30, "the granted time")
    true(0 < lease.remaining_ttl <= 30, "the time left")
    equal(list(lease.keys), [b"l"], "the lease's keys")
    equal([answer.TTL for answer in lease.refresh()], [30], "a renewal")
    lease.revoke()
    equal(c.get("l"), (None, None), "a key whose lease was revoked")
    c.put("l", "x", lease=c.lease(2))
    eventually(lambda: c.get("l") == (None, None), "the end of a lease")


def locks(c, port):
    first, second = c.lock("door", ttl=20), client(port).lock("door", ttl=20)
    true(first.acquire(), "a free lock")
    true(first.is_acquired(), "the lock's state")
    true(not try_lock(second), "a lock that another has")
    true(first.release(), "release")
    eventually(lambda: try_lock(second), "the lock after its release")
    second.release()


def try_lock(lock):
    """Debian's tenacity calls what waits with fewer arguments than this library expects: the error
    comes after the attempt, in place of the wait for the next."""
    try:
        return lock.acquire(timeout=1)
    except TypeError:
        return False


def maintenance(c):
    true(c.status().db_size > 0, "status")
    members = list(c.members)
    equal(len(members), 1, "members")
    true(c.hash() >= 0, "hash")
    equal([alarm for alarm in c.list_alarms()], [], "alarms")
    c.compact(c.get("other")[1].mod_revision)
    c.defragment()


def main():
    port = int(sys.argv[1])
    c = client(port)
    keys_and_values(c)
    transactions(c)
    watches(c)
    leases(c)
    locks(c, port)
    maintenance(c)
    print("ok")


if __name__ == "__main__":
    main()
