"""Streams: numbers, states, lengths (RFC 9113 5, 8.1)."""
import struct

from rig.h2wire import (CLOSED_STREAM, DATA, END_HEADERS, END_STREAM, HEADERS,
                        NO_ERROR, PRIORITY, PROTOCOL, RST_STREAM, block, frame, headers,
                        request)

from .row import ANY, bad, cut, good

POST = headers(1, request(method="POST"), END_HEADERS)
RESET = frame(RST_STREAM, 0, 1, struct.pack(">I", 8))


def post(*more, end=END_HEADERS):
    return headers(1, request(method="POST", more=more), end)


ROWS = [
    bad("5.1.1", "an even stream", headers(2, request()), PROTOCOL),
    bad("5.1.1", "a stream lower than the last",
        headers(5, request()) + headers(3, request()), PROTOCOL, seen=ANY),
    good("5.1.1", "streams may be left out", headers(101, request()),
         stream=101),
    good("5.1", "HEADERS again, as trailers",
         POST + frame(DATA, 0, 1, b"x") +
         headers(1, [("x-sum", "1")])),
    cut("8.1", "trailers that do not end the stream",
        POST + frame(DATA, 0, 1, b"x") +
        headers(1, [("x-sum", "1")], END_HEADERS), PROTOCOL, seen=ANY),
    cut("8.1", "pseudo-fields among trailers",
        POST + frame(DATA, 0, 1, b"x") + headers(1, [(":path", "/")]),
        PROTOCOL, seen=ANY),
    bad("5.1", "DATA behind the end",
        headers(1, request(path="/slow")) + frame(DATA, END_STREAM, 1, b"x"),
        CLOSED_STREAM, seen=ANY),
    bad("5.1", "HEADERS behind the end",
        headers(1, request(path="/slow")) + headers(1, request()),
        CLOSED_STREAM, seen=ANY),
    good("5.1", "PRIORITY behind the end",
         headers(1, request()) +
         frame(PRIORITY, 0, 1, struct.pack(">I", 0) + b"\x10")),
    good("8.1.1", "as long as it says",
         post(("content-length", "5")) + frame(DATA, END_STREAM, 1, b"hello")),
    good("8.1.1", "in parts as long as it says",
         post(("content-length", "5")) + frame(DATA, 0, 1, b"he") +
         frame(DATA, END_STREAM, 1, b"llo")),
    cut("8.1.1", "shorter than it says",
        post(("content-length", "6")) + frame(DATA, END_STREAM, 1, b"hello"),
        PROTOCOL, seen=ANY),
    cut("8.1.1", "longer than it says",
        post(("content-length", "4")) + frame(DATA, END_STREAM, 1, b"hello"),
        PROTOCOL, NO_ERROR, seen=ANY),  # by bytes it may be answered first
    cut("8.1.1", "no body where it says one",
        post(("content-length", "4"), end=END_HEADERS | END_STREAM),
        PROTOCOL),
    cut("8.1.1", "two lengths",
        post(("content-length", "5"), ("content-length", "5")) +
        frame(DATA, END_STREAM, 1, b"hello"), PROTOCOL),
    cut("8.1.1", "a length that is no number",
        post(("content-length", "5x")) +
        frame(DATA, END_STREAM, 1, b"hello"), PROTOCOL),
    cut("8.1.1", "a length below nothing",
        post(("content-length", "-5")) +
        frame(DATA, END_STREAM, 1, b"hello"), PROTOCOL),
    cut("8.1.1", "a length past 64 bits",
        post(("content-length", "18446744073709551621")) +
        frame(DATA, END_STREAM, 1, b"hello"), PROTOCOL),
    good("8.6", "a POST without content",
         post(end=END_HEADERS | END_STREAM)),
    good("8.3.1", "HEAD", headers(1, request(method="HEAD"))),
    good("9110 9.3.7", "OPTIONS of all",
         headers(1, request(path="*", method="OPTIONS"))),
    good("8.3", "a method of its own",
         headers(1, request(method="PROPFIND"))),
    good("5.1.2", "streams one after the other, sent at once",
         b"".join(headers(n, request()) for n in (1, 3, 5)), stream=5,
         seen=3),
    good("5.4.2", "a reset stream among others",
         headers(1, request(method="POST"), END_HEADERS) + RESET +
         headers(3, request()), stream=3, seen=ANY),
]
