"""gRPC through us: real servers and clients (grpc-js), all kinds of calls."""
import json
import signal
import struct
import time

import pytest

from rig import wait_until
from rig.h2wire import (DATA, END_HEADERS, END_STREAM, H2, frame, headers,
                        request)
from rig.node import NodeInstance, Talk
from rig.segued import pool, service

UNAVAILABLE, DEADLINE, UNIMPLEMENTED, DENIED = 14, 4, 12, 7
HEALTH = {"type": "grpc", "path": None}


def grpc(name, *instances, **more):
    row = pool(name, instances, protocol="h2c", **more)
    row["probe"] = {"type": "grpc", "interval": "200ms", "rise": 1,
                    "fast_interval": "30ms", "timeout": "200ms", "fall": 2,
                    "hold": "0", **row["probe"]}
    del row["probe"]["path"]
    return row


def instance(rig, version):
    return NodeInstance(rig, "grpc_server.js", version)


@pytest.fixture
def s(rig):
    a = instance(rig, "v1")
    s = rig.segued(service(grpc("v1", a), timeouts={"progress": "300ms"},
                           rules=[{"deny": "/t.Echo/Hidden"}]), workers=1)
    s.origin = a
    return s


def last_line(s, **want):
    """The newest line of the access log that has these values."""
    def found():
        for line in reversed(s.rig.text("segued/access.log").splitlines()):
            row = json.loads(line)
            if all(row.get(k) == v for k, v in want.items()):
                return row
        return None
    return wait_until(found, what=f"a line with {want}")


def test_kinds_of_calls(rig, s):
    clients = Talk(rig, "grpc_clients.js", s.address)
    for words, want in (
            ("Unary hello", ["hello"]),
            ("Unary " + "x" * 500000, ["x" * 500000]),
            ("Server 3 400", ["v1 0", "v1 1", "v1 2"]),
            ("Client a b c d", ["4"]),
            ("Bidi a b c", ["a", "b", "c"])):
        out = clients.ask("try " + words)
        assert (out["code"], out["got"], out["last"]) == (0, want, "well"), \
            out
    out = clients.ask("try Unary fail 9")
    assert (out["code"], out["details"], out["last"]) == \
        (9, "as told", "failed")
    line = last_line(s, grpc_status=9)
    assert (line["status"], line["outcome"]) == (200, "answered")
    assert last_line(s, grpc_status=0)["target"].startswith("/t.Echo/")


def call(h, stream, path="/t.Echo/Unary", more=(), message=b"hi", end=True):
    h.send(headers(stream, request(path, "POST", [
        ("content-type", "application/grpc"), ("te", "trailers"), *more]),
        END_HEADERS) + frame(DATA, END_STREAM if end else 0, stream,
                             struct.pack(">BI", 0, len(message)) + message))


def told(h, stream):
    """(HTTP status, gRPC status, was it told by trailers alone)"""
    status = h.answer(stream)
    rows = h.trailers.get(stream) or h.fields.get(stream, [])
    return status, int(dict(rows).get("grpc-status", -1)), \
        stream not in h.trailers


@pytest.mark.parametrize("path,want", [
    ("/t.Echo/Hidden", DENIED), ("/t.Echo/None", UNIMPLEMENTED)])
def test_refusals_are_statuses(s, path, want):
    with H2(s.address) as h:
        call(h, 1, path)
        assert told(h, 1) == (200, want, True)


def test_nobody_serves(rig, s):
    s.origin.kill()
    wait_until(lambda: s.admin.instance("v1")["health"] == "down")
    with H2(s.address) as h:
        call(h, 1)
        assert told(h, 1) == (200, UNAVAILABLE, True)
        assert dict(h.fields[1])["content-type"] == "application/grpc"
    line = last_line(s, grpc_status=UNAVAILABLE)
    assert (line["status"], line["outcome"]) == (503, "no_instance")


def test_a_deadline_that_passes(rig):
    """The client's own clock is first; who has none hears it from us."""
    a = rig.h2("v1", "a", lambda conn: [None for _ in iter(conn.request,
                                                          None)])
    s = rig.segued(service(pool("v1", [a], protocol="h2c")), workers=1)
    began = time.monotonic()
    with H2(s.address) as h:
        call(h, 1, more=[("grpc-timeout", "100m")])
        assert told(h, 1) == (200, DEADLINE, True)
        assert 1 < time.monotonic() - began < 8
    assert last_line(s, grpc_status=DEADLINE)["outcome"] == \
        "first_byte_timeout"


def test_an_answer_that_breaks_ends_with_a_status(rig, s):
    with H2(s.address) as h:
        call(h, 1, "/t.Echo/Server", message=b"0 50")
        assert h.until(lambda: len(h.bodies.get(1, b"")) > 10)
        s.origin.kill()
        status, code, alone = told(h, 1)
        assert (status, code, alone) == (200, UNAVAILABLE, False)
        assert 1 in h.ended and 1 not in h.resets
    assert last_line(s, grpc_status=UNAVAILABLE)["outcome"] == "instance_cut"


def test_a_word_lifts_no_bounds_of_http1(rig):
    """Whoever calls his POST a call, where there are none, posts."""
    s = rig.segued(service(
        pool("v1", [rig.scripted("v1", "a")]), limits={"body": "1KiB"}))
    with H2(s.address) as c:
        c.send(headers(1, request("/x", "POST", more=[
            ("content-type", "application/grpc")]), END_HEADERS) +
            frame(DATA, 0, 1, b"x" * 2000))
        assert c.answer(1) == 413, c.frames


def test_health_probes(rig):
    a, b = instance(rig, "v1"), instance(rig, "v2")
    s = rig.segued([
        service(grpc("v1", a, probe={"service": "t.Echo"})),
        {**service(grpc("v2", b, probe={"service": "t.Other"})),
         "name": "other", "match": ["other.example"]}], ready=False)
    wait_until(lambda: s.admin.instance("v1")["health"] == "up")
    wait_until(lambda: s.admin.instance("v2")["health"] == "down")
    assert s.admin.instance("v2")["reason"] == "gRPC health is not SERVING"
    a.child.send_signal(signal.SIGUSR1)
    wait_until(lambda: s.admin.instance("v1")["health"] == "down")
    a.child.send_signal(signal.SIGUSR1)
    wait_until(lambda: s.admin.instance("v1")["health"] == "up")


def test_switch_and_drain(rig):
    """200 callers and 50 streams: no call fails, streams end by the drain's
    clock and are told so."""
    v1, v2 = instance(rig, "v1"), instance(rig, "v2")
    s = rig.segued(service(grpc("v1", v1, share="100%"), grpc("v2", v2),
                           drain={"streams": "3s", "spread": "1s"}))
    clients = Talk(rig, "grpc_clients.js", s.address)
    clients.ask("streams 50")
    clients.ask("unary 200")
    wait_until(lambda: clients.ask("report")["unary"]["ok"] > 400, 30)
    wait_until(lambda: s.admin.instance("v1")["streams"] == 50, 10)
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "evict")
    time.sleep(1)
    early = clients.ask("report")
    assert early["streams"]["open"] == 50, early["streams"]
    s.do("drain", "v1", "--mode", "evict", "--wait")
    final = clients.ask("stop")
    print(final)
    assert final["unary"]["failed"] == {}
    assert set(final["unary"]["versions"]) == {"v1", "v2"}
    assert final["streams"]["ended"] == {
        "14 this version of the service is being drained": 50}
    assert s.admin.pool("v1")["state"] == "drained"


def test_a_stop_tells_streams(rig, s):
    clients = Talk(rig, "grpc_clients.js", s.address)
    clients.ask("streams 4")
    wait_until(lambda: s.admin.instance("v1")["streams"] == 4)
    s.stop(seconds=20)
    wait_until(lambda: clients.ask("report")["streams"]["open"] == 0)
    assert clients.ask("report")["streams"]["ended"] == {
        "14 the proxy is stopping": 4}
