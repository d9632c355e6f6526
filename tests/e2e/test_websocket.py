"""Upgraded connections are tunnels: raw both ways, counted as streams, with
their own clock in a drain.  WebSockets among them are closed with 1001, and
no message is lost: the clients and instances of those tests are npm's ws."""
import json
import signal
import subprocess
import threading
import time

import pytest

from rig import node, wait_until
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
    """One of which we know no frames; WebSockets: see below."""
    def script(conn):
        if conn.request() is not None:
            conn.send(SWITCH.replace(b"websocket", b"chat") % b"v1")
            conn.reader.rest()

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a]), timeouts={"tunnel": "300ms"}))
    with open_tunnel(s) as c:
        assert_ends(c)
    wait_until(lambda: s.admin.status()["services"][0]["outcomes"]
               .get("tunnel_timeout") == 1)


# ---- real ones ----

CLIENTS = 500


def outcomes(s):
    return s.admin.status()["services"][0]["outcomes"]


@pytest.fixture(params=["h1", "h2"])
def ws(rig, request):
    """Its clients come over HTTP/1, or over HTTP/2 (RFC 8441)."""
    rig.v1 = node.NodeInstance(rig, "ws_server.js", "v1")
    rig.v2 = node.NodeInstance(rig, "ws_server.js", "v2")
    s = rig.segued(service(
        pool("v1", [rig.v1], share="100%"), pool("v2", [rig.v2]),
        drain={"mode": "evict", "streams": "4s", "spread": "2s"}))
    s.over = {"h1": "", "h2": "h2:"}[request.param]
    return s


def url(s):
    return f"{s.over}ws://{s.address}/ws"


def of_report(instance):
    with Client(instance.address) as c:
        return json.loads(c.get("/report").body)


def assert_each_once(final, *instances):
    """Every message reached one instance, once."""
    reports = [of_report(i)["received"] for i in instances]
    for i, n in enumerate(final["next"]):
        got = sorted(m for r in reports for m in r.get(f"c{i}", []))
        assert got == list(range(n)), f"c{i}: {n} messages, {got}"


def assert_holds(s):
    a = s.admin.status()["accounting"]
    assert a["holds"] is True, a


def connections(s):
    return sum(int(r.split()[1]) for r in
               s.admin.raw("GET", "/metrics")[2].splitlines()
               if r.startswith("segue_clients{"))


def test_no_message_is_lost_in_switch_drain_and_reload(rig, ws):
    """500 clients; each is closed once, after the deadline, with 1001."""
    load = node.Talk(rig, "ws_clients.js", url(ws), CLIENTS, 250)
    wait_until(lambda: ws.admin.pool("v1")["streams"] == CLIENTS, 30)
    ws.config["log"]["level"] = "debug"
    ws.write_config()
    ws.do("reload")
    ws.do("switch", "v2")
    assert connections(ws) == (8 if ws.over else CLIENTS)
    before = load.ask("report")
    assert before["open"] == CLIENTS and before["closes"] == []
    began = time.time()
    drain = subprocess.Popen(
        [rig.program("src/segue/segue"), "--socket", ws.socket, "drain", "v1",
         "--wait"], stdout=subprocess.PIPE, text=True)
    ws.config["services"][0]["via"] = False
    ws.write_config()
    ws.do("reload")
    said = drain.communicate(timeout=60)[0]
    assert f"{CLIENTS} were closed and 0 cut" in said
    assert ws.admin.pool("v1")["state"] == "drained"
    assert ws.admin.pool("v1")["streams_ended"] == {
        "ended": 0, "closed": CLIENTS, "cut": 0}
    assert outcomes(ws)["drain_closed"] == CLIENTS
    wait_until(lambda: ws.admin.pool("v2")["streams"] == CLIENTS, 30)
    load.tell("stop")
    final = load.hear()
    assert final["errors"] == [] and final["done"] == CLIENTS
    by_drain = [c for c in final["closes"] if c["code"] != 1000]
    assert len(by_drain) == CLIENTS
    assert {(c["code"], c["reason"], c["server"]) for c in by_drain} == {
        (1001, "moving", "v1")}
    after = [c["at_ms"] / 1000 - began for c in by_drain]
    assert min(after) >= 4, "nobody before the deadline"
    assert max(after) - min(after) > 0.5, "not all at once"
    assert final["answered"] == sum(final["next"])
    assert_each_once(final, rig.v1, rig.v2)
    assert "v1" in final["on"] and "v2" in final["on"]
    # what came in the last moment was said again to v2, and only there
    assert final["sent"] - final["answered"] < 4 * CLIENTS
    assert_holds(ws)
    metrics = ws.admin.raw("GET", "/metrics")[2]
    assert ('segue_pool_streams_ended_total{service="web",pool="v1",'
            f'how="closed"}} {CLIENTS}') in metrics


@pytest.mark.parametrize("thing", [
    "deflate", "fragments", "whole", "ping", "subprotocol"])
def test_passes_unharmed(ws, thing):
    node.run("ws_try.js", url(ws), thing)
    wait_until(lambda: outcomes(ws).get("tunnelled") == 1)


@pytest.mark.parametrize("thing, code, by", [
    ("client_closes", 3001, "client"),
    ("instance_closes", 4002, "instance")])
def test_close_codes_pass_and_are_logged(rig, ws, thing, code, by):
    node.run("ws_try.js", url(ws), thing)
    row = ws.wait_access(1)[-1]
    assert (row["close_code"], row["closed_by"]) == (code, by)
    assert row["outcome"] == "tunnelled" and row["bytes_in"] > 0
    assert [c[0] for c in of_report(rig.v1)["closes"]] == [code]


def stay(rig, s):
    """A client that only stays, and tells how it was closed."""
    child = rig.spawn(node.script("ws_try.js", url(s), "stays"), "stay.log",
                      stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "open\n"
    return child


def test_drain_tells_both_sides(rig, ws):
    child = stay(rig, ws)
    ws.do("switch", "v2")
    ws.do("drain", "v1", "--streams", "0s", "--wait")
    assert child.stdout.readline() == "1001 moving\n"
    assert of_report(rig.v1)["closes"] == [[1001, "moving"]]
    row = ws.wait_access(1)[-1]
    assert (row["outcome"], row["close_code"], row["closed_by"]) == (
        "drain_closed", 1001, "segue")


def test_stop_closes_websockets(rig, ws):
    """At once, not at the deadline of the stop, which is 8 s."""
    child = stay(rig, ws)
    began = time.monotonic()
    ws.stop(signal.SIGTERM)
    assert time.monotonic() - began < 7
    assert child.stdout.readline() == "1001 stopping\n"
    assert ws.access()[-1]["outcome"] == "stop_closed"


def test_silent_ones_are_closed(rig, ws):
    """With a word, to both sides, as whoever reads the log sees."""
    ws.config["services"][0]["timeouts"] = {"tunnel": "300ms"}
    ws.write_config()
    ws.do("reload")
    child = stay(rig, ws)
    assert child.stdout.readline() == "1001 silent\n"
    wait_until(lambda: of_report(rig.v1)["closes"] == [[1001, "silent"]])
    row = ws.wait_access(1)[-1]
    assert (row["outcome"], row["close_code"], row["closed_by"]) == (
        "tunnel_timeout", 1001, "segue")


def test_instance_killed(rig, ws):
    """The client sees it at once, as without us."""
    child = stay(rig, ws)
    rig.v1.kill()
    assert child.stdout.readline().startswith("1006")
    wait_until(lambda: outcomes(ws).get("tunnelled") == 1)


def test_frozen_instance_is_not_waited_for(rig, ws):
    child = stay(rig, ws)
    rig.v1.child.send_signal(signal.SIGSTOP)
    ws.do("switch", "v2")
    ws.do("drain", "v1", "--streams", "0s", "--wait")
    assert child.stdout.readline() == "1001 moving\n"
    rig.v1.child.send_signal(signal.SIGCONT)
