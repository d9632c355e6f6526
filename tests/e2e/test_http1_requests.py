"""Raw HTTP/1 requests and what must become of them (RFC 9110, RFC 9112).

Each row is sent whole, byte by byte, and cut at every byte: the outcome must
be the same.  What is refused never reaches the instance.
"""
import socket
import time

import pytest

from rig.segued import pool, service
from rig.wire import Answer, Closed, Reader

OPEN, CLOSED = "open", "closed"
H = "Host: a.example\r\n"


class Row:
    """why; the bytes; statuses in order; what follows.

    seen: request lines at the instance (None: as many as 200s).
    has, hasnot: texts in the last head the instance saw; body: what it read.
    """

    def __init__(self, why, raw, status, after, seen=None, has=(), hasnot=(),
                 body=None, half_close=False):
        self.why, self.after, self.seen = why, after, seen
        self.raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        self.status = [status] if isinstance(status, int) else status
        self.has, self.hasnot, self.body = has, hasnot, body
        self.half_close = half_close


def good(why, raw, **kw):
    kw.setdefault("after", OPEN)
    return Row(why, raw, kw.pop("status", 200), **kw)


def bad(why, raw, status=400):
    return Row(why, raw, status, CLOSED, seen=[])


def get(target="/", fields=H, version="1.1"):
    return f"GET {target} HTTP/{version}\r\n{fields}\r\n"


def post(fields, body, host=H):
    return f"POST /p HTTP/1.1\r\n{host}{fields}\r\n{body}"


CHUNKED = "Transfer-Encoding: chunked\r\n"

ROWS = [
    # ---- start line (RFC 9112 2.2, 3) ----
    good("the plainest", get(), seen=["GET / HTTP/1.1"]),
    good("an empty line before it, 2.2", "\r\n" + get()),
    good("two empty lines before it", "\r\n\r\n" + get()),
    bad("empty lines without end", "\r\n" * 40 + get()),
    bad("no version: HTTP/0.9", "GET /\r\n\r\n"),
    bad("two spaces", "GET  / HTTP/1.1\r\n" + H + "\r\n"),
    bad("a space before it", " GET / HTTP/1.1\r\n" + H + "\r\n"),
    bad("a space behind it", "GET / HTTP/1.1 \r\n" + H + "\r\n"),
    bad("a tab for a space", "GET\t/ HTTP/1.1\r\n" + H + "\r\n"),
    bad("a bare LF ends it", "GET / HTTP/1.1\n" + H + "\r\n"),
    bad("a bare CR within", "GET /\r HTTP/1.1\r\n" + H + "\r\n"),
    bad("NUL in the target", "GET /\0 HTTP/1.1\r\n" + H + "\r\n"),
    bad("a space in the target", "GET /a b HTTP/1.1\r\n" + H + "\r\n"),
    bad("no ASCII in the target", "GET /\xe4 HTTP/1.1\r\n" + H + "\r\n"),
    bad("a fragment in the target", get("/a#b")),
    bad("a target without slash", get("a")),
    bad("a lower-case version", "GET / http/1.1\r\n" + H + "\r\n"),
    bad("a version with two digits", "GET / HTTP/1.10\r\n" + H + "\r\n"),
    bad("HTTP/2.0 in a start line", get(version="2.0"), 505),
    bad("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    bad("HTTP/3", get(version="3.0"), 505),
    good("a later minor version is 1.1", get(version="1.2")),
    bad("a method that is no token", "G(T / HTTP/1.1\r\n" + H + "\r\n"),
    good("an unknown method passes", "BREW /pot HTTP/1.1\r\n" + H + "\r\n",
         seen=["BREW /pot HTTP/1.1"]),
    good("methods have case", "get / HTTP/1.1\r\n" + H + "\r\n",
         seen=["get / HTTP/1.1"]),
    # ---- targets (RFC 9112 3.2) ----
    good("a query", get("/a?b=c&d=%20"), seen=["GET /a?b=c&d=%20 HTTP/1.1"]),
    good("escapes are not touched", get("/%41%2f%2E"),
         seen=["GET /%41%2f%2E HTTP/1.1"]),
    good("two slashes are not touched", get("//a"),
         seen=["GET //a HTTP/1.1"]),
    good("absolute form: its authority wins, 3.2.2",
         "GET http://b.example/x?y HTTP/1.1\r\n" + H + "\r\n",
         seen=["GET /x?y HTTP/1.1"], has=["Host: b.example"],
         hasnot=["Host: a.example"]),
    good("absolute form without a path", "GET http://b.example HTTP/1.1\r\n" +
         H + "\r\n", seen=["GET / HTTP/1.1"]),
    bad("absolute form with user information",
        "GET http://u@b.example/ HTTP/1.1\r\n" + H + "\r\n"),
    bad("absolute form without a host",
        "GET http:///x HTTP/1.1\r\n" + H + "\r\n"),
    bad("another scheme", "GET ftp://b.example/ HTTP/1.1\r\n" + H + "\r\n"),
    good("asterisk with OPTIONS", "OPTIONS * HTTP/1.1\r\n" + H + "\r\n",
         seen=["OPTIONS * HTTP/1.1"]),
    bad("asterisk with another method", get("*")),
    bad("CONNECT is refused", "CONNECT a.example:443 HTTP/1.1\r\n" + H +
        "\r\n", 405),
    # ---- Host (RFC 9112 3.2, 9110 7.2) ----
    bad("1.1 without Host", get(fields="")),
    good("1.0 without Host: the instance gets one", get(fields="",
         version="1.0"), after=CLOSED, has=["Host: 127.0.0.1:"]),
    bad("two of them", get(fields=H + H)),
    bad("two that differ", get(fields=H + "Host: b.example\r\n")),
    bad("a list", get(fields="Host: a.example, b.example\r\n")),
    bad("a path in it", get(fields="Host: a.example/x\r\n")),
    bad("user information in it", get(fields="Host: u@a.example\r\n")),
    bad("a port that is none", get(fields="Host: a.example:x\r\n")),
    bad("a port too high", get(fields="Host: a.example:70000\r\n")),
    good("a port", get(fields="Host: a.example:8080\r\n"),
         has=["Host: a.example:8080"]),
    good("an IPv6 address", get(fields="Host: [::1]:80\r\n"),
         has=["Host: [::1]:80"]),
    # ---- fields (RFC 9112 5, 9110 5.5, 5.6.2) ----
    bad("a space before the colon", get(fields=H + "X-A : b\r\n")),
    bad("a tab before the colon", get(fields=H + "X-A\t: b\r\n")),
    bad("a folded line", get(fields=H + "X-A: b\r\n c\r\n")),
    bad("a folded first line", get(fields=" X-A: b\r\n" + H)),
    bad("no colon", get(fields=H + "X-A\r\n")),
    bad("an empty name", get(fields=H + ": b\r\n")),
    bad("a name that is no token", get(fields=H + "X(A): b\r\n")),
    bad("NUL in a value", get(fields=H + "X-A: b\0c\r\n")),
    bad("a bare CR in a value", get(fields=H + "X-A: b\rc\r\n")),
    bad("a bare LF ends a field", get(fields=H + "X-A: b\n")),
    bad("a control byte in a value", get(fields=H + "X-A: b\x01c\r\n")),
    bad("DEL in a value", get(fields=H + "X-A: b\x7fc\r\n")),
    good("obs-text in a value", get(fields=H + "X-A: b\xe4c\r\n"),
         has=["X-A: b\xe4c"]),
    good("an empty value", get(fields=H + "X-A:\r\n"), has=["X-A:"]),
    good("white space around a value", get(fields=H + "X-A: \t b \t\r\n"),
         has=["X-A: b\r\n"]),
    good("a field twice stays twice", get(fields=H + "X-A: 1\r\nX-A: 2\r\n"),
         has=["X-A: 1\r\n", "X-A: 2\r\n"]),
    # ---- bodies by length (RFC 9112 6.2, 6.3; 9110 8.6) ----
    good("a length", post("Content-Length: 3\r\n", "abc"), body=b"abc"),
    good("length zero", post("Content-Length: 0\r\n", ""), body=b""),
    good("no length, no body", post("", ""), body=b""),
    good("a body on GET", "GET / HTTP/1.1\r\n" + H +
         "Content-Length: 2\r\n\r\nhi", body=b"hi"),
    good("a length with zeros before it",
         post("Content-Length: 003\r\n", "abc"), body=b"abc"),
    bad("a signed length", post("Content-Length: +3\r\n", "abc")),
    bad("a negative length", post("Content-Length: -3\r\n", "abc")),
    bad("a hexadecimal length", post("Content-Length: 0x3\r\n", "abc")),
    bad("an empty length", post("Content-Length:\r\n", "abc")),
    bad("a length with a space within", post("Content-Length: 1 3\r\n",
                                              "abc")),
    bad("a length above 64 bits",
        post("Content-Length: 18446744073709551619\r\n", "abc")),
    bad("two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n",
                            "abcd")),
    bad("one length twice: stricter than 6.3",
        post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")),
    bad("a list of lengths", post("Content-Length: 3, 3\r\n", "abc")),
    bad("a length beyond the limit",
        post("Content-Length: 2000000\r\n", ""), 413),
    # ---- chunked bodies (RFC 9112 6.1, 7.1) ----
    good("chunks", post(CHUNKED, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
         body=b"abcde"),
    good("no chunk", post(CHUNKED, "0\r\n\r\n"), body=b""),
    good("sizes in both cases", post(CHUNKED, "A\r\n0123456789\r\n" +
                                     "a\r\n0123456789\r\n0\r\n\r\n"),
         body=b"0123456789" * 2),
    good("zeros before a size", post(CHUNKED, "0003\r\nabc\r\n00\r\n\r\n"),
         body=b"abc"),
    good("extensions are skipped, 7.1.1",
         post(CHUNKED, "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"), body=b"abc"),
    good("trailers pass", post(CHUNKED, "1\r\na\r\n0\r\nX-T: 1\r\n\r\n"),
         body=b"a"),
    good("chunked, in capitals", post("Transfer-Encoding: CHUNKED\r\n",
                                      "1\r\na\r\n0\r\n\r\n"), body=b"a"),
    bad("chunked and a length: smuggling, 6.3",
        post(CHUNKED + "Content-Length: 3\r\n", "0\r\n\r\n")),
    bad("a length and chunked", post("Content-Length: 3\r\n" + CHUNKED,
                                     "0\r\n\r\n")),
    bad("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n",
                              "0\r\n\r\n")),
    bad("chunked in two fields", post(CHUNKED + CHUNKED, "0\r\n\r\n")),
    bad("chunked is not last", post("Transfer-Encoding: chunked, gzip\r\n",
                                    "0\r\n\r\n")),
    bad("another coding alone: no end can be found, 6.3",
        post("Transfer-Encoding: gzip\r\n", "")),
    bad("gzip, then chunked", post("Transfer-Encoding: gzip, chunked\r\n",
                                   "0\r\n\r\n"), 501),
    bad("identity", post("Transfer-Encoding: identity\r\n", "")),
    bad("no coding at all", post("Transfer-Encoding:\r\n", "")),
    bad("a coding in quotes", post("Transfer-Encoding: \"chunked\"\r\n",
                                   "0\r\n\r\n")),
    bad("chunked with a parameter",
        post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n")),
    bad("chunked in HTTP/1.0, 6.1",
        "POST /p HTTP/1.0\r\n" + H + CHUNKED + "\r\n0\r\n\r\n"),
    # ---- connection (RFC 9112 9.3, 9110 7.6.1) ----
    good("Connection: close", get(fields=H + "Connection: close\r\n"),
         after=CLOSED, hasnot=["close"]),
    good("close in a list and in capitals",
         get(fields=H + "Connection: foo, CLOSE\r\n"), after=CLOSED),
    good("1.0 closes", get(version="1.0"), after=CLOSED),
    good("1.0 that asks to stay",
         get(fields=H + "Connection: keep-alive\r\n", version="1.0")),
    good("what Connection names goes no further",
         get(fields=H + "Connection: X-Hop, x-other\r\nX-Hop: 1\r\n"
             "X-Other: 2\r\nX-Stay: 3\r\n"),
         has=["X-Stay: 3"], hasnot=["X-Hop", "X-Other", "Connection:"]),
    good("it cannot name Host away",
         get(fields=H + "Connection: host, cookie\r\nCookie: a=b\r\n"),
         has=["Host: a.example", "Cookie: a=b"]),
    good("fields of one hop go no further",
         get(fields=H + "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\n"
             "Proxy-Authorization: b\r\nHTTP2-Settings: AAA\r\n"),
         hasnot=["Keep-Alive", "Proxy-Connection", "TE:", "Proxy-Auth",
                 "HTTP2-Settings"]),
    good("Upgrade without Connection is not one",
         get(fields=H + "Upgrade: websocket\r\n"), hasnot=["Upgrade"]),
    # ---- forwarding headers ----
    good("who asks is said anew", get(fields=H + "X-Forwarded-For: 6.6.6.6\r\n"
         "Forwarded: for=6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
         "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n"),
         has=["X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n",
              "X-Forwarded-Host: a.example\r\n"],
         hasnot=["6.6.6.6", "evil"]),
    # ---- pipelining (RFC 9112 9.3.2) ----
    good("two in one go", get("/1") + get("/2"), status=[200, 200],
         seen=["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"]),
    good("behind a body", post("Content-Length: 3\r\n", "abc") + get("/2"),
         status=[200, 200], seen=["POST /p HTTP/1.1", "GET /2 HTTP/1.1"]),
    good("behind chunks", post(CHUNKED, "1\r\na\r\n0\r\n\r\n") + get("/2"),
         status=[200, 200], seen=["POST /p HTTP/1.1", "GET /2 HTTP/1.1"]),
    Row("a bad one behind a good one", get("/1") + "GET /\0 HTTP/1.1\r\n\r\n",
        [200, 400], CLOSED, seen=["GET /1 HTTP/1.1"]),
    Row("nothing is read behind close",
        get("/1", H + "Connection: close\r\n") + get("/2"), [200], CLOSED,
        seen=["GET /1 HTTP/1.1"]),
    # ---- half-close ----
    Row("FIN behind the request", get(), [200], CLOSED, half_close=True),
    # ---- expectations (RFC 9110 10.1.1) ----
    bad("an unknown expectation", get(fields=H + "Expect: magic\r\n"), 417),
    good("1.0 cannot expect", "POST /p HTTP/1.0\r\n" + H +
         "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", body=b"hi",
         after=CLOSED),
    # ---- limits ----
    bad("a target too long", get("/" + "a" * 17000), 414),
    bad("a field too big", get(fields=H + "X-A: " + "b" * 33000 + "\r\n"),
        431),
    bad("a head too big", get(fields=H + ("X-A: " + "b" * 30000 + "\r\n") *
                              3), 431),
    bad("too many fields", get(fields=H + "X-A: b\r\n" * 101), 431),
]

# Bad chunks: the request may have begun to reach the instance, but the answer
# is an error, the connection ends, and the instance's copy is cut.
CHUNK_ROWS = [
    ("a size that is none", "g\r\n"),
    ("an empty size", "\r\n"),
    ("a size with 0x", "0x1\r\na\r\n0\r\n\r\n"),
    ("a signed size", "+1\r\na\r\n0\r\n\r\n"),
    ("a space before a size", " 1\r\na\r\n0\r\n\r\n"),
    ("a size above 64 bits", "10000000000000001\r\na\r\n0\r\n\r\n"),
    ("a bare LF behind a size", "1\na\r\n0\r\n\r\n"),
    ("a bare CR behind a size", "1\ra\r\n0\r\n\r\n"),
    ("no CRLF behind a chunk", "1\r\nab\r\n0\r\n\r\n"),
    ("a bare LF behind a chunk", "1\r\na\n0\r\n\r\n"),
    ("a NUL in an extension", "1;\0\r\na\r\n0\r\n\r\n"),
    ("an extension without end", "1;" + "a" * 9000 + "\r\na\r\n0\r\n\r\n"),
    ("a trailer with a space before its colon",
     "1\r\na\r\n0\r\nX-T : 1\r\n\r\n"),
    ("a folded trailer", "1\r\na\r\n0\r\nX-T: 1\r\n b\r\n\r\n"),
    ("a bare LF in a trailer", "1\r\na\r\n0\r\nX-T: 1\n\r\n"),
]


@pytest.fixture(scope="module")
def site(request):
    """One instance and one segued for all rows."""
    from rig import Rig
    rig = Rig()
    try:
        a = rig.scripted("v1", "a")
        s = rig.segued(service(pool("v1", [a], probe={
            "interval": "30s", "fast_interval": "30ms"}),
            limits={"body": "1MiB"}, sticky={"scope": "none"}))
        yield a, s
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


def connect(s):
    sock = socket.create_connection((s.port.host, s.port.number), 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def send_parts(sock, parts):
    """As separate segments; a peer that has closed ends it."""
    try:
        for i, part in enumerate(parts):
            if i > 0:
                time.sleep(0.0002)
            sock.sendall(part)
    except OSError:
        pass


def read_answers(reader, n):
    """The statuses of n final answers; fewer when the peer closes."""
    got = []
    try:
        while len(got) < n:
            head = reader.head()
            a = Answer(head, b"")
            if a.status < 200:
                continue
            a.body = reader.body(head)
            got.append(a.status)
    except (Closed, ConnectionResetError):
        pass
    return got


def is_open(sock, reader):
    """Does the connection take one request more?"""
    try:
        sock.sendall(b"GET /more HTTP/1.1\r\nHost: a\r\n\r\n")
        return read_answers(reader, 1) == [200]
    except OSError:
        return False


def is_closed(reader):
    """Nothing more comes, and the peer closes."""
    try:
        return reader.rest() == b""
    except ConnectionResetError:
        return True


def run(site, row, parts, how):
    a, s = site
    a.requests.clear()
    with connect(s) as sock:
        reader = Reader(sock)
        send_parts(sock, parts)
        if row.half_close:
            sock.shutdown(socket.SHUT_WR)
        why = f"{row.why} ({how})"
        assert read_answers(reader, len(row.status)) == row.status, why
        if row.after == OPEN:
            assert is_open(sock, reader), f"{why}: closed"
        else:
            assert is_closed(reader), f"{why}: open"
    lines = [r.line for r in a.requests if r.target != "/more"]
    if row.seen is not None:
        assert lines == row.seen, why
    else:
        assert len(lines) == row.status.count(200), why
    if not lines:
        return
    last = [r for r in a.requests if r.target != "/more"][-1]
    text = last.head.decode("latin-1")
    for word in row.has:
        assert word in text, f"{why}: no {word!r} in {text}"
    for word in row.hasnot:
        assert word not in text, f"{why}: {word!r} in {text}"
    if row.body is not None:
        assert last.body == row.body, why


def cuts(raw):
    """Every place for a short message, fifty for a long one."""
    step = max(1, len(raw) // 200 if len(raw) > 400 else 1)
    return range(1, len(raw), step)


@pytest.mark.parametrize("row", ROWS, ids=[r.why for r in ROWS])
def test_request(site, row):
    run(site, row, [row.raw], "whole")
    for i in cuts(row.raw):
        run(site, row, [row.raw[:i], row.raw[i:]], f"cut at {i}")
    if len(row.raw) < 400:
        run(site, row, [row.raw[i:i + 1] for i in range(len(row.raw))],
            "byte by byte")


@pytest.mark.parametrize("why,body", CHUNK_ROWS, ids=[r[0] for r in
                                                      CHUNK_ROWS])
def test_bad_chunks(site, why, body):
    a, s = site
    raw = post(CHUNKED, body).encode("latin-1")
    for i in [len(raw), *cuts(raw)]:
        a.requests.clear()
        with connect(s) as sock:
            reader = Reader(sock)
            send_parts(sock, [raw[:i], raw[i:]])
            assert read_answers(reader, 1) == [400], f"{why}, cut at {i}"
            assert is_closed(reader), f"{why}, cut at {i}"
        # the instance never had a complete request
        assert a.requests == [], f"{why}, cut at {i}"


def test_refusals_are_counted_by_reason(site):
    _, s = site
    reasons = {r.get("bad") or r.get("reason") for r in s.access()
               if r["outcome"] == "bad_request"}
    assert {"space_before_colon", "folded_line", "length_twice", "nul",
            "host_missing"} <= reasons, reasons
