"""Heads: pseudo-fields, names, values, what HTTP/1 cannot carry (8.2, 8.3)."""
from rig.h2wire import (END_HEADERS, END_STREAM, HEADERS, PROTOCOL, block,
                        frame, headers, literal, request)

from .row import cut, good

ALL = END_STREAM | END_HEADERS


def raw(*fields):
    return frame(HEADERS, ALL, 1, b"".join(literal(n, v) for n, v in fields))


def plus(*more):
    return headers(1, request(more=more))


def without(name):
    return headers(1, [f for f in request() if f[0] != name])


M, S, P = (":method", "GET"), (":scheme", "http"), (":path", "/get")
A = (":authority", "web.example")

ROWS = [
    # 8.2.1 names and values
    cut("8.2.1", "an upper-case name", plus(("X-Up", "1")), PROTOCOL),
    cut("8.2.1", "an empty name", plus(("", "1")), PROTOCOL),
    cut("8.2.1", "a space in a name", plus(("a b", "1")), PROTOCOL),
    cut("8.2.1", "a colon in a name", plus(("a:b", "1")), PROTOCOL),
    cut("8.2.1", "a control byte in a name", plus(("a\x01", "1")), PROTOCOL),
    cut("8.2.1", "a byte above 7f in a name", plus(("a\xff", "1")), PROTOCOL),
    cut("8.2.1", "LF in a name", plus(("a\nb", "1")), PROTOCOL),
    cut("8.2.1", "CR LF in a value", plus(("x", "a\r\nb: c")), PROTOCOL),
    cut("8.2.1", "LF in a value", plus(("x", "a\nb")), PROTOCOL),
    cut("8.2.1", "CR in a value", plus(("x", "a\rb")), PROTOCOL),
    cut("8.2.1", "NUL in a value", plus(("x", "a\0b")), PROTOCOL),
    cut("8.2.1", "a space before a value", plus(("x", " a")), PROTOCOL),
    cut("8.2.1", "a space behind a value", plus(("x", "a ")), PROTOCOL),
    cut("8.2.1", "a tab before a value", plus(("x", "\ta")), PROTOCOL),
    good("8.2.1", "an empty value", plus(("x", ""))),
    good("8.2.1", "a tab inside a value", plus(("x", "a\tb"))),
    good("8.2.1", "bytes above 7f in a value", plus(("x", "\xc3\xa4"))),
    # 8.2.2 fields of one connection
    cut("8.2.2", "connection", plus(("connection", "close")), PROTOCOL),
    cut("8.2.2", "keep-alive", plus(("keep-alive", "5")), PROTOCOL),
    cut("8.2.2", "proxy-connection", plus(("proxy-connection", "x")),
        PROTOCOL),
    cut("8.2.2", "transfer-encoding",
        plus(("transfer-encoding", "chunked")), PROTOCOL),
    cut("8.2.2", "upgrade", plus(("upgrade", "websocket")), PROTOCOL),
    cut("8.2.2", "TE of something else", plus(("te", "gzip")), PROTOCOL),
    good("8.2.2", "TE: trailers", plus(("te", "trailers"))),
    # 8.3 pseudo-fields
    cut("8.3", "one nobody knows", raw(M, S, P, A, (":x", "1")), PROTOCOL),
    cut("8.3", "one of answers", raw(M, S, P, A, (":status", "200")),
        PROTOCOL),
    cut("8.3", "one behind a field", raw(M, S, A, ("x", "1"), P), PROTOCOL),
    cut("8.3.1", "no method", without(":method"), PROTOCOL),
    cut("8.3.1", "no scheme", without(":scheme"), PROTOCOL),
    cut("8.3.1", "no path", without(":path"), PROTOCOL),
    cut("8.3.1", "two methods", raw(M, M, S, P, A), PROTOCOL),
    cut("8.3.1", "two schemes", raw(M, S, S, P, A), PROTOCOL),
    cut("8.3.1", "two paths", raw(M, S, P, P, A), PROTOCOL),
    cut("8.3.1", "two authorities", raw(M, S, P, A, A), PROTOCOL),
    cut("8.3.1", "an empty path", headers(1, request("")), PROTOCOL),
    cut("8.3.1", "a path without a slash", headers(1, request("get")),
        PROTOCOL),
    cut("8.3.1", "a path with a space", headers(1, request("/a b")),
        PROTOCOL),
    cut("8.3.1", "a path with CR LF", headers(1, request("/a\r\nb: c")),
        PROTOCOL),
    cut("8.3.1", "a path with NUL", headers(1, request("/a\0")), PROTOCOL),
    good("8.3.1", "a path with a fragment", headers(1, request("/a#b")),
         status=400),
    good("8.3.1", "a path in absolute form",
         headers(1, request("http://a/b", scheme="x")), status=400),
    cut("8.3.1", "\"*\" with GET", headers(1, request("*")), PROTOCOL),
    cut("8.3.1", "a method with a space",
        headers(1, request(method="GE T")), PROTOCOL),
    cut("8.3.1", "a method with CR LF",
        headers(1, request(method="GET / HTTP/1.1\r\nx:")), PROTOCOL),
    cut("8.3.1", "an empty method", headers(1, request(method="")), PROTOCOL),
    good("8.3.1", "Host instead of :authority",
         raw(M, S, P, ("host", "web.example"))),
    good("8.3.1", "Host as :authority", plus(("host", "web.example"))),
    good("8.3.1", "Host unlike :authority", plus(("host", "other.example")),
         status=400),
    cut("8.3.1", "neither Host nor :authority", without(":authority"),
        PROTOCOL),
    cut("8.3.1", "two Hosts",
        raw(M, S, P, ("host", "web.example"), ("host", "web.example")),
        PROTOCOL),
    good("8.3.1", "a user in :authority",
         headers(1, request(authority="me@web.example")), status=400),
    good("8.3.1", "a list in :authority",
         headers(1, request(authority="web.example,b")), status=400),
    good("9110 7.4", "a host nobody serves",
         headers(1, request(authority="nobody.example")), status=421),
    good("8.5", "CONNECT",
         headers(1, [(":method", "CONNECT"), (":authority", "a:1")],
                 END_HEADERS), status=405),
    cut("8.5", "CONNECT with a path",
        headers(1, request(method="CONNECT")), PROTOCOL),
    # sizes
    good("9110 5.4", "a field above its bound",
         plus(*[("x" + str(i), "y" * 6000) for i in range(2)]), status=200),
    good("6585 5", "a head above its bound", plus(("x", "y" * 15000)),
         status=431),
    good("6585 5", "too many fields",
         plus(*[("x", "y")] * 101), status=431),
    good("9110 15.5.15", "a target above its bound",
         headers(1, request("/" + "x" * 1000)), status=414),
    # 8.2.3
    good("8.2.3", "a cookie in crumbs",
         plus(("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"),
              ("cookie", "c=3"))),
]
