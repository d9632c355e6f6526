"""h2scripted - an instance of HTTP/2 in Python, for what no real server does.

As rig.scripted: a function is called with each connection, in a thread of its
own, and probes are answered before.  The library h2 does the frames; a script
that wants to break the rules sends bytes itself.
"""
import struct
import sys

import h2.config
import h2.connection
import h2.errors
import h2.exceptions
import h2.settings

from rig.h2wire import GOAWAY, frame
from rig.scripted import Scripted
from rig.wire import Closed


class H2Request:
    def __init__(self, stream, fields):
        self.stream, self.body, self.trailers = stream, b"", {}
        self.fields = [(k.decode("latin-1"), v.decode("latin-1"))
                       for k, v in fields]
        self.method, self.target = self.field(":method"), self.field(":path")

    def field(self, name):
        """The value of a field, None when there is none."""
        return next((v for k, v in self.fields if k == name), None)


class H2Connection:
    """What the script holds of one connection."""
    streams = 100

    def __init__(self, instance, sock):
        self.instance = instance
        self.use(sock)
        self.open, self.whole = {}, []  # requests under way; that are whole
        self.lost = []                  # streams the peer has reset
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, validate_inbound_headers=True,
            validate_outbound_headers=False, normalize_outbound_headers=False))
        self.begun = False

    def use(self, sock):
        self.sock = sock

    def begin(self):
        if self.begun:
            return
        self.begun = True
        self.h2.local_settings.update(
            {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS:
             self.instance.streams})
        self.h2.local_settings.acknowledge()  # else it says its default
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.send(data)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def take(self, event):
        """What the peer said."""
        name = type(event).__name__
        stream = getattr(event, "stream_id", None)
        if name == "RequestReceived":
            self.open[stream] = H2Request(stream, event.headers)
        elif name == "DataReceived":
            if stream in self.open:
                self.open[stream].body += event.data
            self.h2.acknowledge_received_data(
                event.flow_controlled_length, stream)
        elif name == "TrailersReceived":
            self.open[stream].trailers = dict(event.headers)
        elif name == "StreamEnded" and stream in self.open:
            self.finish(self.open.pop(stream))
        elif name == "StreamReset":
            self.open.pop(stream, None)
            self.lost.append(stream)

    def finish(self, r):
        if r.target.startswith("/health"):
            self.answer(r.stream, self.instance.health_body,
                        status=self.instance.health_status)
            return
        self.instance.requests.append(r)
        self.instance.arrived.put(r)
        self.whole.append(r)

    def hear(self):
        """Waits for bytes; False when the peer closed."""
        self.begin()
        self.flush()
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()
        return True

    def request(self):
        """The next whole request, probes apart; None when the peer closed."""
        while not self.whole:
            if not self.hear():
                return None
        return self.whole.pop(0)

    def head(self, stream, status="200", fields=(), end=False):
        self.h2.send_headers(stream, [
            (":status", status), ("x-version", self.instance.version),
            ("x-instance", self.instance.name), *fields], end_stream=end)
        self.flush()

    def body(self, stream, data, end=False):
        """All of it, for as long as the windows take."""
        while data:
            n = min(self.h2.local_flow_control_window(stream), 16384,
                    len(data))
            if n == 0:
                if not self.hear() or stream in self.lost:
                    return
                continue
            self.h2.send_data(stream, data[:n])
            data = data[n:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def answer(self, stream, body=b"", status="200", fields=(), trailers=()):
        try:
            self.head(stream, status, fields, end=not body and not trailers)
            if body or trailers:
                self.body(stream, body, end=not trailers)
            if trailers:
                self.h2.send_headers(stream, trailers, end_stream=True)
            self.flush()
        except h2.exceptions.ProtocolError:
            pass  # the peer has reset it

    def reset(self, stream, code=h2.errors.ErrorCodes.CANCEL):
        self.h2.reset_stream(stream, code)
        self.flush()

    def goaway(self, last):
        """Said without believing it ourselves: what is open goes on."""
        self.flush()
        self.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, 0)))

    def close(self):
        try:
            self.sock.shutdown(2)
        except OSError:
            pass
        self.sock.close()


def h2_answer_all(conn):
    """The plainest script: 200 to whatever comes."""
    while (r := conn.request()) is not None:
        conn.answer(r.stream,
                    f"{r.method} {r.target} {len(r.body)}\n".encode())


class H2Scripted(Scripted):
    connection = H2Connection
    health_status, health_body = "200", b"UP"

    def __init__(self, rig, version, name, script=h2_answer_all, tls=None,
                 streams=100):
        self.streams = streams
        super().__init__(rig, version, name, script, tls)

    def serve(self, conn):
        try:
            super().serve(conn)
        except Closed:
            pass
        except h2.exceptions.H2Error as e:  # shown where a test fails of it
            print(f"instance {self.name}: {e!r}", file=sys.stderr)
