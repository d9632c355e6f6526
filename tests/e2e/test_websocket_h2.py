"""WebSockets over HTTP/2 (RFC 8441) in front of instances that speak HTTP/1:
frame by frame, and real clients through everything that the promise names."""
import base64
import json
import signal
import struct
import time

import pytest

from rig import node, wait_until
from rig.browser import chromium
from rig.certs import Authority
from rig.h2wire import (CANCEL, DATA, END_HEADERS, END_STREAM, H2, NO_ERROR,
                        PROTOCOL, RST_STREAM, SETTINGS, frame, headers,
                        setting)
from rig.scripted import accept_of
from rig.segued import pool, service
from rig.wire import Client

ODD = {  # answers to a request for a WebSocket, and what the client is told
    "/no": ("403 Forbidden", "", 403),
    "/elsewhere": ("302 Found", "Location: /ws\r\n", 302),
    "/old": ("426 Upgrade Required", "Sec-WebSocket-Version: 13\r\n", 426),
    "/deaf": ("200 OK", "", 501),
}
BAD = {  # fields of a 101
    "/another-key": ("Connection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
    "/no-accept": "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "/no-connection": "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n",
    "/no-upgrade": "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
    "/another-protocol": ("Connection: Upgrade\r\nUpgrade: chat\r\n"
                          "Sec-WebSocket-Accept: %s\r\n"),
    "/twice": ("Connection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: x\r\n"),
}


def echo(conn):
    """Echoes bytes behind the handshake; "bye" behind the client's end.
    /mute does not, but answers a Close frame."""
    while (r := conn.request()) is not None:
        if r.field("upgrade") is None:
            conn.answer(b"plain")
        elif r.target in ODD:
            status, fields, _ = ODD[r.target]
            conn.answer(b"no", status=status, fields=fields)
        elif r.target in BAD:
            fields = BAD[r.target].replace(
                "%s", accept_of(r.field("sec-websocket-key")))
            conn.send(f"HTTP/1.1 101 Yes\r\n{fields}\r\n".encode())
        else:
            conn.switch(r)
            echo_bytes(conn, r.target)
            return


def echo_bytes(conn, target):
    data, conn.reader.have = conn.reader.have, b""
    while True:
        if data == b"cut":
            conn.reset()
            return
        if target != "/mute":
            conn.send(data)
        elif data[:1] == b"\x88":
            conn.send(b"\x88\x02\x03\xe9")
        data = conn.sock.recv(65536)
        if not data:
            conn.send(b"bye")
            conn.close()
            return


@pytest.fixture
def s(rig):
    a = rig.scripted("v1", "a", echo)
    b = rig.scripted("v2", "b", echo)
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b]),
                           sticky={"scope": "none"},
                           drain={"spread": "200ms"}))
    s.origin = a
    return s


def connect(path="/ws", protocol="websocket", scheme="http", more=()):
    return [(":method", "CONNECT"), (":protocol", protocol),
            (":scheme", scheme), (":path", path),
            (":authority", "web.example"), ("sec-websocket-version", "13"),
            *more]


def open_stream(c, n=1, path="/ws", more=()):
    c.send(headers(n, connect(path, more=more), END_HEADERS))
    assert c.until(lambda: n in c.status), c.frames
    assert c.status[n] == [200] and n not in c.ended, c.frames


def say(c, n, data, flags=0):
    c.send(frame(DATA, flags, n, data))


def hear(c, n, data):
    """Exactly these bytes come next."""
    assert c.exactly(n, len(data)) == data, c.frames


def outcomes(s):
    return s.admin.status()["services"][0]["outcomes"]


def test_it_is_offered(s):
    with H2(s.address) as c:
        assert c.ping()
        first = next(f for f in c.frames if f.kind == SETTINGS)
        pairs = [struct.unpack(">HI", first.payload[i:i + 6])
                 for i in range(0, len(first.payload), 6)]
        assert (8, 1) in pairs


def test_the_instance_gets_what_http1_would_say(s):
    with H2(s.address) as c:
        open_stream(c, more=[
            ("origin", "http://web.example"),
            ("sec-websocket-protocol", "chat, other"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec_websocket_key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("cookie", "a=1"), ("cookie", "b=2")])
        names = [n for n, _ in c.fields[1]]
        assert ("x-version", "v1") in [(n, v) for n, v in c.fields[1]]
        assert not {"upgrade", "connection", "sec-websocket-accept",
                    "sec-websocket-key"} & set(names)
        open_stream(c, 3)
    one, other = s.origin.requests[-2:]
    assert one.line == "GET /ws HTTP/1.1"
    assert one.field("Host") == "web.example"
    assert one.field("Upgrade") == "websocket"
    assert one.field("Connection") == "upgrade"
    assert one.field("Origin") == "http://web.example"
    assert one.field("Sec-WebSocket-Version") == "13"
    assert one.field("Sec-WebSocket-Protocol") == "chat, other"
    assert one.field("Sec-WebSocket-Extensions") == "permessage-deflate"
    assert one.field("Cookie") == "a=1; b=2"
    assert one.field("Via") == "2.0 segue"
    assert one.field("Content-Length") is None
    assert one.field("Transfer-Encoding") is None
    assert one.field("Sec_WebSocket_Key") is None
    assert one.head.lower().count(b"sec-websocket-key:") == 1
    keys = [r.field("Sec-WebSocket-Key") for r in (one, other)]
    assert [len(base64.b64decode(k, validate=True)) for k in keys] == [16, 16]
    assert keys[0] != keys[1] and "dGhlIHNhbXBsZSBub25jZQ==" not in keys


def test_bytes_both_ways_and_half_closes(s):
    """Windows of either side apart: neither may stop for ever."""
    with H2(s.address) as c:
        open_stream(c)
        c.window(0, 1 << 28)
        c.window(1, 1 << 28)
        for size in (1, 125, 16000):
            data = bytes(i % 251 for i in range(size))
            say(c, 1, data)
            hear(c, 1, data)
        assert s.admin.pool("v1")["streams"] == 1
        assert s.admin.pool("v1")["in_flight"] == 0
        say(c, 1, b"last", END_STREAM)
        hear(c, 1, b"lastbye")
        assert c.until(lambda: 1 in c.ended) and not c.resets, c.frames
        assert c.get(3) == 200  # the connection goes on
    wait_until(lambda: outcomes(s).get("tunnelled") == 1)
    row = next(r for r in s.wait_access(2) if r["outcome"] == "tunnelled")
    assert (row["method"], row["status"]) == ("GET", 200)
    assert row["bytes_in"] == row["bytes_out"] - 3 == 1 + 125 + 16000 + 4


def test_the_instance_ends_first(rig):
    """Its half only: what the client says still arrives."""
    heard = []

    def script(conn):
        if (r := conn.request()) is None:
            return  # a probe
        conn.switch(r)
        conn.send(b"hello")
        conn.sock.shutdown(1)
        while data := conn.sock.recv(65536):
            heard.append(data)

    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a", script)])))
    with H2(s.address) as c:
        open_stream(c)
        hear(c, 1, b"hello")
        assert c.until(lambda: 1 in c.ended) and not c.resets, c.frames
        say(c, 1, b"late")
        wait_until(lambda: b"".join(heard) == b"late")
        say(c, 1, b"r", END_STREAM)
        wait_until(lambda: outcomes(s).get("tunnelled") == 1)
        assert b"".join(heard) == b"later"
        assert c.ping() and not c.resets, c.frames


def test_bytes_right_behind_the_request(s):
    with H2(s.address) as c:
        c.send(headers(1, connect(), END_HEADERS) +
               frame(DATA, END_STREAM, 1, b"early"))
        assert c.until(lambda: 1 in c.ended)
        assert c.status[1] == [200] and c.bodies[1] == b"earlybye"
        c.send(headers(3, connect()))  # an end without a byte
        assert c.until(lambda: 3 in c.ended)
        assert c.status[3] == [200] and c.bodies[3] == b"bye"


@pytest.mark.parametrize("path", ODD)
def test_what_is_no_websocket_is_an_answer(s, path):
    """But none that would tell the client that it has one."""
    status, fields, told = ODD[path]
    with H2(s.address) as c:
        c.send(headers(1, connect(path), END_HEADERS))
        say(c, 1, b"early")
        assert c.answer(1) == told, c.frames
        if fields:
            name, value = fields.strip().split(": ")
            assert (name.lower(), value) in c.fields[1]
        assert c.until(lambda: 1 in c.resets)
        assert c.resets[1] == NO_ERROR  # RFC 9113 8.1
        open_stream(c, 3)
    assert outcomes(s).get("not_supported" if told == 501 else "answered") == 1


@pytest.mark.parametrize("path", BAD)
def test_a_101_that_is_none_is_not_believed(s, path):
    with H2(s.address) as c:
        c.send(headers(1, connect(path), END_HEADERS))
        assert c.answer(1) == 502, c.frames
        open_stream(c, 3)
    assert outcomes(s)["instance_malformed"] == 1


def test_an_instance_of_http2_has_none(rig):
    """It is not asked for one; whatever it says, none is open."""
    def script(conn):
        while (r := conn.request()) is not None:
            if r.target == "/no":
                conn.answer(r.stream, b"no", status="403")
            else:
                conn.answer(r.stream, b"yes")

    a = rig.h2("v1", "a", script)
    s = rig.segued(service(pool("v1", [a], protocol="h2c")))
    with H2(s.address) as c:
        c.send(headers(1, connect("/no"), END_HEADERS))
        assert c.answer(1) == 403
        c.send(headers(3, connect("/yes"), END_HEADERS))
        assert c.answer(3) == 501
        assert c.get(5, "/yes") == 200


def test_a_client_that_cancels(s):
    with H2(s.address) as c:
        open_stream(c)
        say(c, 1, b"x")
        hear(c, 1, b"x")
        c.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)))
        wait_until(lambda: s.admin.pool("v1")["streams"] == 0)
        assert c.get(3) == 200
    assert outcomes(s)["tunnelled"] == 1


def test_a_client_that_vanishes(s):
    c = H2(s.address)
    for n in (1, 3, 5):
        open_stream(c, n)
    assert s.admin.pool("v1")["streams"] == 3
    c.close()
    wait_until(lambda: s.admin.pool("v1")["streams"] == 0)
    assert outcomes(s)["tunnelled"] == 3


def test_an_instance_that_resets(s):
    """RFC 8441 5: that is CANCEL."""
    with H2(s.address) as c:
        open_stream(c)
        say(c, 1, b"cut")
        assert c.until(lambda: 1 in c.resets)
        assert c.resets[1] == CANCEL
        assert c.get(3) == 200


def test_a_field_section_within_a_tunnel(s):
    """RFC 9113 8.5."""
    with H2(s.address) as c:
        open_stream(c)
        c.send(headers(1, [("x-sum", "1")]))
        assert c.until(lambda: 1 in c.resets)
        assert c.resets[1] == PROTOCOL
        assert c.get(3) == 200
    wait_until(lambda: outcomes(s).get("tunnelled") == 1)


def test_a_reader_that_stops_holds_up_no_other(s):
    """And when it goes on, nothing is missing."""
    big = bytes(i % 256 for i in range(16000)) * 20
    with H2(s.address, settings=setting(4, 1000)) as c:
        open_stream(c, 1)
        open_stream(c, 3)
        c.window(0, 1 << 24)
        sent = 0
        while sent < 60000:  # our window, not the client's patience
            say(c, 1, big[sent:sent + 10000])
            sent += 10000
        assert c.until(lambda: len(c.bodies.get(1, b"")) == 1000)
        for i in range(20):
            say(c, 3, b"%040d" % i)
            hear(c, 3, b"%040d" % i)
        assert len(c.bodies[1]) == 1000
        c.window(1, 1 << 24)
        assert c.until(lambda: len(c.bodies[1]) == sent)
        assert c.bodies[1] == big[:sent]


def test_an_instance_that_does_not_read_stops_the_client(rig):
    """By the window of the stream alone."""
    def script(conn):
        if (r := conn.request()) is not None:
            conn.switch(r)
            time.sleep(3)

    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a", script)])),
                   workers=1)
    with H2(s.address) as c:
        open_stream(c)
        assert c.ping()
        given = 65535
        while given >= 16000:  # what the kernels hold is bounded
            say(c, 1, b"x" * 16000)
            given -= 16000
            before = len(c.frames)
            assert c.ping(b"%08d" % before)
            given += sum(int.from_bytes(f.payload, "big")
                         for f in c.frames[before:]
                         if f.kind == 8 and f.stream == 1)
        assert c.ping(b"standing")


# ---- the end ----

def assert_closed(c, n, reason):
    """A Close with 1001, of us; answers it; the stream ends with the word
    that HTTP/2 has for it."""
    close = b"\x88" + bytes([2 + len(reason)]) + b"\x03\xe9" + reason
    hear(c, n, close)
    say(c, n, b"\x88\x82\0\0\0\0\x03\xe9", END_STREAM)
    assert c.until(lambda: n in c.ended), c.frames
    assert c.resets.get(n, NO_ERROR) == NO_ERROR, c.frames


def test_a_drain_closes_with_a_word(s):
    with H2(s.address) as c:
        open_stream(c, 1, "/mute")
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "evict", "--streams", "0s")
        assert_closed(c, 1, b"moving")
        wait_until(lambda: s.admin.pool("v1")["state"] == "drained")
        open_stream(c, 3)  # the same connection, the other pool
        assert s.admin.pool("v2")["streams"] == 1
        say(c, 3, b"hi")
        hear(c, 3, b"hi")
        assert not c.goaways
    assert outcomes(s)["drain_closed"] == 1


def test_a_client_that_does_not_answer_our_close(s):
    """It has its end after a moment, and is asked to stop."""
    with H2(s.address) as c:
        open_stream(c, 1, "/mute")
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "evict", "--streams", "0s")
        hear(c, 1, b"\x88\x08\x03\xe9moving")
        assert c.until(lambda: 1 in c.resets)
        assert 1 in c.ended and c.resets[1] == NO_ERROR, c.frames
    assert outcomes(s)["drain_closed"] == 1


def test_a_stop_says_goaway_and_closes_with_a_word(s):
    """The connection stays until its streams have ended."""
    with H2(s.address) as c:
        for n in (1, 3, 5):
            open_stream(c, n, "/mute")
        s.send(signal.SIGTERM)
        assert c.until(lambda: c.goaways)
        assert c.goaways[0].code() == NO_ERROR and not c.ended
        for n in (1, 3, 5):
            assert_closed(c, n, b"stopping")
        assert c.end() == NO_ERROR
        assert c.goaways[-1].payload[:4] == b"\0\0\0\x05", c.frames
    s.checked = True
    assert s.wait_exit() == 0
    assert [r["outcome"] for r in s.access()[-3:]] == ["stop_closed"] * 3


def test_a_silent_one_is_closed_with_a_word(rig):
    a = rig.scripted("v1", "a", echo)
    s = rig.segued(service(pool("v1", [a]), timeouts={"tunnel": "300ms"}))
    with H2(s.address) as c:
        open_stream(c, 1, "/mute")
        assert_closed(c, 1, b"silent")
    wait_until(lambda: outcomes(s).get("tunnel_timeout") == 1)


def test_what_is_no_websocket_inside_is_cut(s):
    with H2(s.address) as c:
        open_stream(c)
        say(c, 1, b"\xff no frame")
        hear(c, 1, b"\xff no frame")
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "evict", "--streams", "0s")
        assert c.until(lambda: 1 in c.resets)
        assert c.resets[1] == CANCEL
    assert outcomes(s)["drain_cut"] == 1


# ---- real ones; more in test_websocket.py ----

@pytest.mark.parametrize("over", ["", "h2:"])
def test_an_instance_of_both_is_asked_in_http1(rig, over):
    """protocol: auto: its requests go over HTTP/2, and WebSockets can not."""
    ca = Authority(rig)
    leaf = ca.leaf("127.0.0.1")
    a = node.NodeInstance(rig, "ws_server.js", "v1", "-", leaf.cert, leaf.key)
    s = rig.segued(service(pool(
        "v1", [{"name": "a", "address": a.address}],
        protocol="auto", tls={"ca": [ca.cert]})))
    with Client(s.address) as c:
        assert c.get("/").field("x-over") == "2.0"
        node.run("ws_try.js", f"{over}ws://{s.address}/ws", "deflate")
        node.run("ws_try.js", f"{over}ws://{s.address}/ws", "subprotocol")
        assert c.get("/").field("x-over") == "2.0"
    wait_until(lambda: outcomes(s).get("tunnelled") == 2)


# ---- Chromium, which asks as RFC 8441 says where that is offered ----

PAGE = """<!doctype html><title>talks</title><script>
const seen = { answers: 0, failed: [], closes: [], servers: [] };
let n = 0;

function connect()
{
	const ws = new WebSocket(`wss://${location.host}/ws`, ["chat"]);
	let waiting = "";

	function say() {
		if (ws.readyState !== WebSocket.OPEN)
			return;
		waiting = `c0 ${n++} ${"x".repeat(n % 20 === 7 ? 70000 : 10)}`;
		ws.send(waiting);
	}

	ws.onopen = say;
	ws.onmessage = (e) => {
		const [server] = e.data.split(" ", 1);

		if (e.data !== `${server} ${waiting}` || ws.protocol !== "chat")
			seen.failed.push(e.data.slice(0, 50));
		waiting = "";
		seen.answers++;
		if (seen.servers.at(-1) !== server)
			seen.servers.push(server);
		if (server === "v2")
			ws.send("tell " + JSON.stringify(seen));
		else
			setTimeout(say, 20);
	};
	ws.onclose = (e) => {
		seen.closes.push([e.code, e.reason, e.wasClean]);
		if (waiting !== "")
			n--; /* never seen by an instance: it is said again */
		if (seen.closes.length < 3)
			connect();
	};
}

/* Not before there is a connection that it can share. */
fetch("/page").then(connect);
</script>
"""


def told(instance):
    with Client(instance.address) as c:
        return json.loads(c.get("/report").body)


def test_chromium_is_told_to_come_back(rig):
    page, ca = f"{rig.dir}/page.html", Authority(rig)
    with open(page, "w", encoding="ascii") as f:
        f.write(PAGE)
    leaf = ca.leaf("localhost")
    v1, v2 = (node.NodeInstance(rig, "ws_server.js", v, page)
              for v in ("v1", "v2"))
    s = rig.segued(service(pool("v1", [v1], share="100%"), pool("v2", [v2])),
                   start=False)
    s.config["listeners"][0]["tls"] = {"certificates": [leaf.row()]}
    s.write_config()
    s.start()
    child = chromium(rig, f"https://localhost:{s.port.number}/page", leaf.cert)
    wait_until(lambda: len(told(v1)["received"].get("c0", [])) > 20, 30)
    s.do("reload")
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "evict", "--streams", "0s", "--wait")
    seen = json.loads(wait_until(lambda: told(v2)["told"], 30)[0])
    child.kill()
    child.wait()
    assert seen["failed"] == []
    assert seen["closes"] == [[1001, "moving", True]]
    assert seen["servers"] == ["v1", "v2"]
    got = [told(v)["received"]["c0"] for v in (v1, v2)]
    assert got[0] + got[1] == list(range(seen["answers"]))
    row = wait_until(lambda: [r for r in s.access()
                              if r["target"] == "/ws"])[0]
    assert row["status"] == 200, "it came over HTTP/2"
    assert (row["outcome"], row["close_code"]) == ("drain_closed", 1001)
