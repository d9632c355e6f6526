"""instance - a scripted instance that acts as the target of a request asks.

    /final        answers before it reads the body, then reads it
    /final-close  answers before it reads the body, and closes
    /417 /403 /404 /304 /204  answers that; 417 without reading the body
    /close        answers with Connection: close, and closes
    /continue     sends 100 once it has the head, if that expects it
    /102 /103     sends 102 and 103, or 103, before its answer
    /upgrade      101 with "hello" right behind it, then echoes
    others        200 once the request is whole; the body names the request
"""
from rig.scripted import Request
from rig.wire import Closed, fields_of


# RFC 6455 1.3: what belongs to the key of row.UPGRADE
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


class Seen(Request):
    """A request that came: .whole once its body had, .trailers' names."""

    def __init__(self, head):
        super().__init__(head, b"")
        self.whole, self.trailers = False, []
        self.framing = framing(dict(fields_of(head)))

    def read(self, reader):
        kind, n = self.framing
        if kind == "length":
            self.body = reader.exactly(n)
        elif kind == "chunked":
            self.body = self.chunks(reader)
        self.whole = True

    def chunks(self, reader):
        body = b""
        while True:
            size = int(reader.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += reader.exactly(size)
            assert reader.exactly(2) == b"\r\n", "chunk without its CRLF"
        while (line := reader.until(b"\r\n")) != b"\r\n":
            self.trailers.append(line.split(b":")[0].decode().lower())
        return body


def framing(fields):
    """(kind, length), as a naive instance finds it."""
    if fields.get("transfer-encoding", "").lower().endswith("chunked"):
        return "chunked", 0
    if "content-length" in fields:
        return "length", int(fields["content-length"])
    return "none", 0


def reply(conn, seen, status="200 OK", fields=""):
    body = f"{seen.method} {seen.target} {len(seen.body)}\n".encode()
    bodyless = status[:3] in ("204", "304")
    if not bodyless:
        fields += f"Content-Length: {len(body)}\r\n"
    if seen.method == "HEAD" or bodyless:
        body = b""
    conn.send(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body)


def plain(conn, seen):
    seen.read(conn.reader)
    reply(conn, seen)


def with_status(status):
    def deed(conn, seen):
        seen.read(conn.reader)
        reply(conn, seen, status)
    return deed


def final(conn, seen):
    reply(conn, seen)
    seen.read(conn.reader)


def refuse(conn, seen):
    reply(conn, seen, "417 Expectation Failed")
    seen.read(conn.reader)


def final_close(conn, seen):
    """What comes after it is not read; taken, so that nothing is reset."""
    reply(conn, seen, fields="Connection: close\r\n")
    conn.sock.shutdown(1)
    conn.reader.rest()
    raise Closed


def close(conn, seen):
    seen.read(conn.reader)
    reply(conn, seen, fields="Connection: close\r\n")
    raise Closed


def interim(*lines):
    def deed(conn, seen):
        for line in lines:
            conn.send(f"HTTP/1.1 {line}\r\n\r\n".encode())
        seen.read(conn.reader)
        reply(conn, seen)
    return deed


def go_on(conn, seen):
    if seen.field("expect") is not None:
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    plain(conn, seen)


def upgrade(conn, seen):
    seen.read(conn.reader)
    if seen.field("upgrade") is None:
        reply(conn, seen)
        return
    protocol = seen.field("upgrade").split(",")[0]
    conn.send(f"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
              f"Upgrade: {protocol}\r\n{ACCEPT}\r\nhello".encode())
    data, conn.reader.have = conn.reader.have, b""
    while True:
        conn.send(data)
        data = conn.sock.recv(65536)
        if not data:
            raise Closed


DEEDS = {
    "/final": final,
    "/final-close": final_close,
    "/417": refuse,
    "/204": with_status("204 No Content"),
    "/304": with_status("304 Not Modified"),
    "/403": with_status("403 Forbidden"),
    "/404": with_status("404 Not Found"),
    "/close": close,
    "/continue": go_on,
    "/102": interim("102 Processing", "103 Early Hints"),
    "/103": interim("103 Early Hints\r\nLink: </a>; rel=preload"),
    "/upgrade": upgrade,
}


def serve(seen):
    """A script for rig.scripted; what comes is added to the list."""
    def script(conn):
        while True:
            r = Seen(conn.reader.head())
            if r.target.startswith("/health"):
                conn.send(conn.instance.health)
                continue
            seen.append(r)
            DEEDS.get(r.target, plain)(conn, r)
    return script
