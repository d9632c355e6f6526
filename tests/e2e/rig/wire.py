"""wire - raw HTTP/1.1 for tests: a strict little reader and a client."""
import socket


class Closed(Exception):
    """The peer closed before what was waited for was complete."""


def fields_of(head):
    """[(name in lower case, value)] of a head."""
    rows = []
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line:
            name, _, value = line.partition(":")
            rows.append((name.lower(), value.strip()))
    return rows


class Reader:
    def __init__(self, sock):
        self.sock, self.have = sock, b""

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed(self.have)
        self.have += data

    def until(self, mark):
        while mark not in self.have:
            self.more()
        out, self.have = self.have.split(mark, 1)
        return out + mark

    def exactly(self, n):
        while len(self.have) < n:
            self.more()
        out, self.have = self.have[:n], self.have[n:]
        return out

    def rest(self):
        """All until the peer closes."""
        try:
            while True:
                self.more()
        except Closed:
            out, self.have = self.have, b""
            return out

    def head(self):
        return self.until(b"\r\n\r\n")

    def chunked(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self.until(b"\r\n") != b"\r\n":
                    pass
                return body
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n", "chunk without its CRLF"

    def body(self, head, is_request=False, bodyless=False):
        f = dict(fields_of(head))
        if bodyless:
            return b""
        if f.get("transfer-encoding", "").lower() == "chunked":
            return self.chunked()
        if "content-length" in f:
            return self.exactly(int(f["content-length"]))
        return b"" if is_request else self.rest()


class Answer:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.status = int(head.split(b" ", 2)[1])
        self.fields = fields_of(head)

    def field(self, name):
        return dict(self.fields).get(name.lower())

    @property
    def version(self):
        return self.field("x-version")

    @property
    def instance(self):
        return self.field("x-instance")

    def cookies(self):
        """{name: value} of what Set-Cookie says."""
        return {v.split("=", 1)[0]: v.split("=", 1)[1].split(";")[0]
                for k, v in self.fields if k == "set-cookie"}

    def set_cookie(self):
        """The whole Set-Cookie of the pin, "" when there is none."""
        return self.field("set-cookie") or ""


class Client:
    """One connection, with the cookies it was given."""

    def __init__(self, address, source=None, timeout=10, cookies=None):
        host, port = address.rsplit(":", 1)
        self.address = address
        self.cookies = dict(cookies or {})
        self.sock = socket.create_connection(
            (host, int(port)), timeout,
            source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, target="/get", method="GET", body=None, fields=""):
        """Sends a request; answer() reads what comes back."""
        cookie = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.address}\r\n"
        head += f"Cookie: {cookie}\r\n" if cookie else ""
        head += fields
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode("latin-1") + b"\r\n" + (body or b""))
        self.method = method

    def answer(self):
        while True:
            head = self.reader.head()
            a = Answer(head, b"")
            if a.status == 101:
                return a
            if a.status < 200:
                continue
            a.body = self.reader.body(
                head, bodyless=self.method == "HEAD" or
                a.status in (204, 304))
            self.cookies.update(a.cookies())
            return a

    def get(self, target="/get", **kw):
        self.ask(target, **kw)
        return self.answer()

    def post(self, target="/post", body=b"x", **kw):
        self.ask(target, method="POST", body=body, **kw)
        return self.answer()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()


def once(address, target="/get", source=None, cookies=None, **kw):
    """One request on a connection of its own; the answer."""
    with Client(address, source=source, cookies=cookies) as c:
        return c.get(target, **kw)
