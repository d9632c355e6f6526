"""WebSockets: extended CONNECT (RFC 8441)."""
from rig.h2wire import (DATA, END_HEADERS, END_STREAM, PROTOCOL, SETTINGS,
                        frame, headers, request, setting)

from .row import bad, calm, cut, good

ENABLE_CONNECT_PROTOCOL = 8

WHOLE = [(":method", "CONNECT"), (":protocol", "websocket"),
         (":scheme", "http"), (":path", "/ws"),
         (":authority", "web.example"), ("sec-websocket-version", "13")]


def ask(fields, flags=END_HEADERS | END_STREAM):
    """Its end at once: the tunnel then ends by itself."""
    return headers(1, fields, flags)


def plus(*more):
    return ask([*WHOLE, *more])


def without(name):
    return ask([f for f in WHOLE if f[0] != name])


def but(name, value):
    return ask([(n, value if n == name else v) for n, v in WHOLE])


def says(value):
    return frame(SETTINGS, 0, 0, setting(ENABLE_CONNECT_PROTOCOL, value))


ROWS = [
    # 3 the setting: from a client it has no effect, but must be 0 or 1
    calm("8441 3", "the setting is 1", says(1)),
    calm("8441 3", "the setting is 0", says(0)),
    bad("8441 3", "the setting is 2", says(2), PROTOCOL),
    bad("8441 3", "the setting is 2^32 - 1", says(0xffffffff), PROTOCOL),
    # 4 pseudo-fields
    good("8441 5", "a WebSocket", ask(WHOLE)),
    good("8441 5", "a WebSocket whose client speaks at once",
         ask(WHOLE, END_HEADERS) + frame(DATA, END_STREAM, 1, b"early")),
    good("8441 4", "scheme https", but(":scheme", "https")),
    cut("8441 4", ":protocol with GET",
        headers(1, request(more=())[:4] + [(":protocol", "websocket")]),
        PROTOCOL),
    cut("8441 4", ":protocol with POST", but(":method", "POST"), PROTOCOL),
    cut("8441 4", "no scheme", without(":scheme"), PROTOCOL),
    cut("8441 4", "no path", without(":path"), PROTOCOL),
    cut("8441 4", "no authority", without(":authority"), PROTOCOL),
    cut("8441 4", "Host in place of the authority",
        ask([f for f in WHOLE if f[0] != ":authority"] +
            [("host", "web.example")]), PROTOCOL),
    cut("8441 4", "no method", without(":method"), PROTOCOL),
    cut("8441 4", "two protocols",
        ask([WHOLE[1], *WHOLE]), PROTOCOL),
    cut("8441 4", ":protocol behind a field",
        ask(WHOLE[:1] + WHOLE[2:] + WHOLE[1:2]), PROTOCOL),
    cut("8441 4", "an empty path", but(":path", ""), PROTOCOL),
    cut("8441 4", "\"*\" as path", but(":path", "*"), PROTOCOL),
    cut("8441 4", "a path with CR LF", but(":path", "/\r\nx: y"), PROTOCOL),
    cut("8441 4", "a protocol with CR LF",
        but(":protocol", "websocket\r\nx: y"), PROTOCOL),
    cut("8441 4", "an absolute path",
        but(":path", "http://web.example/ws"), PROTOCOL),
    good("8441 4", "an absolute path of another scheme",
         ask([(n, {":path": "http://web.example/ws", ":scheme": "x"}.get(n, v))
              for n, v in WHOLE]), status=400),
    good("9220 3", "a protocol nobody knows", but(":protocol", "chat"),
         status=501),
    good("9220 3", "a protocol of others", but(":protocol", "connect-udp"),
         status=501),
    good("9220 3", "HTTP inside HTTP", but(":protocol", "h2c"), status=501),
    good("9220 3", "two protocols in one",
         but(":protocol", "websocket, h2c"), status=501),
    good("8441 5", "a protocol in other letters",
         but(":protocol", "WebSocket")),
    # what is true of any request
    good("9113 8.3.1", "Host unlike :authority",
         plus(("host", "other.example")), status=400),
    good("9110 7.4", "a host nobody serves",
         but(":authority", "nobody.example"), status=421),
    good("9110 9.3.6", "a length",
         ask([*WHOLE, ("content-length", "5")], END_HEADERS), status=400),
    cut("9113 8.2.2", "upgrade", plus(("upgrade", "websocket")), PROTOCOL),
    cut("9113 8.2.2", "connection", plus(("connection", "upgrade")),
        PROTOCOL),
    cut("9113 8.2.2", "transfer-encoding",
        plus(("transfer-encoding", "chunked")), PROTOCOL),
    good("8441 5", "a key is not used",
         plus(("sec-websocket-key", "x"), ("sec-websocket-accept", "y"))),
    cut("8441 4", ":protocol in trailers",
        headers(1, request(method="POST"), END_HEADERS) +
        headers(1, [(":protocol", "websocket")]), PROTOCOL, seen=-1),
]
