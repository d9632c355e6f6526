"""Raw HTTP/1 answers of instances and what the client gets (RFC 9110, 9112).

Each row is sent whole, byte by byte and cut at every byte.  A malformed
answer is 502, or a cut the client can see, and its connection is never used
again; bytes behind an answer never reach the next client.
"""
import socket
import threading
import time

import pytest

from rig.segued import pool, service
from rig.wire import Answer, Closed, Reader

H = "Host: a.example\r\n"
OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
NO_BODY = "Content-Length: 0\r\n\r\n"


class Row:
    """why; what the instance answers; what the client gets.

    status, body: of the final answer; body None: cut so that it is seen.
    interim: statuses before it.  again: the instance's connection serves the
    next request, too.  ends: the instance closes behind its bytes.
    has, hasnot: in the head the client gets.
    """

    def __init__(self, why, raw, status, body=b"", again=True, ends=False,
                 method="GET", version="1.1", interim=(), has=(), hasnot=(),
                 fields=""):
        self.why, self.status, self.body = why, status, body
        self.raw = raw.encode("latin-1")
        self.again, self.ends, self.method = again, ends, method
        self.version, self.interim = version, list(interim)
        self.has, self.hasnot, self.fields = has, hasnot, fields


def bad(why, raw, **kw):
    """Malformed before any byte of it went to the client."""
    kw.setdefault("body", ...)
    return Row(why, raw, 502, again=False, **kw)


def cut(why, raw, **kw):
    """Malformed or ended within its body."""
    return Row(why, raw, 200, None, again=False, **kw)


ROWS = [
    # ---- start line (RFC 9112 4) ----
    Row("the plainest", OK + NO_BODY, 200),
    Row("no reason phrase", "HTTP/1.1 200 \r\n" + NO_BODY, 200),
    Row("nor the space before it", "HTTP/1.1 200\r\n" + NO_BODY, 200),
    Row("an unknown status passes", "HTTP/1.1 299 Odd\r\n" + NO_BODY, 299),
    Row("obs-text in the reason", "HTTP/1.1 200 \xe4\r\n" + NO_BODY, 200),
    bad("no HTTP at all", "SSH-2.0-x\r\n\r\n"),
    bad("HTTP/2", "HTTP/2.0 200 OK\r\n" + NO_BODY),
    bad("a status of two digits", "HTTP/1.1 20 OK\r\n" + NO_BODY),
    bad("a status of four digits", "HTTP/1.1 2000 OK\r\n" + NO_BODY),
    bad("a status below 100", "HTTP/1.1 099 No\r\n" + NO_BODY),
    bad("a bare LF ends it", "HTTP/1.1 200 OK\n" + NO_BODY),
    bad("NUL in the reason", "HTTP/1.1 200 O\0K\r\n" + NO_BODY),
    # ---- fields ----
    bad("a space before the colon", OK + "X-A : b\r\n" + NO_BODY),
    bad("a folded line", OK + "X-A: b\r\n c\r\n" + NO_BODY),
    bad("no colon", OK + "X-A\r\n" + NO_BODY),
    bad("a bare CR in a value", OK + "X-A: b\rc\r\n" + NO_BODY),
    bad("a NUL in a value", OK + "X-A: b\0c\r\n" + NO_BODY),
    bad("a field too big", OK + "X-A: " + "b" * 70000 + "\r\n" + NO_BODY),
    Row("fields of one hop go no further", OK + "Connection: X-Hop\r\n"
        "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: b\r\n"
        "X-Stay: 1\r\n" + NO_BODY, 200, has=["X-Stay: 1"],
        hasnot=["X-Hop", "Keep-Alive", "Proxy-Auth"]),
    Row("each Set-Cookie stays", OK + "Set-Cookie: a=1\r\n"
        "Set-Cookie: b=2; Path=/\r\n" + NO_BODY, 200,
        has=["Set-Cookie: a=1\r\n", "Set-Cookie: b=2; Path=/\r\n"]),
    # ---- length ----
    Row("a length", OK + "Content-Length: 3\r\n\r\nabc", 200, b"abc"),
    bad("two lengths", OK + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"
        "abcd"),
    bad("a list of lengths", OK + "Content-Length: 3, 3\r\n\r\nabc"),
    bad("a signed length", OK + "Content-Length: +3\r\n\r\nabc"),
    bad("a length above 64 bits",
        OK + "Content-Length: 99999999999999999999\r\n\r\n"),
    bad("a length and chunked, 6.3",
        OK + CHUNKED + "Content-Length: 3\r\n\r\n0\r\n\r\n"),
    cut("it closes within the body", OK + "Content-Length: 9\r\n\r\nabc",
        ends=True),
    bad("it closes within the head", OK + "Content-Le", ends=True),
    # ---- chunked ----
    Row("chunks", OK + CHUNKED + "\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", 200,
        b"abcd"),
    Row("extensions", OK + CHUNKED + "\r\n3;a=b\r\nabc\r\n0;c\r\n\r\n", 200,
        b"abc"),
    Row("trailers", OK + CHUNKED + "\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
        200, b"abc"),
    cut("it closes within a chunk", OK + CHUNKED + "\r\n9\r\nabc",
        ends=True),
    cut("it closes before the last chunk",
        OK + CHUNKED + "\r\n3\r\nabc\r\n", ends=True),
    cut("a bad size", OK + CHUNKED + "\r\n3\r\nabc\r\nzz\r\n"),
    cut("no CRLF behind a chunk", OK + CHUNKED + "\r\n3\r\nabcd\r\n0\r\n\r\n"),
    bad("another coding", OK + "Transfer-Encoding: gzip\r\n\r\nabc",
        ends=True),
    bad("chunked is not last",
        OK + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    # ---- until close (RFC 9112 6.3) ----
    Row("no length: until close", OK + "\r\nabc", 200, b"abc", again=False,
        ends=True),
    Row("HTTP/1.0, until close", "HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc",
        again=False, ends=True),
    Row("HTTP/1.0 with a length closes",
        "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc",
        again=False),
    Row("HTTP/1.0 that stays", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
        "Content-Length: 3\r\n\r\nabc", 200, b"abc"),
    Row("Connection: close", OK + "Connection: close\r\nContent-Length: 3"
        "\r\n\r\nabc", 200, b"abc", again=False),
    Row("chunked for a client of 1.0", OK + CHUNKED +
        "\r\n3\r\nabc\r\n0\r\n\r\n", 200, b"abc", version="1.0"),
    # ---- without a body (RFC 9110 15.3.5, 15.4.5, 9.3.2) ----
    Row("204", "HTTP/1.1 204 No Content\r\n\r\n", 204),
    Row("304 with a length", "HTTP/1.1 304 Not Modified\r\n"
        "Content-Length: 77\r\n\r\n", 304, has=["Content-Length: 77"]),
    Row("HEAD with a length", OK + "Content-Length: 77\r\n\r\n", 200,
        method="HEAD", has=["Content-Length: 77"]),
    Row("HEAD with chunked", OK + CHUNKED + "\r\n", 200, method="HEAD"),
    # ---- interim answers (RFC 9110 15.2) ----
    Row("103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK +
        NO_BODY, 200, interim=[103]),
    Row("two of them", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + OK +
        NO_BODY, 200, interim=[103, 103]),
    Row("a client of 1.0 gets none", "HTTP/1.1 103 E\r\n\r\n" + OK + NO_BODY,
        200, version="1.0"),
    bad("101 nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n"
        "Connection: upgrade\r\nUpgrade: x\r\n\r\n"),
    # ---- behind the answer ----
    Row("bytes behind it", OK + NO_BODY + "HTTP/1.1 200 Evil\r\n" + NO_BODY,
        200, again=False),
    Row("bytes behind a body", OK + "Content-Length: 3\r\n\r\nabcEVIL", 200,
        b"abc", again=False),
    Row("bytes behind 204", "HTTP/1.1 204 No Content\r\n\r\nEVIL", 204,
        again=False),
    Row("it closes behind it", OK + NO_BODY, 200, again=False, ends=True),
]


class Stage:
    """What the instance does at /row, set before each run."""

    def __init__(self):
        self.parts, self.ends = [], False
        self.lock = threading.Lock()
        self.conns = []  # which connection served each request

    def script(self, conn):
        while (r := conn.request()) is not None:
            with self.lock:
                self.conns.append((r.target, id(conn)))
            if r.target != "/row":
                conn.answer(b"next")
                continue
            for i, part in enumerate(self.parts):
                if i > 0:
                    time.sleep(0.0002)
                conn.send(part)
            if self.ends:
                return


@pytest.fixture(scope="module")
def site():
    from rig import Rig
    rig, stage = Rig(), Stage()
    try:
        a = rig.scripted("v1", "a", stage.script)
        s = rig.segued(service(
            pool("v1", [a], probe={"interval": "30s",
                                   "fast_interval": "30ms"}),
            sticky={"scope": "none"}, retry={"attempts": 0}), workers=1)
        yield stage, s
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


def ask(s, row):
    """(interim statuses, head, answer's body or None when cut)"""
    with socket.create_connection((s.port.host, s.port.number), 5) as sock:
        sock.sendall(f"{row.method} /row HTTP/{row.version}\r\n{H}"
                     f"{row.fields}\r\n".encode())
        reader, interim = Reader(sock), []
        while True:
            try:
                head = reader.head()
            except ConnectionResetError:
                return interim, None, None  # cut before its head had left
            status = Answer(head, b"").status
            if status >= 200:
                break
            interim.append(status)
        try:
            body = reader.body(head, bodyless=row.method == "HEAD" or
                               status in (204, 304))
        except (Closed, ConnectionResetError):
            body = None
        return interim, head, body


def run(site, row, parts, how):
    stage, s = site
    stage.parts, stage.ends = parts, row.ends
    stage.conns.clear()
    why = f"{row.why} ({how})"
    interim, head, body = ask(s, row)
    text = (head or b"").decode("latin-1")
    assert head is None or Answer(head, b"").status == row.status, \
        f"{why}: {text}"
    assert head is not None or row.body is None, f"{why}: reset"
    assert interim == row.interim, why
    if row.body is not ...:
        assert body == row.body, why
    for word in row.has:
        assert word in text, f"{why}: no {word!r} in {text}"
    for word in row.hasnot:
        assert word not in text, f"{why}: {word!r} in {text}"
    # The next client is served, and never by what was left over.  What an
    # instance sends when the next request is on its way already, nobody can
    # tell from its answer: so the rest comes first.
    if not row.again:
        time.sleep(0.005)
    _, head, body = ask_next(s)
    assert body == b"next", why
    rows = [c for t, c in stage.conns if t == "/row"]
    again = [c for t, c in stage.conns if t == "/next"]
    assert len(rows) == 1 and len(again) == 1, why
    assert (rows[0] == again[0]) == row.again, \
        f"{why}: the instance's connection " + \
        ("was given up" if row.again else "was used again")


def ask_next(s):
    with socket.create_connection((s.port.host, s.port.number), 5) as sock:
        sock.sendall(f"GET /next HTTP/1.1\r\n{H}\r\n".encode())
        reader = Reader(sock)
        head = reader.head()
        return [], head, reader.body(head)


def cuts(raw):
    step = max(1, len(raw) // 100 if len(raw) > 400 else 1)
    return range(1, len(raw), step)


@pytest.mark.parametrize("row", ROWS, ids=[r.why for r in ROWS])
def test_response(site, row):
    run(site, row, [row.raw], "whole")
    for i in cuts(row.raw):
        run(site, row, [row.raw[:i], row.raw[i:]], f"cut at {i}")
    if len(row.raw) < 400:
        run(site, row, [row.raw[i:i + 1] for i in range(len(row.raw))],
            "byte by byte")
