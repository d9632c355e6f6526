"""HTTP/2 to instances: the promise, over streams."""
import ssl
import subprocess
import threading
import time

import pytest

from rig import wait_until
from rig.certs import Authority
from rig.h2wire import H2, headers, request
from rig.load import say
from rig.node import NodeInstance
from rig.segued import pool, service
from rig.wire import Client, Closed, once

REFUSED, CANCEL, INTERNAL = 7, 8, 2


def h2c(*instances, name="v1", **more):
    return pool(name, instances, protocol="h2c", **more)


def busy(*instances):
    """Their connections that carried more than probes."""
    return [c for i in instances for c in i.connections
            if getattr(c, "served", 0)]


def script(conn):
    conn.served = 0
    while (r := conn.request()) is not None:
        conn.served += 1
        i, path = conn.instance, r.target
        if path == "/trailers":
            conn.answer(r.stream, b"hello", trailers=[("x-sum", "42")])
        elif path == "/bare-trailers":  # as gRPC's "trailers only"
            conn.head(r.stream, fields=[("grpc-status", "12")], end=True)
        elif path == "/early":
            conn.h2.send_headers(r.stream, [(":status", "103"),
                                            ("link", "</a>")])
            conn.answer(r.stream, b"late")
        elif path == "/no-length":
            conn.head(r.stream)
            conn.body(r.stream, b"all", end=True)
        elif path.startswith("/status/"):
            conn.head(r.stream, status=path[8:], end=True)
        elif path.startswith("/big/"):
            conn.answer(r.stream, b"x" * int(path[5:]))
        elif path == "/cut":
            conn.head(r.stream, fields=[("content-length", "10")])
            conn.body(r.stream, b"hello")
            conn.reset(r.stream, INTERNAL)
        elif path == "/hang":
            pass
        elif path == "/held":
            i.release.wait(10)
            conn.answer(r.stream, b"ok")
        else:
            conn.answer(r.stream, r.body, fields=[
                ("x-method", r.method), ("x-authority",
                                         r.field(":authority")),
                ("x-te", r.field("te") or "-"),
                ("x-scheme", r.field(":scheme"))])


@pytest.fixture
def s(rig):
    a = rig.h2("v1", "a", script)
    a.release = threading.Event()
    s = rig.segued(service(h2c(a), limits={"body": "64MiB"},
                           timeouts={"first_byte": "2s"}), workers=1)
    s.origin = a
    return s


# ---- translation ----

def test_requests_and_answers_of_http1(s):
    with Client(s.address) as c:
        a = c.get("/x?y=1", fields="TE: trailers\r\nConnection: TE, X-Hop\r\n"
                                   "X-Hop: 1\r\nX-Keep: 2\r\n")
        assert (a.status, a.body) == (200, b"")
        assert a.field("content-length") == "0"
        r = s.origin.requests[-1]
        assert r.field("x-hop") is None and r.field("connection") is None
        assert r.field("x-keep") == "2" and r.field("te") == "trailers"
        assert r.field("x-forwarded-for") == "127.0.0.1"
        assert r.field("host") is None
        assert r.field(":authority") == s.address
        assert r.field(":scheme") == "http"
        assert c.post("/y", body=b"z" * 300000).body == b"z" * 300000
        a = c.get("/no-length")
        assert (a.body, a.field("transfer-encoding")) == (b"all", "chunked")
        assert c.get("/big/3000000").body == b"x" * 3000000
        a = c.get("/bare-trailers")
        assert (a.field("grpc-status"), a.body) == ("12", b"")
        for status in (204, 304, 404):
            assert c.get(f"/status/{status}").status == status
        c.ask("/x", method="HEAD")
        assert c.answer().status == 200
        c.send(b"POST /chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
               b"chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Last: 9\r\n\r\n")
        c.method = "POST"
        assert c.answer().body == b"abc"
        assert s.origin.requests[-1].trailers == {b"x-last": b"9"}
    assert len(busy(s.origin)) == 1


def test_trailers_and_hints_reach_both_kinds_of_clients(s):
    with Client(s.address) as c:
        c.send(b"GET /trailers HTTP/1.1\r\nHost: x\r\n\r\n")
        head = c.reader.head()
        assert b"chunked" in head
        assert c.reader.until(b"0\r\n").endswith(b"hello\r\n0\r\n")
        assert c.reader.head() == b"x-sum: 42\r\n\r\n"
        c.send(b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.reader.head().startswith(b"HTTP/1.1 103")
        assert c.reader.head().startswith(b"HTTP/1.1 200 OK")
    with H2(s.address) as h:
        assert h.get(1, "/trailers") == 200
        assert h.bodies[1] == b"hello" and h.trailers[1] == [("x-sum", "42")]
        assert h.get(3, "/early") == 200 and h.status[3] == [103, 200]
        assert h.get(5, "/bare-trailers") == 200
        ends = [f for f in h.frames if f.stream == 5 and f.kind == 1]
        assert len(ends) == 1 and ends[0].flags & 1, \
            "its end comes with its head, or gRPC takes it for none"
        assert 5 not in h.bodies


@pytest.mark.parametrize("fields,why", [
    ([(":status", "99")], "status"),
    ([(":status", "200"), ("connection", "close")], "a hop's field"),
    ([(":status", "200"), ("x", "a\r\nb: c")], "two lines in one"),
    ([(":status", "200"), ("X-Upper", "a")], "upper case"),
    ([(":status", "101")], "no upgrade here"),
    ([("x", "y")], "no status"),
    ([(":status", "200"), (":path", "/")], "of requests"),
    ([(":status", "200"), ("content-length", "5"),
      ("content-length", "6")], "two lengths"),
])
def test_malformed_answers_are_502(rig, fields, why):
    def bad(conn):
        while (r := conn.request()) is not None:
            if r.target == "/bad":
                conn.h2.send_headers(r.stream, fields)
                conn.body(r.stream, b"12345", end=True)
            else:
                conn.answer(r.stream)

    a = rig.h2("v1", "a", bad)
    s = rig.segued(service(h2c(a)), workers=1)
    with Client(s.address) as c:
        assert c.post("/bad").status == 502, why
        assert c.get("/fine").status == 200
    assert len([r for r in a.requests if r.target == "/bad"]) == 1


# ---- what the promise says ----

def refusing(code, last=None):
    """Refuses the first request for /x, on whichever connection."""
    def run(conn):
        conn.served = 0
        while (r := conn.request()) is not None:
            conn.served += 1
            if r.target == "/x" and not conn.instance.seen:
                conn.instance.seen = True
                if last is None:
                    conn.reset(r.stream, code)
                    continue
                conn.goaway(max(0, r.stream + last))
                return
            conn.answer(r.stream, r.body)
    return run


def two_of(rig, run, **more):
    both = [rig.h2("v1", n, run) for n in "ab"]
    for i in both:
        i.seen = False
    s = rig.segued(service(h2c(*both), **more), workers=1)
    return *both, s


@pytest.mark.parametrize("run,safe,unsafe", [
    (refusing(REFUSED), 200, 200),         # not dealt with, it says
    (refusing(0, last=-2), 200, 200),      # above the last of its GOAWAY
    (refusing(CANCEL), 200, 502),          # perhaps dealt with
    (refusing(0, last=0), 200, 502),       # dealt with, and no answer came
], ids=["refused", "goaway-above", "reset", "goaway-last"])
def test_who_may_be_asked_again(rig, run, safe, unsafe):
    a, b, s = two_of(rig, run, retry={"attempts": 2})
    for method, want in (("GET", safe), ("POST", unsafe)):
        a.seen = b.seen = False
        a.requests.clear(), b.requests.clear()
        with Client(s.address) as c:
            c.ask("/x", method=method,
                  body=b"body" if method == "POST" else None)
            assert c.answer().status == want, method
        if method == "POST" and want == 502:
            assert len(a.requests + b.requests) == 1, "it was sent twice"


def test_a_connection_that_dies_under_many(rig):
    """Safe ones go on elsewhere, each unsafe one fails and is sent once."""
    def die(conn):
        n = 0
        while (r := conn.request()) is not None:
            n += 1
            if n == 12 and not conn.instance.died:
                conn.instance.died = True
                conn.close()
                return
            if conn.instance.died:
                conn.answer(r.stream, b"ok")

    a = rig.h2("v1", "a", die)
    b = rig.h2("v1", "b", die)
    a.died, b.died = False, True
    s = rig.segued(service(h2c(a, b, balance="round_robin"),
                           retry={"attempts": 2}), workers=1)
    got = []

    def ask(method):
        with Client(s.address) as c:
            c.ask("/z", method=method, body=b"b" if method == "POST" else None)
            got.append((method, c.answer().status))

    threads = [threading.Thread(target=ask, args=("POST" if i % 4 == 0 else
                                                  "GET",))
               for i in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10)
    assert len(got) == 24
    assert all(status == 200 for m, status in got if m == "GET"), got
    posts = [r for i in (a, b) for r in i.requests if r.method == "POST"]
    assert len(posts) == 6, "one was sent twice, or not at all"


def test_an_answer_cut_in_the_middle_is_cut(s):
    with Client(s.address) as c:
        c.ask("/cut")
        with pytest.raises((Closed, ConnectionError)):
            c.answer()
    with H2(s.address) as h:
        assert h.get(1, "/cut") == 200
        assert 1 in h.resets
    out = s.admin.status()["services"][0]["outcomes"]
    assert out["instance_cut"] == 2, out


def test_a_client_that_leaves_is_a_reset_there(s):
    with H2(s.address) as h:
        h.send(headers(1, request("/hang")))
        s.origin.wait_request()
    wait_until(lambda: busy(s.origin))
    conn = busy(s.origin)[0]
    wait_until(lambda: conn.lost, 1.5, what="the reset")
    assert once(s.address).status == 200
    assert len(busy(s.origin)) == 1, "the connection went with it"


def test_a_silent_connection_is_asked_no_more(rig):
    """The network is cut without a word: who comes next gets a fresh one."""
    def mute(conn):
        conn.served = 0
        while (r := conn.request()) is not None:
            conn.served += 1
            if conn.instance.mute:
                time.sleep(30)
            conn.answer(r.stream, b"ok")

    a = rig.h2("v1", "a", mute)
    a.mute = False
    s = rig.segued(service(h2c(a), timeouts={"first_byte": "1500ms"},
                           retry={"attempts": 0}), workers=1)
    assert once(s.address).status == 200
    a.mute = True
    assert once(s.address).status == 504
    a.mute = False
    assert once(s.address).status == 200
    assert len(busy(a)) == 2


def test_back_pressure_goes_through(rig):
    """A client that does not read holds one stream back, no other."""
    a = NodeInstance(rig, "h2_server.js", "v1")
    s = rig.segued(service(h2c(a)), workers=1)
    with Client(s.address) as slow, Client(s.address) as quick:
        slow.ask("/big/12000000")
        for _ in range(20):
            assert quick.get("/x").status == 200
        assert slow.answer().body == b"x" * 12000000


def test_many_share_few_connections(rig):
    """As many streams as it takes; then another connection."""
    a = rig.h2("v1", "a", script, streams=8)
    a.release = threading.Event()
    s = rig.segued(service(h2c(a)), workers=1)
    assert once(s.address).status == 200
    clients = [Client(s.address) for _ in range(24)]
    for c in clients:
        c.ask("/x")
    assert [c.answer().status for c in clients] == [200] * 24
    for c in clients:
        c.close()
    assert len(busy(a)) <= 5, "a connection each"


# ---- TLS ----

def tls_pool(ca, *instances, protocol, name="v1", **more):
    for i in instances:
        i.listen_as_localhost()  # ::1 may come first
    return pool(name, [{"name": i.name, "address":
                        f"localhost:{i.port.number}"} for i in instances],
                protocol=protocol, tls={"ca": [ca.cert]}, **more)


def tls_context(ca, alpn):
    leaf = ca.leaf("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.cert, leaf.key)
    context.set_alpn_protocols(alpn)
    return context


@pytest.mark.parametrize("protocol", ["h2", "auto"])
def test_over_tls(rig, protocol):
    ca = Authority(rig)
    a = rig.h2("v1", "a", script, tls=tls_context(ca, ["h2"]))
    s = rig.segued(service(tls_pool(ca, a, protocol=protocol)), workers=1)
    with Client(s.address) as c:
        for _ in range(5):
            assert c.get("/x").field("x-scheme") == "https"
        assert c.post("/x", body=b"q" * 100000).body == b"q" * 100000
    assert len(busy(a)) == 1


def test_auto_takes_http1_where_that_is_chosen(rig):
    ca = Authority(rig)
    a = rig.scripted("v1", "a", tls=tls_context(ca, ["http/1.1"]))
    s = rig.segued(service(tls_pool(ca, a, protocol="auto")), workers=1)
    with Client(s.address) as c:
        assert c.get("/x").body == b"GET /x 0\n"
        assert c.get("/y").body == b"GET /y 0\n"


def test_h2_is_down_where_it_is_not_spoken(rig):
    ca = Authority(rig)
    a = rig.scripted("v1", "a", tls=tls_context(ca, ["http/1.1"]))
    s = rig.segued(service(tls_pool(ca, a, protocol="h2")), workers=1,
                   ready=False)
    wait_until(lambda: s.admin.instance("a")["health"] == "down")
    assert s.admin.instance("a")["reason"] == "speaks no HTTP/2"
    assert once(s.address).status == 503


@pytest.mark.parametrize("more,want", [
    ({"protocol": "h2"}, "tls is missing"),
    ({"protocol": "auto"}, "tls is missing"),
    ({"protocol": "h2c", "tls": {}}, "say h2"),
    ({"protocol": "h2c", "send_proxy": "v2"}, "needs protocol: h1"),
    ({"protocol": "h3"}, "h3"),
    ({"probe": {"type": "grpc"}}, "needs HTTP/2"),
])
def test_what_cannot_be_is_said(rig, more, want):
    s = rig.segued(service(pool("v1", ["127.0.0.1:1"], **more)), start=False)
    done = s.run_to_end("-t", "-c", s.config_path)
    assert done.returncode != 0 and want in done.stderr, done.stderr


# ---- through a switch ----

def test_switch_and_drain_under_load(rig):
    """HTTP/1 and HTTP/2 clients, h2c on both sides of the switch."""
    v1, v2 = (NodeInstance(rig, "h2_server.js", v) for v in ("v1", "v2"))
    s = rig.segued(service(h2c(v1, share="100%"), h2c(v2, name="v2")))
    load = rig.load(s, clients=20, think="2ms", posts=30)
    h2load = subprocess.Popen(
        ["h2load", "-c2", "-m10", "-D3", f"http://{s.address}/l"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.7)
    s.do("switch", "v2")
    time.sleep(0.7)  # in which sessions are on both
    s.do("drain", "v1", "--mode", "evict", "--wait")
    out, _ = h2load.communicate(timeout=30)
    final = load.stop()
    print(say(final), out)
    assert final["failed"] == 0, final["samples"]
    assert " 0 failed, 0 errored, 0 timeout" in out, out
    wait_until(lambda: s.admin.instance("v1")["connections"] == 0)


def test_a_reload_keeps_streams(s):
    """What is open goes on; what comes after finds the new settings."""
    with Client(s.address) as c:
        c.ask("/held")
        s.origin.wait_request()
        s.config["services"][0]["timeouts"] = {"first_byte": "5s"}
        s.write_config()
        assert s.admin.reload()[0] == 200
        s.origin.release.set()
        assert c.answer().body == b"ok"


def test_an_instance_that_stops(rig):
    """GOAWAY twice, as a graceful server does: nobody notices."""
    def graceful(conn):
        conn.served = 0
        while (r := conn.request()) is not None:
            conn.served += 1
            if conn.served == 3:
                conn.goaway(2 ** 31 - 1)
                conn.answer(r.stream, b"ok")
                conn.goaway(r.stream)
                return
            conn.answer(r.stream, b"ok")

    a = rig.h2("v1", "a", graceful)
    s = rig.segued(service(h2c(a), retry={"attempts": 1}), workers=1)
    with Client(s.address) as c:
        for i in range(20):
            assert c.post("/x", body=b"b").status == 200
    assert len(a.requests) == 20
