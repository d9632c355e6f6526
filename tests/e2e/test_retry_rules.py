"""Nothing is done twice: what is tried again, and what is not."""
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, Closed, once


def two(rig, script, **more):
    """Two instances of one version with the same script."""
    a, b = rig.scripted("v1", "a", script), rig.scripted("v1", "b", script)
    s = rig.segued(service(pool("v1", [a, b], probe={
        "interval": "10s"}), **more))
    return a, b, s


def dies_first(kind):
    """The first request of all is not answered: the connection dies."""
    lock, n = threading.Lock(), []

    def script(conn):
        while (r := conn.request()) is not None:
            with lock:
                n.append(r)
                first = len(n) == 1
            if first:
                if kind == "reset":
                    conn.reset()
                elif kind == "half":
                    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"
                              b"\r\nhalf")
                elif kind == "head":
                    conn.send(b"HTTP/1.1 200 O")
                elif kind == "malformed":
                    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                              b"Content-Length: 2\r\n\r\nx")
                return
            conn.answer(b"ok")
    return script


# method, how the instance dies; tries that must have been, status
ROWS = [
    ("GET", "close", 2, 200),
    ("GET", "reset", 2, 200),
    ("HEAD", "reset", 2, 200),
    ("OPTIONS", "reset", 2, 200),
    ("POST", "close", 1, 502),
    ("POST", "reset", 1, 502),
    ("PUT", "reset", 1, 502),    # idempotent, but not safe
    ("DELETE", "reset", 1, 502),
    ("PATCH", "close", 1, 502),
    ("GET", "head", 1, 502),     # a byte of an answer came
    ("GET", "malformed", 1, 502),
]


@pytest.mark.parametrize("method,kind,tries,status", ROWS,
                         ids=[f"{r[0]}-{r[1]}" for r in ROWS])
def test_connection_dies(rig, method, kind, tries, status):
    a, b, s = two(rig, dies_first(kind))
    with Client(s.address) as c:
        c.ask("/x", method=method,
              body=None if method in ("GET", "HEAD", "OPTIONS") else b"body")
        answer = c.answer()
        assert answer.status == status
        seen = a.requests + b.requests
        assert len(seen) == tries, [r.line for r in seen]
        if tries == 2:
            assert len({id(i) for i in (a, b) if i.requests}) == 2, \
                "the second try went to the same instance"
        assert c.get("/y").status == 200  # the client's connection goes on
    retries = s.admin.status()["services"][0]["retries"]
    assert retries == tries - 1


def test_body_of_an_unsafe_one_that_waits(rig):
    """Refused connections: no byte has left, so even a post may go on."""
    a, b, s = two(rig, lambda conn: [conn.answer(b"ok") for _ in
                                     iter(conn.request, None)])
    a.deafen()
    for _ in range(8):
        with Client(s.address) as c:
            assert c.post("/x", body=b"z" * 50000).status == 200
    assert [r.body for r in b.requests] == [b"z" * 50000] * 8
    assert a.requests == []


def test_answer_cut_in_the_middle(rig):
    """The client must see that it is cut; nothing is sent again."""
    a, b, s = two(rig, dies_first("half"))
    with Client(s.address) as c:
        c.ask("/x")
        with pytest.raises((Closed, ConnectionError)):
            c.answer()
    assert len(a.requests + b.requests) == 1
    assert s.admin.status()["services"][0]["outcomes"]["instance_cut"] == 1


def test_stale_connection_is_found_before_use(rig):
    """An instance that closes idle connections after each answer without a
    word: posts that follow are not lost."""
    closed = threading.Semaphore(0)

    def script(conn):
        if conn.request() is not None:
            conn.answer(b"ok")
            conn.close()  # an idle connection of ours that is dead
            closed.release()

    a, b, s = two(rig, script)
    for i in range(20):
        with Client(s.address) as c:
            assert c.post("/x", body=str(i).encode()).status == 200
        # a post that crosses the close on its way is another matter
        assert closed.acquire(timeout=5)
    bodies = [r.body for r in a.requests + b.requests]
    assert sorted(bodies) == sorted(str(i).encode() for i in range(20))


@pytest.mark.parametrize("scope", ["pool", "instance"])
def test_kept_connections_of_a_dead_instance(rig, scope):
    """Several kept connections lead to an instance that has died: a safe
    request does not use its tries up on them."""
    def script(conn):
        i = conn.instance
        while (r := conn.request()) is not None:
            if r.target == "/held":
                i.release.wait(10)
            elif i.dead:
                conn.reset()
                return
            conn.answer(b"ok")

    a, b = rig.scripted("v1", "a", script), rig.scripted("v1", "b", script)
    for i in (a, b):
        i.release, i.dead = threading.Event(), False
    s = rig.segued(service(
        pool("v1", [a, b], probe={"interval": "10s"},
             keepalive={"idle": "60s"}), sticky={"scope": scope}), workers=1)

    def hold(instance, other, n):
        s.do("instance", other.name, "maint")
        held = [Client(s.address) for _ in range(n)]
        for c in held:
            c.ask("/held")
        for _ in range(n):
            instance.wait_request()
        s.do("instance", other.name, "in")
        return held

    busy = hold(b, a, 4)  # so that a is the one to choose
    kept = hold(a, b, 4)
    a.release.set()
    for c in kept:
        assert c.answer().status == 200
    assert s.admin.instance("a")["connections"] == 4
    a.dead = True
    a.deafen()
    answer = kept[0].get("/x")
    assert answer.status == 200 and s.admin.instance("b")["requests"] == 5
    b.release.set()
    for c in busy:
        assert c.answer().status == 200
    for c in busy + kept:
        c.close()


def test_everything_is_tried_once_and_given_up(rig):
    """attempts bounds the tries; the client gets one answer."""
    def script(conn):
        conn.request()

    a, b, s = two(rig, script, retry={"attempts": 2})
    assert once(s.address, "/x").status == 502
    assert len(a.requests + b.requests) == 3
    assert s.admin.status()["services"][0]["retries"] == 2


def test_no_attempts(rig):
    def script(conn):
        conn.request()

    a, b, s = two(rig, script, retry={"attempts": 0})
    assert once(s.address, "/x").status == 502
    assert len(a.requests + b.requests) == 1


def test_budget(rig):
    """When all fail, retries do not multiply the outage: their number stays
    near a fifth of the traffic, beyond what a quiet worker may start with."""
    def script(conn):
        conn.request()

    a, b, s = two(rig, script, retry={"attempts": 2, "budget": "20%"},
                  )
    with ThreadPoolExecutor(16) as clients:  # each waits before a last try
        list(clients.map(lambda _: once(s.address, "/x"), range(400)))
    row = s.admin.status()["services"][0]
    # 100 to begin with for each of two workers, and 20 % of 400
    assert row["retries"] <= 2 * 100 + 80, row["retries"]
    assert row["retries_denied"] > 0
    assert len(a.requests + b.requests) == 400 + row["retries"]


def test_a_post_that_had_left_is_named(rig):
    """The access log says what became of it."""
    a, b, s = two(rig, dies_first("reset"))
    with Client(s.address) as c:
        assert c.post("/x?id=1", body=b"b").status == 502
    row = s.wait_access(1)[0]
    assert row["outcome"] == "instance_reset" and row["retries"] == 0
    assert row["instance"] in ("a", "b")
    wait_until(lambda: s.admin.status()["accounting"]["fault"] == 1)
