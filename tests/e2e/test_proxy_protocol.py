"""Who the client is, said by a PROXY preface: HAProxy in front of us, nginx
behind us, and hands that say it wrongly, slowly or without leave."""
import socket
import struct
import subprocess
import time

import pytest

from rig import wait_until
from rig.haproxy import Haproxy
from rig.load import of_phase, on
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, Closed, Reader, once

BALANCER, STRANGER, USER = "127.0.0.9", "127.0.0.66", "127.0.0.5"
V2 = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET /get HTTP/1.1\r\nHost: x\r\n\r\n"


def v2(src=USER, tlvs=b"", command=0x21, family=0x11):
    addrs = socket.inet_aton(src) + socket.inet_aton("127.0.0.1") + \
        struct.pack("!HH", 1234, 443)
    return V2 + bytes([command, family]) + \
        struct.pack("!H", len(addrs) + len(tlvs)) + addrs + tlvs


def front(word="required", **more):
    """A listener that hears the balancer."""
    return {"proxy_protocol": word, "trusted_proxies": [BALANCER], **more}


def segued(rig, pools, listener, **more):
    s = rig.segued(service(*pools, sticky={"scope": "none"}), start=False,
                   **more)
    s.config["listeners"][0].update(listener)
    s.write_config()
    s.start()
    return s


def refused(s):
    """{reason: connections}, zeros left out."""
    return {name.split('"')[1]: int(n)
            for name, n in s.admin.metrics().items()
            if name.startswith("segue_connections_refused_total") and n}


def wait_refused(s, **rows):
    wait_until(lambda: refused(s) == rows, what=f"{rows}, not {refused(s)}")


def raw(s, data, source=BALANCER):
    c = Client(s.address, source=source)
    c.send(data)
    c.method = "GET"
    return c


def closes(c):
    try:
        return c.reader.rest() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2",
                                   "send-proxy-v2 proxy-v2-options "
                                   "crc32c,unique-id"])
def test_behind_haproxy(rig, words):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front())
    h = Haproxy(rig, s.address, words)
    wait_until(lambda: once(h.address, "/who", source=USER).status == 200)
    with Client(h.address, source=USER) as c:
        for _ in range(3):
            r = c.get("/who", fields="X-Forwarded-For: 127.0.0.1\r\n")
            assert r.body.split()[0] == USER.encode(), r.body
        lines = [x for x in s.wait_access(4) if x["target"] == "/who"]
    for line in lines:
        assert (line["client"], line["via"]) == (USER, BALANCER), line
        assert line.get("via_id") == (
            f"id-{USER}" if "unique-id" in words else None), line
    time.sleep(0.7)  # some checks of HAProxy's own
    assert refused(s) == {}
    assert "connection_refused" not in s.log()


def test_tls_ends_at_haproxy(rig):
    a = rig.scripted("v1", "a")
    s = segued(rig, [pool("v1", [a])], front())
    pem = f"{rig.dir}/site.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x", "-days",
         "2", "-keyout", pem + ".key", "-out", pem], check=True,
        capture_output=True)
    h = Haproxy(rig, s.address, "send-proxy-v2-ssl",
                bind=f"ssl crt {pem}")
    out = subprocess.run(
        ["curl", "-sk", "--interface", USER, "--retry", "5",
         "--retry-all-errors", f"https://{h.address}/get"],
        capture_output=True, text=True, timeout=20, check=True)
    assert out.stdout.startswith("GET /get"), out
    r = a.requests[-1]
    assert r.field("X-Forwarded-Proto") == "https"
    assert r.field("X-Forwarded-For") == USER
    line = s.wait_access(1)[-1]
    assert line["client"] == USER and line["via_tls"].startswith("TLSv1."), \
        line


def test_behind_haproxy_on_a_unix_socket(rig):
    a = rig.nginx("v1", "a", proxy_protocol=True)
    path = f"{rig.dir}/front.sock"
    s = segued(rig, [pool("v1", [a], send_proxy="v1")], {
        "address": f"unix:{path}", "proxy_protocol": "required",
        "trusted_proxies": ["unix"]})
    h = Haproxy(rig, f"unix@{path}", "send-proxy-v2")
    wait_until(lambda: once(h.address, "/who", source=USER).status == 200)
    who = once(h.address, "/who", source=USER,
               fields="X-Forwarded-For: 10.0.0.1\r\n").body.decode().split()
    assert who[:2] == [USER, USER]
    line = s.wait_access(2)[-1]
    assert (line["client"], line["via"]) == (USER, "unix"), line
    assert refused(s) == {}


def test_strangers(rig):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front())
    for data in (GET, v2("10.0.0.1") + GET,
                 b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + GET):
        try:
            assert closes(raw(s, data, source=STRANGER))
        except (BrokenPipeError, ConnectionResetError):
            pass
    wait_refused(s, preface_source=3)
    assert a.count("/get") == 0
    s.config["listeners"][0]["proxy_protocol"] = "optional"
    s.write_config()
    s.do("reload")

    def is_served():  # workers take the new settings a moment later
        try:
            return once(s.address, "/who", source=STRANGER)
        except (Closed, ConnectionError):
            return None
    r = wait_until(is_served, what="an answer to a stranger")
    assert r.body.split()[:1] == [STRANGER.encode()]
    r = raw(s, v2("10.0.0.1") + GET, source=STRANGER).answer()
    assert r.status == 400, "to a stranger it is a bad request"
    r = once(s.address, "/who", source=BALANCER)
    assert r.body.split()[:1] == [BALANCER.encode()]
    with raw(s, v2(), source=BALANCER) as c:
        assert c.get("/who").body.split()[:1] == [USER.encode()]


@pytest.mark.parametrize("preface", [
    v2(), v2(tlvs=b"\1\0\2h2"),
    f"PROXY TCP4 {USER} 127.0.0.1 1 2\r\n".encode()])
def test_byte_by_byte(rig, preface):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front())
    with Client(s.address, source=BALANCER) as c:
        for byte in preface + GET:
            c.send(bytes([byte]))
            time.sleep(0.002)
        c.method = "GET"
        assert c.answer().status == 200
    assert s.wait_access(1)[0]["client"] == USER


GARBAGE = [
    ("HTTP", GET),
    ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a line without end", b"PROXY UNKNOWN " + 200 * b"x"),
    ("a preface of a megabyte of lengths", V2 + b"\x21\x11\xff\xff" + 8192 *
     b"x"),
    ("UDP", v2(family=0x12) + GET),
    ("a TLV that does not fit", v2(tlvs=b"\1\xff\xffx") + GET),
    ("a wrong checksum", v2(tlvs=b"\3\0\4abcd") + GET),
    ("version 3", v2(command=0x31) + GET),
]


def test_garbage(rig):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front())
    for i, (why, data) in enumerate(GARBAGE):
        try:
            assert closes(raw(s, data)), why
        except (BrokenPipeError, ConnectionResetError):
            pass
        wait_refused(s, preface_bad=i + 1)
    assert a.count("/get") == 0
    with raw(s, v2() + GET) as c:
        assert c.answer().status == 200
        c.send(v2() + GET)  # no second one
        assert c.answer().status == 400


def test_stalling(rig):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])],
               front(timeouts={"preface": "300ms"}))
    began = time.monotonic()
    stalled = [raw(s, v2()[:n]) for n in range(0, 28, 3)]
    for c in stalled:
        assert closes(c)
    assert 0.2 < time.monotonic() - began < 3 * rig.slower
    wait_refused(s, preface_timeout=len(stalled))
    # What is whole is idle for as long as the rest.
    with raw(s, v2()) as c:
        time.sleep(0.6)
        assert c.get().status == 200


def test_checks_are_no_errors(rig):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front(health={"path": "/.health"}))
    for data in (b"", V2 + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n", v2()):
        for _ in range(5):
            raw(s, data).close()
    with raw(s, V2 + b"\x20\0\0\0") as c:
        assert c.get("/.health").status == 200
    assert refused(s) == {}
    line = s.wait_access(1)[0]
    assert line["client"] == BALANCER and "via" not in line


def test_bounds_are_of_the_named_client(rig):
    a = rig.nginx("v1", "a")
    s = segued(rig, [pool("v1", [a])], front(clients={"connections": 2}))
    held = []
    for user in (USER, USER, "127.0.0.6"):
        held.append(raw(s, v2(user) + GET))
        assert held[-1].answer().status == 200
    assert closes(raw(s, v2(USER) + GET))
    wait_refused(s, address=1)
    held[0].close()

    def has_place():
        try:
            return raw(s, v2(USER) + GET).answer().status == 200
        except (Closed, ConnectionResetError):
            return False
    wait_until(has_place, what="a place")


# ---- to instances ----

@pytest.mark.parametrize("version", ["v1", "v2"])
def test_instances_are_told(rig, version):
    """nginx takes nothing but a preface there, from probes as well."""
    a = rig.nginx("v1", "a", proxy_protocol=True)
    s = rig.segued(service(pool("v1", [a], send_proxy=version)), workers=1)
    users = [f"127.0.0.{n}" for n in range(20, 30)]
    clients = [Client(s.address, source=u) for u in users]
    numbers = {}
    for _ in range(3):
        for user, c in zip(users, clients):
            who, field, number = c.get("/who").body.decode().split()
            assert (who, field) == (user, user)
            numbers.setdefault(user, set()).add(number)
    # Kept for its client: one connection each, and none of another's.
    assert all(len(n) == 1 for n in numbers.values()), numbers
    assert len(set.union(*numbers.values())) == len(users)
    for c in clients:
        c.close()
    wait_until(lambda: s.admin.instance("a")["connections"] == 0,
               what="the end of what was kept")


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_from_haproxy_to_nginx(rig, words, version):
    a = rig.nginx("v1", "a", proxy_protocol=True)
    s = segued(rig, [pool("v1", [a], send_proxy=version)], front())
    h = Haproxy(rig, s.address, words)
    wait_until(lambda: once(h.address, "/who", source=USER).status == 200)
    for user in (USER, "127.0.0.7"):
        who = once(h.address, "/who", source=user).body.decode().split()
        assert who[:2] == [user, user]


def test_what_was_said_goes_on(rig):
    said = []

    def script(conn):
        head = conn.reader.exactly(16)
        rest = conn.reader.exactly(struct.unpack("!H", head[14:])[0])
        if head[12] == 0x21:
            said.append(head + rest)
        while (r := conn.request()) is not None:
            conn.answer(r.target.encode())

    a = rig.scripted("v1", "a", script)
    s = segued(rig, [pool("v1", [a], send_proxy="v2")], front())
    preface = v2(tlvs=b"\2\0\3a.b\xea\0\4\1vpc")
    with raw(s, preface) as c:
        assert c.get().status == 200
    assert said == [preface]


def test_a_retry_says_it_again(rig):
    said = []

    def script(conn):
        line = conn.reader.until(b"\r\n")
        if b"UNKNOWN" in line:
            conn.request()
            return
        said.append((conn.instance.name, line))
        if len(said) < 2:
            conn.reader.head()
            return  # no answer
        conn.request()
        conn.answer()

    a, b = (rig.scripted("v1", n, script) for n in "ab")
    s = rig.segued(service(pool("v1", [a, b], send_proxy="v1")))
    assert once(s.address, source=USER).status == 200
    assert len({n for n, _ in said}) == 2
    assert all(line.startswith(f"PROXY TCP4 {USER} 127.0.0.1 ".encode())
               for _, line in said), said
    assert len({line for _, line in said}) == 1


def test_turned_on_and_off_by_reload(rig):
    """What is kept of before is not lent to whom it does not fit."""
    seen = []

    def script(conn):
        first = conn.reader.until(b"\r\n")
        prefaced = first.startswith(b"PROXY")
        if not prefaced:
            conn.reader.have = first + conn.reader.have
        while conn.request() is not None:
            seen.append(prefaced)
            conn.answer()

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])), workers=1)
    with Client(s.address, source=USER) as c:
        for word in ("off", "v1", "off", "v1"):
            s.config["services"][0]["pools"][0]["send_proxy"] = word
            s.write_config()
            s.do("reload")

            def is_so():  # the worker takes it over a moment later
                assert c.get().status == 200
                return seen[-1] == (word == "v1")
            wait_until(is_so, what=word)
            for _ in range(3):
                assert is_so()
    turns = [a for a, b in zip(seen, seen[1:] + [None]) if a != b]
    assert turns == [False, True, False, True]


def test_probe_of_another_port_says_nothing(rig):
    a = rig.nginx("v1", "a", proxy_protocol=True)
    health = rig.nginx("v1", "health")
    s = rig.segued(service(pool("v1", [a], send_proxy="v2",
                                probe={"port": health.port.number})))
    assert once(s.address).status == 200


# ---- the promise ----

def test_cutover_under_load(rig, rounds):
    """From HAProxy through us to nginx, each told who the client is."""
    site = Site(rig, send_proxy="v2", segued={"listeners": [
        {"name": "web", "address": "placeholder:1"}], "start": False})
    site.segued.config["listeners"] = [{
        "name": "web", "address": site.segued.address, **front()}]
    site.segued.write_config()
    site.segued.start()
    h = Haproxy(rig, site.segued.address, "send-proxy-v2")
    wait_until(lambda: once(h.address).status == 200)
    first = len(site.segued.wait_access(1))
    site.start_load(where=h)
    for i in range(2 * rounds):
        new = ("v2", "v1")[i % 2]
        site.segued.do("switch", new)
        site.load.phase(f"{new} {i}")
        wait_until(lambda: on(of_phase(
            site.load.report(), f"{new} {i}"), new)["sessions"] > 400, 30,
            every=0.05)
    final = site.load.stop()
    assert final["failed"] == 0, final["samples"]
    assert final["bounces"] == 0, final["samples"]
    site.check_posts(final)
    assert first == 1 and refused(site.segued) == {}
    assert all(x["via"] == BALANCER for x in site.segued.access())
