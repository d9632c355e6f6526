"""Bad clients beside a good one: it is served, and memory stays bounded."""
import contextlib
import errno
import resource
import socket
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.watch import EXCHANGE, MIB, SLAB, Steady, Watch
from rig.wire import Client, once

IDLE = 10000  # or what the limit of descriptors allows


def may_open(n):
    """How many descriptors we may have, at most n; raises our own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = min(hard, n + 1000)
    if soft < want:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
    return min(n, want - 1000)


def connect_all(address, n, stack, data=b"", small=False):
    """n connections; each has sent data."""
    host, port = address.rsplit(":", 1)
    socks = []
    for i in range(n):
        s = stack.enter_context(socket.socket())
        if small:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(5)
        # a range of its own for each 10,000, or ports run out
        s.bind((f"127.0.1.{1 + i // 10000}", 0))
        s.connect((host, int(port)))
        if data:
            s.sendall(data)
        socks.append(s)
    return socks


def drip(socks, seconds):
    """A byte a second of each, to those who still listen."""
    for _ in range(seconds):
        for s in socks:
            try:
                s.send(b"a")
            except OSError:
                pass
        time.sleep(1)


def simple(rig, **more):
    return rig.segued(service(pool("v1", [rig.scripted("v1", "a"),
                                          rig.scripted("v1", "b")])), **more)


def listener(s, **more):
    s.config["listeners"][0].update(more)
    s.write_config()
    s.start()
    return s


def test_a_byte_a_second(rig):
    """Heads that do not end, bodies that do not end."""
    s = listener(simple(rig, start=False),
                 timeouts={"head": "2s", "body": "1500ms", "idle": "5s"})
    watch, good = Watch(s), Steady(s.address)
    with contextlib.ExitStack() as stack:
        heads = connect_all(s.address, 200, stack, b"GET /x HTTP/1.1\r\nA: ")
        bodies = connect_all(s.address, 100, stack,
                             b"POST /x HTTP/1.1\r\nHost: x\r\n"
                             b"Content-Length: 1000\r\n\r\n")
        drip(heads + bodies, 1)
        watch.check_bound(clients=301, exchanges=301, slabs=500)
        drip(heads + bodies, 2)
        # a head has so long as a whole, a body while it moves
        answers = [h.recv(64) for h in heads[:20]]
        assert all(a.startswith(b"HTTP/1.1 408 ") for a in answers), answers
        assert wait_until(lambda: s.admin.status()["unrouted"]["outcomes"]
                          .get("head_timeout") == 200, 5)
        assert watch.load()["clients"] >= 100
    watch.check_back()
    good.check()


def test_who_never_reads(rig):
    """Answers of 4 MiB that nobody takes: two buffers each, no more."""
    big = b"x" * (4 * MIB)

    def script(conn):
        while (r := conn.request()) is not None:
            conn.answer(big if r.target == "/big" else b"ok")

    s = listener(rig.segued(service(pool(
        "v1", [rig.scripted("v1", "a", script)])), start=False),
        timeouts={"write": "2s"})
    watch, good = Watch(s), Steady(s.address)
    with contextlib.ExitStack() as stack:
        socks = connect_all(s.address, 60, stack,
                            b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
                            small=True)
        time.sleep(1)
        watch.check_bound(clients=61, exchanges=61, slabs=122, large=61)
        wait_until(lambda: s.admin.status()["services"][0]["outcomes"]
                   .get("client_timeout") == len(socks), 8,
                   "the end of their time")
    watch.check_back()
    good.check()


def test_ten_thousand_idle(rig):
    n = may_open(IDLE)
    print(f"{n} idle clients")
    s = simple(rig)
    watch, good = Watch(s), Steady(s.address)
    with contextlib.ExitStack() as stack:
        try:
            connect_all(s.address, n, stack)
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL:
                raise
            pytest.skip("no free ports")
        wait_until(lambda: watch.load()["clients"] >= n, 10, "all of them")
        watch.check_bound(clients=n + 1, exchanges=1)
        # by worker: the kernel spreads them
        rows = [int(r.split()[1]) for r in
                s.admin.raw("GET", "/metrics")[2].splitlines()
                if r.startswith("segue_clients{")]
        assert len(rows) == 2 and min(rows) > 0.4 * n, rows
    watch.check_back()
    good.check()


def test_flood_to_the_descriptor_limit(rig):
    """Accepting pauses, who is in is served, and it comes back."""
    s = simple(rig, start=False)
    s.start(["prlimit", "--nofile=400", *s.command("-c", s.config_path)])
    watch, good = Watch(s), Steady(s.address, fresh=1 << 30)
    host, port = s.address.split(":")
    wait_until(lambda: good.served > 0)
    with contextlib.ExitStack() as stack:
        for _ in range(800):
            c = stack.enter_context(socket.socket())
            c.setblocking(False)
            c.connect_ex((host, int(port)))
        wait_until(lambda: s.log_has("event=accept_paused"), what="a pause")
        time.sleep(1)
        assert watch.files() <= 400 - 400 // 8 + 8, "some are kept"
        assert s.admin.json("GET", "/v1/version")[0] == 200
        watch.check_bound(clients=400, exchanges=2)
    began = time.monotonic()
    assert once(s.address).status == 200
    assert time.monotonic() - began < 10
    watch.check_back()
    good.check()


def refused(address):
    """The answer to one request if it is 503, else None."""
    a = once(address)
    return a if a.status == 503 else None


def test_memory_limit(rig):
    """Above it new ones are refused, begun ones are not; then it is over."""
    s = listener(simple(rig, start=False, memory={"limit": "4MiB"}),
                 timeouts={"head": "20s"})
    watch = Watch(s)
    with Client(s.address) as begun, contextlib.ExitStack() as stack:
        begun.send(b"POST /slow HTTP/1.1\r\nHost: x\r\n"
                   b"Content-Length: 3\r\n\r\na")
        crowd = []
        while watch.load()["state"] == "normal":
            crowd += connect_all(s.address, 10, stack, b"G")
            assert len(crowd) < 400
            # those still in the backlog would lead past both marks at once
            wait_until(lambda: watch.load()["clients"] > len(crowd))
        # each worker notices at a turn of its own
        a = wait_until(lambda: refused(s.address), 2, "a refusal")
        assert a.field("retry-after"), a.head
        assert a.field("connection") == "close"
        assert watch.load()["shed"] >= 1
        assert watch.load()["memory_bytes"] < 4 * MIB * 9 // 8 + 20 * (
            EXCHANGE + SLAB)
        begun.send(b"bc")
        begun.method = "POST"
        assert begun.answer().status == 200
        # beyond the second mark connections wait, and are not refused
        for _ in range(60):
            crowd += connect_all(s.address, 10, stack, b"G")
            if watch.load()["state"] == "full":
                break
        wait_until(lambda: watch.load()["state"] == "full")
        time.sleep(0.1)  # each worker notices at a turn of its own
        late = connect_all(s.address, 1, stack, b"")[0]
        late.settimeout(10)
        late_in = watch.load()["clients"]
        time.sleep(0.3)
        assert watch.load()["clients"] <= late_in
        for c in crowd:
            c.close()
        # between the marks it would be refused
        wait_until(lambda: watch.load()["state"] == "normal")
        late.sendall(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
        assert late.recv(100).startswith(b"HTTP/1.1 200 ")
    watch.check_back()
    assert once(s.address).status == 200
    assert s.log_has("event=overload .*to=shedding")
    assert s.log_has("event=overload .*to=normal")


def test_lame_duck(rig):
    """A balancer is told before we go; nobody else notices."""
    s = listener(simple(rig, start=False,
                        stop={"lame_duck": "2s", "linger": "100ms"}),
                 health={"path": "/.segue/health"})
    assert once(s.address, "/.segue/health").status == 200
    good = Steady(s.address)
    wait_until(lambda: good.served > 5)
    began = time.monotonic()
    s.send(15)
    wait_until(lambda: once(s.address, "/.segue/health").status == 503)
    while time.monotonic() - began < 0.8 or good.asked < 50:
        assert once(s.address).status == 200
        assert s.admin.status()["load"]["lame_duck"] is True
    good.check(50)
    assert s.wait_exit() == 0
    s.checked = True
    assert 1.9 < time.monotonic() - began < 7


def test_a_second_signal_ends_the_lame_duck(rig):
    s = simple(rig, stop={"lame_duck": "60s", "linger": "100ms"})
    s.send(15)
    wait_until(lambda: s.admin.status()["load"]["lame_duck"])
    assert once(s.address).status == 200
    s.send(15)
    assert s.wait_exit() == 0
    s.checked = True


def test_health_without_a_service(rig):
    a = rig.scripted("v1", "a")
    s = listener(rig.segued(service(pool("v1", [a])), start=False),
                 health={"path": "/.segue/health"})
    assert once(s.address, "/.segue/health").status == 200
    a.health = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: once(s.address, "/.segue/health").status == 503)
    a.health = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nUP"
    wait_until(lambda: once(s.address, "/.segue/health").status == 200)
    assert not [r for r in a.requests if "segue" in r.target]
