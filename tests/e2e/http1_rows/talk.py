"""talk - a client that plays one row and tells what came of it."""
import socket
import time

from http1_rows.row import CLOSED, OPEN, TUNNEL
from rig.wire import Answer, Closed, Reader

WAITS = "waits"  # neither an answer nor an end: it wants more bytes
MORE = b"GET /more HTTP/1.1\r\nHost: a\r\n\r\n"


class Talk:
    """One connection on which one row is played.

    status, bodies: of the final answers; interim: statuses below 200;
    last: the head that came last.
    """

    def __init__(self, host, port, row):
        self.row = row
        self.sock = socket.create_connection((host, port), 5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)
        self.status, self.bodies, self.interim = [], [], []
        self.last = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, parts):
        """As separate segments; a peer that has closed ends it."""
        try:
            for i, part in enumerate(parts):
                if i > 0:
                    time.sleep(0.0002)
                self.sock.sendall(part)
        except OSError:
            pass

    def read_one(self):
        """The next answer, interim ones too; its status."""
        self.last = head = self.reader.head()
        status = Answer(head, b"").status
        if status < 200 and status != 101:
            self.interim.append(status)
            return status
        body = self.reader.body(head, bodyless=len(self.status) in
                                self.row.heads or status in (101, 204, 304))
        self.status.append(status)
        self.bodies.append(body)
        return status

    def read_while(self, wanted):
        """Reads answers while more are wanted; None, or what ended it."""
        try:
            while wanted():
                self.read_one()
        except (Closed, ConnectionResetError):
            return CLOSED
        except TimeoutError:
            return WAITS
        return None

    def play(self, parts):
        """Sends the row, in these parts; reads what it expects."""
        row = self.row
        self.send(parts)
        ended = None
        if row.wait is not None:
            ended = self.read_while(
                lambda: row.wait not in self.status + self.interim)
            self.send([row.then])
        if row.half_close:
            self.sock.shutdown(socket.SHUT_WR)
        return ended or self.read_while(
            lambda: len(self.status) < len(row.status))

    def after(self):
        """What has become of the connection?"""
        if self.status[-1:] == [101]:
            return TUNNEL
        try:
            self.sock.sendall(MORE)
            before = len(self.status)
            ended = self.read_while(lambda: len(self.status) == before)
        except OSError:
            return CLOSED
        if ended is not None:
            return ended
        return OPEN if self.status.pop() == 200 else CLOSED

    def is_closed(self):
        """Nothing more comes, and the peer closes."""
        try:
            return self.reader.rest() == b""
        except ConnectionResetError:
            return True
