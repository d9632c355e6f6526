"""Ready means ready: what passes a probe, what does not, and why."""
import threading
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import once


def answer(status="200 OK", body=b"", fields=""):
    return (f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n"
            "\r\n").encode() + body


def site(rig, health, **probe):
    a = rig.scripted("v1", "a")
    a.health = health
    return a, rig.segued(service(pool("v1", [a], probe=probe)), ready=False)


ROWS = [
    ("200", {}, answer(), "up", ""),
    ("204 is not 200", {}, b"HTTP/1.1 204 No Content\r\n\r\n", "down",
     "unexpected status 204"),
    ("204 where it is expected", {"expect": [200, 204]},
     b"HTTP/1.1 204 No Content\r\n\r\n", "up", ""),
    ("503", {}, answer("503 No"), "down", "unexpected status 503"),
    ("a text in the body", {"body": "READY"}, answer(body=b"IS READY NOW"),
     "up", ""),
    ("not in the body", {"body": "READY"}, answer(body=b"STARTING"), "down",
     "body"),
    ("JSON", {"json": {"field": "checks.0.status", "value": "UP"}},
     answer(body=b'{"status":"X","checks":[{"status":"UP"}]}'), "up", ""),
    ("JSON differs", {"json": {"field": "status", "value": "UP"}},
     answer(body=b'{"status":"DOWN"}'), "down", "JSON"),
    ("no JSON", {"json": {"field": "status", "value": "UP"}},
     answer(body=b"UP"), "down", "JSON"),
    ("malformed", {}, b"HTTP/1.1 200 OK\nContent-Length: x\r\n\r\n", "down",
     "malformed"),
    ("garbage", {}, b"\x00\x01\x02\r\n\r\n", "down", "malformed"),
    ("chunked", {"body": "READY"},
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"3\r\nREA\r\n2\r\nDY\r\n0\r\n\r\n", "up", ""),
]


@pytest.mark.parametrize("why,probe,health,word,reason", ROWS,
                         ids=[r[0] for r in ROWS])
def test_verdict(rig, why, probe, health, word, reason):
    a, s = site(rig, health, **probe)
    wait_until(lambda: s.admin.instance("a")["health"] == word)
    assert reason in s.admin.instance("a")["reason"]
    assert once(s.address, "/x").status == (200 if word == "up" else 503)


def test_nobody_listens(rig):
    a = rig.port()
    s = rig.segued(service(pool("v1", [a.address])), ready=False)
    wait_until(lambda: s.admin.pool("v1")["instances"][0]["reason"]
               == "connection refused")
    assert once(s.address).status == 503


def test_no_answer_in_time(rig):
    def deaf(conn):
        conn.sock.recv(1000)
        time.sleep(5)

    a = rig.scripted("v1", "a", deaf)
    s = rig.segued(service(pool("v1", [a], probe={"timeout": "200ms"})),
                   ready=False)
    wait_until(lambda: "in time" in s.admin.instance("a")["reason"])


def test_unknown_is_never_up(rig):
    """Before the first probe has passed nothing reaches the instance."""
    passes = threading.Event()

    def slow(conn):
        conn.sock.recv(1000)
        passes.wait(10)
        conn.send(answer())

    a = rig.scripted("v1", "a", slow)
    s = rig.segued(service(pool("v1", [a], probe={"rise": 2,
                                                  "timeout": "10s"})),
                   ready=False)
    assert s.admin.instance("a")["health"] == "unknown"
    assert once(s.address).status == 503
    passes.set()
    wait_until(lambda: s.admin.instance("a")["health"] == "up")


def test_what_is_asked(rig):
    """Port, path, host and headers of the probe's own."""
    heads = []

    def script(conn):
        heads.append(conn.reader.head())
        conn.send(answer())

    a = rig.scripted("v1", "a")
    monitor = rig.scripted("v1", "monitor", script)
    s = rig.segued(service(pool("v1", [a], probe={
        "port": monitor.port.number, "path": "/ready?deep=1",
        "host": "sso.example.org", "headers": {"X-Probe": "yes"}})))
    head = heads[0].decode()
    assert head.startswith("GET /ready?deep=1 HTTP/1.1\r\n")
    assert "\r\nHost: sso.example.org\r\n" in head
    assert "\r\nX-Probe: yes\r\n" in head
    assert once(s.address).instance == "a"


def test_tcp(rig):
    def mute(conn):
        while conn.request() is not None:
            conn.answer()

    a = rig.scripted("v1", "a", mute)
    a.health = b""
    s = rig.segued(service(pool("v1", [a], probe={"type": "tcp"})))
    assert once(s.address).status == 200


def test_rise_and_fall(rig):
    a, s = site(rig, answer("503 No"), rise=3, fall=3, interval="50ms",
                fast_interval="50ms")
    wait_until(lambda: s.admin.instance("a")["health"] == "down")
    n = s.admin.instance("a")["probes"]
    a.health = answer()
    wait_until(lambda: s.admin.instance("a")["health"] == "up")
    assert s.admin.instance("a")["probes"] - n >= 3
    failed = s.admin.instance("a")["probes_failed"]
    a.health = answer("503 No")
    wait_until(lambda: s.admin.instance("a")["health"] == "down")
    assert s.admin.instance("a")["probes_failed"] - failed >= 3


def test_ready_must_hold(rig):
    """All up for the hold time, else the pool is not ready; and it says so."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"),
                           pool("v2", [b], probe={"hold": "1s"})),
                   ready=False)
    wait_until(lambda: s.admin.instance("b")["health"] == "up")
    r = s.segue("switch", "v2")
    assert r.code == 3 and "not ready" in r.err + r.out, r
    began = time.monotonic()
    s.do("switch", "v2", "--when-ready", "--wait")
    assert time.monotonic() - began > 0.5
    assert once(s.address).version == "v2"


def test_failed_connection_hurries_the_probe(rig):
    """A worker that cannot connect does not wait for the next turn."""
    a = rig.nginx("v1", "a")
    b = rig.nginx("v1", "b")
    s = rig.segued(service(pool("v1", [a, b], probe={
        "interval": "30s", "fast_interval": "30ms"})))
    a.kill()
    began = time.monotonic()
    while s.admin.instance("a")["health"] == "up":
        assert once(s.address).status == 200
        assert time.monotonic() - began < 5
