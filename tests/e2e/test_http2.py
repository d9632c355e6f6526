"""HTTP/2 from clients: real ones and one by hand, through everything that the
promise names."""
import os
import re
import signal
import subprocess
import time

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient
from rig.h2wire import (CALM, DATA, END_HEADERS, END_STREAM, H2, HEADERS, PING,
                        PROTOCOL, REFUSED, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame,
                        headers,
                        request, setting)
from rig.segued import pool, service
from rig.site import Site


def script(conn):
    while (r := conn.request()) is not None:
        if r.target == "/trailers":
            conn.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                      b"0\r\nX-Sum: 42\r\n\r\n")
        elif r.target == "/early":
            conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            conn.answer(b"late")
        elif r.target == "/cut":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            conn.close()
            return
        elif r.target == "/slow":
            time.sleep(0.3)
            conn.answer(b"slow")
        elif r.target.startswith("/big/"):
            conn.answer(b"x" * int(r.target[5:]))
        else:
            conn.answer(r.body)


@pytest.fixture
def s(rig):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a]), limits={"body": "64MiB"}),
                   workers=1)
    s.origin = a
    return s


def run(*words, **kw):
    done = subprocess.run(words, stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.STDOUT, check=False, **kw)
    return done.returncode, done.stdout


# ---- real clients ----

def test_curl_moves_large_bodies(rig, s):
    sent = os.urandom(6 << 20)
    path = f"{rig.dir}/sent"
    with open(path, "wb") as f:
        f.write(sent)
    curl = ["curl", "-s", "-m", "50", "--http2-prior-knowledge"]
    code, got = run(*curl, "--data-binary", f"@{path}",
                    f"http://{s.address}/echo")
    assert code == 0 and got == sent
    with open(path, "rb") as f:
        code, got = run(*curl, "-X", "POST", "-T", "-",
                        f"http://{s.address}/echo", stdin=f)
    assert code == 0 and got == sent
    code, got = run(*curl, "-I", f"http://{s.address}/get")
    assert code == 0 and got.startswith(b"HTTP/2 200"), got


def test_nghttp_sees_trailers_and_hints(s):
    for path, want in (("trailers", b"x-sum: 42"), ("early", b"103")):
        code, out = run("nghttp", "-v", f"http://{s.address}/{path}")
        assert code == 0 and want in out, out


def test_h2load_through_cutovers(rig, rounds):
    site = Site(rig)
    load = subprocess.Popen(
        ["h2load", "-D", str(3 * rounds), "-c", "20", "-m", "10",
         f"http://{site.segued.address}/get?id=1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    n = 0
    while load.poll() is None:
        n += 1
        site.segued.do("switch", "v2" if n % 2 else "v1")
        if n % 5 == 0:
            site.segued.do("reload")
    out = load.stdout.read().decode()
    print(n, "switches;", re.search(r"requests: .*", out)[0])
    assert load.returncode == 0
    assert re.search(r" 0 failed, 0 errored, 0 timeout", out), out
    assert re.search(r" 0 3xx, 0 4xx, 0 5xx", out), out
    assert n > 4
    a = wait_until(lambda: (a := site.admin.status()["accounting"])[
        "in_flight"] == 0 and a, what="the end")
    assert a["holds"] is True and a["answered"] > 1000, a


@pytest.fixture
def over_tls(rig):
    """segued that ends TLS, and what trusts its certificate."""
    ca = Authority(rig)
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a", script)])),
                   start=False)
    s.config["listeners"][0]["tls"] = {
        "certificates": [ca.leaf("localhost").row()]}
    return s, ca


def test_tls_offers_http2_first(over_tls):
    s, ca = over_tls
    s.write_config()
    s.start()
    port = s.address.rsplit(":", 1)[1]
    code, out = run("curl", "-sv", "-m", "20", "--cacert", ca.cert, "-d", "hello",
                    f"https://localhost:{port}/echo")
    assert code == 0 and b"HTTP/2 200" in out and b"hello" in out, out
    context = ca.trusting()
    context.set_alpn_protocols(["h2"])
    with H2(s.address, wrap=lambda sock: context.wrap_socket(
            sock, server_hostname="localhost")) as c:
        assert c.sock.selected_alpn_protocol() == "h2"
        for n in range(1, 41, 2):
            c.send(headers(n, request(authority="localhost", more=[
                ("x-long", "y" * 3000)])))
            assert c.answer(n) == 200
        c.send(headers(41, request(authority="other.example")))
        assert c.answer(41) == 421
    r = s.wait_access(22)[-2]
    assert r["tls"] == "TLSv1.3" and r["sni"] == "localhost", r


def test_tls_without_http2_does_not_offer_it(over_tls):
    s, ca = over_tls
    s.config["listeners"][0]["http2"] = False
    s.write_config()
    s.start()
    context = ca.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with TlsClient(s.address, context) as c:
        assert c.sock.selected_alpn_protocol() == "http/1.1"
        assert c.get("/a").status == 200


# ---- what becomes of messages ----

def test_cookies_and_lengths_reach_the_instance(s):
    with H2(s.address) as c:
        c.send(headers(1, request("/echo", "POST", more=[
            ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"),
            ("te", "trailers")]), END_HEADERS))
        c.send(frame(DATA, 0, 1, b"hel") + frame(DATA, END_STREAM, 1, b"lo"))
        assert c.answer(1) == 200 and c.bodies[1] == b"hello"
        c.send(headers(3, request("/echo", "POST",
                                  more=[("content-length", "5")]),
                       END_HEADERS) + frame(DATA, END_STREAM, 3, b"hello"))
        assert c.answer(3) == 200
        c.send(headers(5, request("/echo", "POST")))
        assert c.answer(5) == 200
    first, second, third = s.origin.requests[-3:]
    assert first.field("Cookie") == "a=1; b=2"
    assert first.field("Host") == "web.example"
    assert first.field("Transfer-Encoding") == "chunked"
    assert first.body == b"hello"
    assert first.field("Via") == "2.0 segue"
    assert second.field("Content-Length") == "5"
    assert second.field("Transfer-Encoding") is None
    assert third.field("Content-Length") == "0"


def test_a_cut_answer_is_a_reset_stream(s):
    with H2(s.address) as c:
        assert c.get(1, "/cut") == 200 and 1 in c.resets
        assert c.get(3, "/get") == 200
    rows = s.wait_access(2)
    assert [r["outcome"] for r in rows] == ["instance_cut", "answered"]


def test_a_stream_nobody_reads_holds_up_no_other(s):
    with H2(s.address, settings=setting(4, 1000)) as c:
        c.send(headers(1, request("/big/1000000")))
        c.until(lambda: len(c.bodies.get(1, b"")) == 1000)
        for n in range(3, 23, 2):
            assert c.get(n, "/big/900") == 200
        assert len(c.bodies[1]) == 1000 and 1 not in c.ended
        c.window(0, 1 << 24)
        c.window(1, 1 << 24)
        assert c.answer(1) == 200 and len(c.bodies[1]) == 1000000


def test_a_client_that_resets_is_let_go(s):
    with H2(s.address) as c:
        c.send(headers(1, request("/slow")))
        s.origin.wait_request()
        c.send(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
        assert c.get(3, "/get") == 200
    rows = s.wait_access(2)
    assert sorted(r["outcome"] for r in rows) == ["answered", "client_left"]


def test_more_streams_than_allowed_are_refused(rig):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])), workers=1, start=False)
    s.config["listeners"][0]["limits"] = {"streams": 4}
    s.write_config()
    s.start()
    with H2(s.address) as c:
        assert c.ping()  # it has our settings
        for n in range(1, 9, 2):
            c.send(headers(n, request("/slow")))
        for n in range(1, 9, 2):
            assert c.answer(n) == 200
        for n in range(9, 19, 2):
            c.send(headers(n, request("/slow")))
        assert c.end() == PROTOCOL  # RFC 9113 5.1.2 with 5.4.1
    with H2(s.address) as c:  # who has not heard of it yet is forgiven
        c.send(b"".join(headers(n, request("/slow"))
                        for n in range(1, 11, 2)))
        assert c.answer(9) is None and c.resets[9] == REFUSED
        assert [c.answer(n) for n in range(1, 9, 2)] == [200] * 4


def test_without_http2_the_preface_is_an_unknown_version(rig):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])), start=False)
    s.config["listeners"][0]["http2"] = False
    s.write_config()
    s.start()
    with H2(s.address) as c:
        c.sock.settimeout(5)
        assert c.sock.recv(4096).startswith(b"HTTP/1.1 505 ")


# ---- the end ----

def test_stop_lets_streams_end(s):
    """A warning, a ping, the last word; nothing that came is lost."""
    with H2(s.address) as c:
        assert c.get(1) == 200
        c.send(headers(3, request("/slow")))
        time.sleep(0.1)
        s.send(signal.SIGTERM)
        assert c.answer(3) == 200
        assert c.end() == 0
        lasts = [int.from_bytes(g.payload[:4], "big") for g in c.goaways]
        assert lasts[0] == 0x7fffffff and lasts[-1] == 3, c.frames
        assert any(f.kind == PING for f in c.frames)
    s.checked = True
    assert s.wait_exit() == 0


def test_an_idle_connection_is_told_before_it_is_closed(rig):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])), start=False)
    s.config["listeners"][0]["timeouts"] = {"idle": "200ms"}
    s.write_config()
    s.start()
    with H2(s.address) as c:
        assert c.get(1) == 200
        assert c.end() == 0


def test_what_the_stop_cuts_is_told(rig):
    """At its deadline: 503 where no answer has begun, then the end."""
    def never(conn):
        conn.request()
        time.sleep(5)

    a = rig.scripted("v1", "a", never)
    s = rig.segued(service(pool("v1", [a])), start=False)
    s.config["stop"] = {"deadline": "300ms"}
    s.write_config()
    s.start()
    with H2(s.address) as c:
        c.send(headers(1, request()))
        a.wait_request()
        s.send(signal.SIGTERM)
        assert c.answer(1) == 503
        c.end()
    s.checked = True
    assert s.wait_exit() == 0


def test_a_head_that_does_not_end(rig):
    """Its clock runs, whatever other streams do."""
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])), start=False)
    s.config["listeners"][0]["timeouts"] = {"head": "300ms", "idle": "30s"}
    s.write_config()
    s.start()
    for other in (False, True):
        with H2(s.address) as c:
            assert c.ping()
            if other:
                c.send(headers(1, request("/slow")))
            began = time.monotonic()
            c.send(frame(HEADERS, END_STREAM, 3, block(request())))
            assert c.end() == 0, c.frames
            assert 0.2 < time.monotonic() - began < 3
