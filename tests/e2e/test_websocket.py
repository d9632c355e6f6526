"""Upgraded connections are tunnels: raw both ways, counted as streams, with
their own clock in a drain."""
import threading
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client

UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          b"Upgrade: websocket\r\nX-Version: %s\r\n\r\n")


def echo(conn):
    """Echoes bytes after the upgrade; says what the end was."""
    while (r := conn.request()) is not None:
        if r.field("upgrade") is None:
            conn.answer(b"plain")
            continue
        if r.target == "/no":
            conn.answer(b"no", status="403 Forbidden")
            continue
        conn.send(SWITCH % conn.instance.version.encode())
        data, conn.reader.have = conn.reader.have, b""
        while True:
            if data:
                conn.send(data)
            data = conn.sock.recv(65536)
            if not data:
                conn.send(b"bye")
                return


@pytest.fixture
def s(rig):
    a = rig.scripted("v1", "a", echo)
    b = rig.scripted("v2", "b", echo)
    rig.a = a
    return rig.segued(service(pool("v1", [a], share="100%"),
                              pool("v2", [b])))


def assert_ends(c):
    """No more bytes; a cut may be a reset."""
    try:
        assert c.reader.rest() == b""
    except ConnectionResetError:
        pass


def open_tunnel(s, **kw):
    c = Client(s.address, **kw)
    c.ask("/ws", fields=UPGRADE)
    assert c.answer().status == 101
    return c


def test_echo_and_half_close(s):
    with open_tunnel(s) as c:
        for size in (1, 125, 70000, 1 << 20):
            data = bytes(i % 251 for i in range(size))
            t = threading.Thread(target=c.send, args=(data,))
            t.start()
            assert c.reader.exactly(size) == data
            t.join()
        assert s.admin.pool("v1")["streams"] == 1
        assert s.admin.pool("v1")["in_flight"] == 0
        c.sock.shutdown(1)
        assert c.reader.rest() == b"bye"
    wait_until(lambda: s.admin.pool("v1")["streams"] == 0)
    outcomes = s.admin.status()["services"][0]["outcomes"]
    assert outcomes["tunnelled"] == 1


def test_bytes_right_behind_the_request(s):
    """A client that does not wait for the 101."""
    with Client(s.address) as c:
        c.method = "GET"
        c.send((f"GET /ws HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n"
                "early").encode())
        assert c.answer().status == 101
        assert c.reader.exactly(5) == b"early"


def test_refused_upgrade_is_an_answer(s):
    """And the connection goes on."""
    with Client(s.address) as c:
        c.ask("/no", fields=UPGRADE)
        assert c.answer().status == 403
        assert c.get("/").body == b"plain"


def test_client_that_vanishes(s):
    c = open_tunnel(s)
    c.send(b"x")
    assert c.reader.exactly(1) == b"x"
    c.close()
    wait_until(lambda: s.admin.pool("v1")["streams"] == 0)


def test_instance_that_vanishes(rig, s):
    with open_tunnel(s) as c:
        rig.a.close()
        assert_ends(c)
    wait_until(lambda: s.admin.pool("v1")["streams"] == 0)


def test_drain_has_a_clock_for_streams(s):
    """The drain waits for a tunnel, names it, and cuts it in the end."""
    with open_tunnel(s) as c:
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "evict", "--streams", "1s")
        began = time.monotonic()
        wait_until(lambda: "1 stream open" in s.admin.pool("v1")["holds"])
        c.send(b"still")
        assert c.reader.exactly(5) == b"still"
        assert_ends(c)
        assert 0.5 < time.monotonic() - began < 3
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained")
    outcomes = s.admin.status()["services"][0]["outcomes"]
    assert outcomes["drain_cut"] == 1


def test_switch_leaves_tunnels_alone(s):
    with open_tunnel(s) as c:
        s.do("switch", "v2")
        with open_tunnel(s) as d:
            for conn in (c, d):
                conn.send(b"abc")
                assert conn.reader.exactly(3) == b"abc"
            assert s.admin.pool("v1")["streams"] == 1
            assert s.admin.pool("v2")["streams"] == 1


def test_reload_leaves_tunnels_alone(s):
    with open_tunnel(s) as c:
        s.config["services"][0]["via"] = False
        s.write_config()
        s.do("reload")
        c.send(b"abc")
        assert c.reader.exactly(3) == b"abc"


def test_silent_tunnel_ends(rig):
    a = rig.scripted("v1", "a", echo)
    s = rig.segued(service(pool("v1", [a]), timeouts={"tunnel": "300ms"}))
    with open_tunnel(s) as c:
        assert_ends(c)
    wait_until(lambda: s.admin.status()["services"][0]["outcomes"]
               .get("tunnel_timeout") == 1)
