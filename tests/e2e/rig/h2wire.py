"""h2wire - HTTP/2 frames by hand: whatever a test likes, right or wrong."""
import socket
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL, INTERNAL, FLOW, SETTINGS_TIMEOUT = 0, 1, 2, 3, 4
CLOSED_STREAM, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION = 5, 6, 7, 8, 9
CONNECT_ERROR, CALM, SECURITY, HTTP_1_1 = 10, 11, 12, 13


def frame(kind, flags, stream, payload=b"", length=None):
    length = len(payload) if length is None else length
    return (struct.pack(">I", length)[1:] + bytes([kind, flags]) +
            struct.pack(">I", stream) + payload)


def integer(n, bits, first=0):
    """RFC 7541 5.1."""
    top = (1 << bits) - 1
    if n < top:
        return bytes([first | n])
    out, n = [first | top], n - top
    while n >= 128:
        out.append(n % 128 + 128)
        n //= 128
    return bytes(out + [n])


def text(s):
    s = s.encode("latin-1") if isinstance(s, str) else s
    return integer(len(s), 7) + s


def literal(name, value):
    """Without indexing, without Huffman: it means the same anywhere."""
    return b"\x00" + text(name) + text(value)


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


def request(path="/get", method="GET", more=(), authority="web.example",
            scheme="http"):
    return [(":method", method), (":scheme", scheme), (":path", path),
            (":authority", authority), *more]


def headers(stream, fields, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block(fields))


def setting(key, value):
    return struct.pack(">HI", key, value)


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags = kind, flags
        self.stream, self.payload = stream, payload

    def code(self):
        at = {RST_STREAM: 0, GOAWAY: 4}[self.kind]
        return struct.unpack(">I", self.payload[at:at + 4])[0]

    def __repr__(self):
        code = f" code={self.code()}" if self.kind in (3, 7) else ""
        return (f"<frame {self.kind} flags={self.flags:x} "
                f"stream={self.stream} {len(self.payload)}{code}>")


class H2:
    """A connection to us; keeps what it was told by stream."""

    def __init__(self, address, timeout=10, wrap=None, settings=b"",
                 preface=PREFACE, source=None):
        """source: an address of ours to come from."""
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection(
            (host, int(port)), timeout, source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            self.sock = wrap(self.sock)
        self.got, self.frames = b"", []
        self.decoder = hpack.Decoder()
        self.status, self.fields, self.bodies = {}, {}, {}
        self.ended, self.resets, self.goaways = set(), {}, []
        self.trailers, self.acks, self.pongs = {}, 0, []
        self.taken = {}
        self.closed = False
        if preface is not None:
            self.send(preface + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # what it has said can still be read

    def read(self):
        """The next frame; None at the end of the connection."""
        while len(self.got) < 9 or len(self.got) < 9 + self.length():
            try:
                part = self.sock.recv(65536)
            except ConnectionError:
                part = b""
            if not part:
                self.closed = True
                return None
            self.got += part
        n = self.length()
        f = Frame(self.got[3], self.got[4],
                  struct.unpack(">I", self.got[5:9])[0] & 0x7fffffff,
                  self.got[9:9 + n])
        self.got = self.got[9 + n:]
        self.note(f)
        return f

    def length(self):
        return int.from_bytes(self.got[:3], "big")

    def note(self, f):
        self.frames.append(f)
        if f.kind == SETTINGS and not f.flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif f.kind == SETTINGS:
            self.acks += 1
        elif f.kind == PING and f.flags & ACK:
            self.pongs.append(f.payload)
        elif f.kind == PING:
            self.send(frame(PING, ACK, 0, f.payload))
        elif f.kind == GOAWAY:
            self.goaways.append(f)
        elif f.kind == RST_STREAM:
            self.resets[f.stream] = f.code()
        elif f.kind == HEADERS:
            self.note_head(f)
        elif f.kind == DATA:
            self.bodies[f.stream] = self.bodies.get(f.stream, b"") + f.payload
        if f.kind in (DATA, HEADERS) and f.flags & END_STREAM:
            self.ended.add(f.stream)

    def note_head(self, f):
        assert f.flags & END_HEADERS and not f.flags & (PADDED | WITH_PRIORITY)
        fields = self.decoder.decode(f.payload)
        if fields and fields[0][0] == ":status":
            self.status.setdefault(f.stream, []).append(int(fields[0][1]))
            self.fields[f.stream] = fields
        else:
            self.trailers[f.stream] = fields

    def until(self, true):
        """Reads until true() or the end; whether it is."""
        while not true():
            if self.closed or self.read() is None:
                return bool(true())
        return True

    def answer(self, stream):
        """The final status of a stream, None when it was reset."""
        self.until(lambda: stream in self.ended or stream in self.resets)
        return self.status.get(stream, [None])[-1]

    def exactly(self, stream, n):
        """The next n bytes of a body; fewer at its end."""
        at = self.taken.get(stream, 0)
        self.until(lambda: len(self.bodies.get(stream, b"")) >= at + n)
        part = self.bodies.get(stream, b"")[at:at + n]
        self.taken[stream] = at + len(part)
        return part

    def get(self, stream, path="/get", more=()):
        self.send(headers(stream, request(path, more=more)))
        return self.answer(stream)

    def ping(self, data=b"12345678"):
        self.send(frame(PING, 0, 0, data))
        return self.until(lambda: data in self.pongs)

    def window(self, stream, n):
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n)))

    def end(self):
        """Reads to the end: the code of the last GOAWAY, None without."""
        self.until(lambda: self.closed)
        return self.goaways[-1].code() if self.goaways else None

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
