"""Frames: their sizes, their places, their contents (RFC 9113 4, 6)."""
import struct

from rig.h2wire import (ACK, CLOSED_STREAM, CONTINUATION, DATA, END_HEADERS,
                        END_STREAM, FLOW, FRAME_SIZE, GOAWAY, HEADERS, PADDED,
                        PING, PRIORITY, PROTOCOL, PUSH_PROMISE, RST_STREAM,
                        SETTINGS, WINDOW_UPDATE, WITH_PRIORITY, block, frame,
                        headers, request, setting)

from .row import ANY, bad, calm, cut, good

GET = block(request())
POST = headers(1, request(method="POST"), END_HEADERS)


def u32(n):
    return struct.pack(">I", n)


ROWS = [
    # 4.1, 4.2
    calm("4.1", "a kind nobody knows", frame(0x16, 0, 0, b"abc")),
    calm("4.1", "a kind nobody knows, on a stream", frame(0xee, 0xff, 1)),
    calm("4.1", "flags without meaning", frame(PING, 0x16, 0, b"8bytes..")),
    good("4.1", "the reserved bit is ignored",
         frame(HEADERS, END_STREAM | END_HEADERS, 0x80000001, GET)),
    good("4.2", "a frame of the largest size",
         POST + frame(DATA, END_STREAM, 1, b"x" * 16384)),
    bad("4.2", "DATA above the largest size",
        POST + frame(DATA, END_STREAM, 1, b"x" * 16385), FRAME_SIZE),
    bad("4.2", "HEADERS above the largest size",
        frame(HEADERS, END_STREAM | END_HEADERS, 1,
              block(request(more=[("x", "y" * 16384)]))), FRAME_SIZE),
    bad("4.2", "a frame whose size is a megabyte",
        frame(DATA, 0, 1, length=1 << 20), FRAME_SIZE),
    # 4.3
    bad("4.3", "a block interrupted by another stream",
        frame(HEADERS, END_STREAM, 1, GET) + headers(3, request()), PROTOCOL),
    bad("4.3", "a block interrupted by PING",
        frame(HEADERS, END_STREAM, 1, GET) + frame(PING, 0, 0, b"8" * 8),
        PROTOCOL),
    bad("4.3", "a block interrupted by a kind nobody knows",
        frame(HEADERS, END_STREAM, 1, GET) + frame(0x16, 0, 1), PROTOCOL),
    bad("4.3", "a block that cannot be unpacked",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        9),
    # 6.1 DATA
    bad("6.1", "DATA on stream 0", frame(DATA, 0, 0, b"x"), PROTOCOL),
    bad("6.1", "padding as long as the frame",
        POST + frame(DATA, PADDED | END_STREAM, 1, b"\x06hello\0"[:6]),
        PROTOCOL),
    bad("6.1", "padding without its length",
        POST + frame(DATA, PADDED | END_STREAM, 1), FRAME_SIZE, PROTOCOL),
    good("6.1", "padded",
         POST + frame(DATA, PADDED | END_STREAM, 1, b"\x03hello\0\0\0")),
    good("6.1", "nothing but padding",
         POST + frame(DATA, PADDED | END_STREAM, 1, b"\x03\0\0\0")),
    good("6.1", "an empty frame ends it", POST + frame(DATA, END_STREAM, 1)),
    # 6.2 HEADERS
    bad("6.2", "HEADERS on stream 0", headers(0, request()), PROTOCOL),
    bad("6.2", "padding longer than the block",
        frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1, b"\xff" + GET),
        PROTOCOL),
    good("6.2", "padded",
         frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1,
               b"\x02" + GET + b"\0\0")),
    good("6.2", "with a priority",
         frame(HEADERS, WITH_PRIORITY | END_STREAM | END_HEADERS, 1,
               u32(0) + b"\x10" + GET)),
    bad("6.2", "too short for its priority",
        frame(HEADERS, WITH_PRIORITY | END_STREAM | END_HEADERS, 1, b"\0\0"),
        FRAME_SIZE, PROTOCOL),
    # 6.3 PRIORITY
    calm("6.3", "PRIORITY on an idle stream",
         frame(PRIORITY, 0, 5, u32(3) + b"\x10")),
    bad("6.3", "PRIORITY on stream 0",
        frame(PRIORITY, 0, 0, u32(3) + b"\x10"), PROTOCOL),
    bad("6.3", "PRIORITY of four bytes",
        frame(PRIORITY, 0, 5, u32(3)), FRAME_SIZE),
    bad("6.3", "PRIORITY of six bytes",
        frame(PRIORITY, 0, 5, u32(3) + b"\x10\x10"), FRAME_SIZE),
    # 6.4 RST_STREAM
    bad("6.4", "RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, u32(8)),
        PROTOCOL),
    bad("6.4", "RST_STREAM on an idle stream",
        frame(RST_STREAM, 0, 1, u32(8)), PROTOCOL),
    bad("6.4", "RST_STREAM of three bytes",
        POST + frame(RST_STREAM, 0, 1, b"\0\0\0"), FRAME_SIZE),
    bad("6.4", "RST_STREAM of five bytes",
        POST + frame(RST_STREAM, 0, 1, b"\0\0\0\0\0"), FRAME_SIZE),
    # 6.5 SETTINGS
    calm("6.5", "SETTINGS of none", frame(SETTINGS, 0, 0)),
    bad("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1), PROTOCOL),
    bad("6.5", "SETTINGS of five bytes", frame(SETTINGS, 0, 0, b"12345"),
        FRAME_SIZE),
    bad("6.5", "an acknowledgement that says something",
        frame(SETTINGS, ACK, 0, setting(3, 1)), FRAME_SIZE),
    calm("6.5.2", "a setting nobody knows",
         frame(SETTINGS, 0, 0, setting(0xff, 1))),
    bad("6.5.2", "ENABLE_PUSH of 2", frame(SETTINGS, 0, 0, setting(2, 2)),
        PROTOCOL),
    bad("6.5.2", "a window above 2^31-1",
        frame(SETTINGS, 0, 0, setting(4, 1 << 31)), FLOW),
    bad("6.5.2", "frames below 16,384",
        frame(SETTINGS, 0, 0, setting(5, 16383)), PROTOCOL),
    bad("6.5.2", "frames above 2^24-1",
        frame(SETTINGS, 0, 0, setting(5, 1 << 24)), PROTOCOL),
    calm("6.5.2", "a header table of nothing",
         frame(SETTINGS, 0, 0, setting(1, 0))),
    calm("6.5.2", "a header table of 4 GiB",
         frame(SETTINGS, 0, 0, setting(1, (1 << 32) - 1))),
    calm("6.5.2", "no streams of ours allowed",
         frame(SETTINGS, 0, 0, setting(3, 0))),
    calm("6.5.3", "the same setting twice",
         frame(SETTINGS, 0, 0, setting(4, 1) + setting(4, 70000))),
    # 6.6 PUSH_PROMISE
    bad("8.4", "a client that pushes",
        POST + frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + GET), PROTOCOL),
    # 6.7 PING
    bad("6.7", "PING on a stream", frame(PING, 0, 1, b"8" * 8), PROTOCOL),
    bad("6.7", "PING of seven bytes", frame(PING, 0, 0, b"7" * 7), FRAME_SIZE),
    bad("6.7", "PING of nine bytes", frame(PING, 0, 0, b"9" * 9), FRAME_SIZE),
    calm("6.7", "an answer to no PING", frame(PING, ACK, 0, b"8" * 8)),
    # 6.8 GOAWAY
    bad("6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, u32(0) + u32(0)),
        PROTOCOL),
    # 6.9 WINDOW_UPDATE
    bad("6.9", "an update of 0 for the connection",
        frame(WINDOW_UPDATE, 0, 0, u32(0)), PROTOCOL),
    # stricter, as RFC 9113 5.4.1 allows: of a stream, and yet the end
    bad("6.9", "an update of 0 for a stream",
        POST + frame(WINDOW_UPDATE, 0, 1, u32(0)), PROTOCOL, seen=ANY),
    bad("6.9", "an update of three bytes",
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), FRAME_SIZE),
    bad("6.9", "an update of an idle stream",
        frame(WINDOW_UPDATE, 0, 1, u32(1)), PROTOCOL),
    bad("6.9.1", "a window of the connection above 2^31-1",
        frame(WINDOW_UPDATE, 0, 0, u32((1 << 31) - 1)) * 2, FLOW),
    cut("6.9.1", "a window of a stream above 2^31-1",
        POST + frame(WINDOW_UPDATE, 0, 1, u32((1 << 31) - 1)) * 2, FLOW,
        seen=ANY),
    good("6.9.1", "a window that grows before the answer",
         POST + frame(WINDOW_UPDATE, 0, 1, u32(70000)) +
         frame(DATA, END_STREAM, 1, b"x")),
    # 6.10 CONTINUATION
    good("6.10", "a block in three parts",
         frame(HEADERS, END_STREAM, 1, GET[:7]) +
         frame(CONTINUATION, 0, 1, GET[7:20]) +
         frame(CONTINUATION, END_HEADERS, 1, GET[20:])),
    good("6.10", "a block with an empty part",
         frame(HEADERS, END_STREAM, 1, GET) +
         frame(CONTINUATION, END_HEADERS, 1)),
    bad("6.10", "CONTINUATION on stream 0",
        frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 4, 0),
        PROTOCOL),
    bad("6.10", "CONTINUATION of another stream",
        frame(HEADERS, END_STREAM, 1, GET) + frame(CONTINUATION, 4, 3),
        PROTOCOL),
    bad("6.10", "CONTINUATION behind a whole block",
        POST + frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL),
    bad("6.10", "CONTINUATION behind DATA",
        POST + frame(DATA, 0, 1, b"x") + frame(CONTINUATION, 4, 1, b""),
        PROTOCOL),
    bad("6.10", "CONTINUATION first", frame(CONTINUATION, 4, 1, GET),
        PROTOCOL),
    # 5.1 what a stream may get
    bad("5.1", "DATA on an idle stream", frame(DATA, 0, 1, b"x"), PROTOCOL,
        CLOSED_STREAM),
]
