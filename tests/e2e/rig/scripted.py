"""scripted - an instance of Python, for what no real server does.

A test gives a function that is called with each connection, in a thread of
its own; probes (targets that begin with /health) are answered before.
"""
import base64
import hashlib
import queue
import socket
import struct
import threading

from rig.wire import Reader, Closed


GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3


def accept_of(key):
    """What a server makes of a Sec-WebSocket-Key."""
    return base64.b64encode(
        hashlib.sha1((key + GUID).encode()).digest()).decode()


class Request:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.line = head.split(b"\r\n", 1)[0].decode("latin-1")
        self.method, self.target = self.line.split(" ")[:2]

    def field(self, name):
        """The value of a field, None when there is none."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


class Connection:
    """What the script holds of one connection."""

    def __init__(self, instance, sock):
        self.instance = instance
        self.use(sock)

    def use(self, sock):
        self.sock = sock
        self.reader = Reader(sock)

    def request(self, body=True):
        """The next request, probes apart; None when the peer closed."""
        while True:
            try:
                head = self.reader.head()
            except (Closed, OSError):
                return None
            r = Request(head, b"")
            if r.target.startswith("/health"):
                self.send(self.instance.health)
                continue
            if body:
                try:
                    r.body = self.reader.body(head, is_request=True)
                except (Closed, OSError):
                    return None
            self.instance.requests.append(r)
            self.instance.arrived.put(r)
            return r

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def answer(self, body=b"", status="200 OK", fields=""):
        self.send(f"HTTP/1.1 {status}\r\nX-Version: "
                  f"{self.instance.version}\r\nX-Instance: "
                  f"{self.instance.name}\r\n{fields}Content-Length: "
                  f"{len(body)}\r\n\r\n".encode() + body)

    def switch(self, request):
        """Agrees to a WebSocket."""
        accept = accept_of(request.field("sec-websocket-key"))
        self.send(f"HTTP/1.1 101 Switching Protocols\r\nX-Version: "
                  f"{self.instance.version}\r\nConnection: Upgrade\r\n"
                  f"Upgrade: websocket\r\nSec-WebSocket-Accept: "
                  f"{accept}\r\n\r\n".encode())

    def close(self):
        # shutdown() too: another thread may be in recv()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()


def answer_all(conn):
    """The plainest script: 200 to whatever comes."""
    while (r := conn.request()) is not None:
        conn.answer(f"{r.method} {r.target} {len(r.body)}\n".encode())


class Scripted:
    connection = Connection  # what a script is given

    def __init__(self, rig, version, name, script=answer_all, tls=None):
        """tls: the context of an instance that speaks it."""
        self.version, self.name, self.script = version, name, script
        self.health = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nUP"
        self.port = rig.port()
        self.address = self.port.address
        self.requests = []            # all that came, but probes
        self.arrived = queue.Queue()  # the same, to wait for
        self.connections = []
        self.tls, self.sni, self.peer = tls, None, None
        if tls is not None:
            tls.sni_callback = self.note_sni
        self.socks = []
        self.closing = False
        self.listen()

    def listen(self):
        self.listen_at(socket.AF_INET, self.port.host)

    def listen_at(self, family, host):
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, self.port.number))
        s.listen(512)
        self.socks.append(s)
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def listen_as_localhost(self):
        """At all that the name means here; on many a machine ::1, too."""
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
        for family, _, _, _, address in found:
            if address[0] != self.port.host:
                self.listen_at(family, address[0])

    def deafen(self):
        """From now on connections are refused; those there are stay."""
        while self.socks:
            s = self.socks.pop()
            s.shutdown(socket.SHUT_RDWR)
            s.close()

    def accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = self.connection(self, sock)
            self.connections.append(conn)
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()

    def note_sni(self, sock, name, context):
        self.sni = name

    def shake(self, conn):
        """TLS with whom comes; the name on its certificate is .peer."""
        conn.use(self.tls.wrap_socket(conn.sock, server_side=True))
        cert = conn.sock.getpeercert()
        if cert:
            self.peer = cert["subject"][0][0][1]

    def serve(self, conn):
        try:
            if self.tls is not None:
                self.shake(conn)
            self.script(conn)
        except (Closed, OSError):
            pass
        finally:
            conn.close()

    def wait_request(self, seconds=5):
        return self.arrived.get(timeout=seconds)

    def close(self):
        self.deafen()
        for conn in self.connections:
            conn.close()
