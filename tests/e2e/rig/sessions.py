"""sessions - clients of every protocol, living through sessions of a dozen
requests: half of them on one connection, half on a new one each."""
import itertools
import ssl
import threading

from rig.certs import TlsClient
from rig.h2wire import DATA, END_HEADERS, END_STREAM, H2, frame, headers, \
    request
from rig.rig import wait_until
from rig.wire import Answer, Client, Closed

EACH = 12  # requests of a session


class H2Client:
    """One connection of HTTP/2 with the cookies it was given; one stream
    after the other.  Looks like rig.wire.Client."""

    def __init__(self, address, context=None, session=None, cookies=None):
        self.cookies = dict(cookies or {})
        self.scheme = "http" if context is None else "https"
        self.h2 = H2(address, wrap=context and (
            lambda sock: context.wrap_socket(
                sock, server_hostname="localhost", session=session)))
        self.sock = self.h2.sock
        self.streams = itertools.count(1, 2)

    def ask(self, method, target, body):
        n = next(self.streams)
        more = [("cookie", f"{k}={v}") for k, v in self.cookies.items()]
        fields = request(target, method, more, "localhost", self.scheme)
        if body is None:
            self.h2.send(headers(n, fields))
        else:
            self.h2.send(headers(n, fields, END_HEADERS) +
                         frame(DATA, END_STREAM, n, body))
        status = self.h2.answer(n)
        if status is None or n not in self.h2.ended:
            raise Closed(f"stream {n}: {self.h2.frames[-3:]}")
        return self.as_answer(n)

    def as_answer(self, n):
        fields = self.h2.fields.pop(n)
        head = f"HTTP/2 {fields[0][1]} \r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in fields[1:]) + "\r\n"
        a = Answer(head.encode(), self.h2.bodies.pop(n, b""))
        self.cookies.update(a.cookies())
        self.h2.frames.clear()
        return a

    def get(self, target="/get"):
        return self.ask("GET", target, None)

    def post(self, target="/post", body=b"x"):
        return self.ask("POST", target, body)

    def close(self):
        self.h2.close()


def h1(address, context, **kw):
    assert context is None
    kw.pop("session", None)
    return Client(address, **kw)


# What a client speaks: how it comes in, what it offers by ALPN.
CLIENTS = {
    "h1": (h1, None),
    "h1+tls": (TlsClient, ["http/1.1"]),
    "h2c": (H2Client, None),
    "h2": (H2Client, ["h2"]),
}


def of(address, kind, ca=None, v=ssl.TLSVersion.TLSv1_3):
    """A function that opens a connection of such a client."""
    connect, alpn = CLIENTS[kind]
    context = None
    if alpn is not None:
        context = ca.trusting(minimum_version=v, maximum_version=v)
        context.set_alpn_protocols(alpn)
    return lambda **kw: connect(address, context=context, **kw)


class Sessions:
    """Some clients of one kind; a quarter of those over TLS speak 1.2."""

    def __init__(self, address, kind, ca, clients):
        self.address, self.kind, self.ca = address, kind, ca
        self.stopping = threading.Event()
        self.failed, self.answers, self.posts = [], 0, 0
        self.born = []  # versions of sessions, in their order
        self.ids = itertools.count()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.live, args=(i,))
                        for i in range(clients)]
        for t in self.threads:
            t.start()

    def live(self, i):
        connect = of(self.address, self.kind, self.ca,
                     ssl.TLSVersion.TLSv1_2 if i % 4 == 0
                     else ssl.TLSVersion.TLSv1_3)
        while not self.stopping.is_set():
            try:
                self.session(connect, fresh=i % 2 == 0)
            except (OSError, AssertionError, Closed) as e:
                self.failed.append(f"{self.kind}: {e!r}")

    def session(self, connect, fresh):
        version, c = None, connect()
        try:
            for n in range(EACH):
                if fresh and n > 0:
                    kept, cookies = getattr(c.sock, "session", None), c.cookies
                    c.close()
                    c = connect(session=kept, cookies=cookies)
                a = self.ask(c, n)
                assert a.status == 200, a.head
                assert version in (None, a.version), \
                    f"bounced from {version} to {a.version}"
                version = a.version
                self.count(version if n == 0 else None, n % 3 == 2)
        finally:
            c.close()

    def ask(self, c, n):
        if n % 3 != 2:
            return c.get()
        with self.lock:
            number = next(self.ids)
        return c.post(f"/post?id={self.kind}-{number}", body=b"x" * 3000)

    def count(self, born, is_post):
        with self.lock:
            self.answers += 1
            self.posts += is_post
            if born is not None:
                self.born.append(born)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()


class Crowd:
    """Clients of several kinds at once."""

    def __init__(self, where, ca, clients):
        """where: {kind: address}; clients: of each kind."""
        self.clients = clients
        self.kinds = {kind: Sessions(address, kind, ca, clients)
                      for kind, address in where.items()}

    def failed(self):
        return [f for k in self.kinds.values() for f in k.failed]

    def wait_born(self, n=None):
        """Until so many more sessions of each kind have begun; what version
        each of them got."""
        at = {name: len(k.born) for name, k in self.kinds.items()}
        wait_until(lambda: self.failed() or all(
            len(k.born) >= at[name] + (n or self.clients)
            for name, k in self.kinds.items()), 30, "new sessions")
        return {name: set(k.born[at[name]:]) for name, k in self.kinds.items()}

    def stop(self):
        """Nothing has failed; how many answers there were."""
        for k in self.kinds.values():
            k.stopping.set()
        for k in self.kinds.values():
            k.stop()
        assert not self.failed(), self.failed()[:5]
        return sum(k.answers for k in self.kinds.values())

    def posts(self):
        return sum(k.posts for k in self.kinds.values())
