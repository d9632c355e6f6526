"""Clients that others wrote live through a cutover, a reload and the way
back: nothing fails, and a session stays where it began."""
import collections
import re
import socket
import ssl
import subprocess
import threading

import h2.config
import h2.connection
import h2.events
import pytest

from rig import node, wait_until
from rig.certs import Authority
from rig.segued import pool, service

CLIENTS = 5  # of those that are a program of ours around a library

Place = collections.namedtuple("Place", "rig s ca plain tls")


@pytest.fixture(scope="module")
def place():
    """Two versions, segued in clear and over TLS."""
    from rig import Rig
    rig = Rig()
    try:
        ca, secure = Authority(rig), rig.port()
        s = rig.segued(service(
            pool("v1", [rig.nginx("v1", n) for n in ("a1", "a2")],
                 share="100%"),
            pool("v2", [rig.nginx("v2", n) for n in ("b1", "b2")]),
            sticky={"idle": "1s"}), start=False)
        s.config["listeners"].append({
            "name": "tls", "address": secure.address,
            "tls": {"certificates": [ca.leaf("localhost").row()]}})
        s.write_config()
        s.start()
        yield Place(rig, s, ca, f"http://localhost:{s.port.number}",
                    f"https://localhost:{secure.number}")
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


# ---- programs that are run again and again; a run is a session ----

class Again(threading.Thread):
    """words: of the command; born(output): the version it found, "?" when it
    does not say; raises when the output is not as it must be."""

    def __init__(self, words, born):
        super().__init__()
        self.words, self.look = words, born
        self.born, self.failed = [], []
        self.stopping = threading.Event()
        self.start()

    def run(self):
        while not self.stopping.is_set() and not self.failed:
            done = subprocess.run(
                self.words, stdin=subprocess.DEVNULL, timeout=60, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            try:
                assert done.returncode == 0
                self.born.append(self.look(done.stdout))
            except AssertionError as e:
                self.failed.append(f"{e}\n{done.returncode}: {done.stdout}")

    def report(self):
        return {"born": list(self.born), "failed": self.failed}

    def stop(self):
        self.stopping.set()
        self.join()
        return self.report()


def curl(url, version, *more, n=30):
    """n requests with cookies, on one connection."""
    def born(out):
        rows = re.findall(r"^(v\d) \w+ \d+\n200 (\S+) (\d)$", out, re.M)
        assert len(rows) == n and len(out.splitlines()) == 2 * n
        assert {row[1] for row in rows} == {version}
        assert sum(int(row[2]) for row in rows) == 1, "connections"
        assert len({row[0] for row in rows}) == 1, "bounced"
        return rows[0][0]

    return lambda p: Again(
        ["curl", "-sS", "-m", "50", "-b", "", "--cacert", p.ca.cert, *more,
         "-w", "%{http_code} %{http_version} %{num_connects}\n",
         f"{getattr(p, url)}/get?id=[1-{n}]"], born)


def nghttp(url):
    """Thirty streams at once; it keeps no cookies."""
    def born(out):
        rows = re.findall(r"^(v\d) \w+ 7$", out, re.M)
        others = [line for line in out.splitlines()
                  if not re.match(r"v\d \w+ 7$", line) and
                  not re.search("connect to|next address", line)]
        assert len(rows) == 30 and not others  # localhost may be ::1, too
        return rows[-1]

    return lambda p: Again(
        ["nghttp", "-y", "-m", "30", f"{getattr(p, url)}/get?id=7"], born)


def h2load(url, *more):
    def born(out):
        assert "200 succeeded, 0 failed, 0 errored, 0 timeout" in out
        assert "status codes: 200 2xx, 0 3xx, 0 4xx, 0 5xx" in out
        return "?"

    return lambda p: Again(
        ["h2load", "-n", "200", "-c", "4", *more,
         f"{getattr(p, url)}/get?id=1"], born)


# ---- programs that go on until they are told ----

class Node:
    def __init__(self, p, kind, url, protocol):
        self.protocol = protocol
        self.talk = node.Talk(p.rig, "http_clients.js", kind, url, CLIENTS,
                              p.ca.cert, env={"NODE_EXTRA_CA_CERTS":
                                              p.ca.cert})

    def report(self):
        return self.talk.ask("report")

    def stop(self):
        final = self.talk.ask("stop")
        assert self.talk.child.wait(10) == 0
        assert list(final["protocols"]) == [self.protocol]
        return final


def nodes(kind, url, protocol):
    return lambda p: Node(p, kind, getattr(p, url), protocol)


class PythonH2(Again):
    """The library h2: connections of one session each, four streams at a
    time."""

    def __init__(self, p, url):
        self.host, port = url.split("://")[1].split(":")
        self.port, self.scheme = int(port), url.split(":")[0]
        self.context = None
        if self.scheme == "https":
            self.context = p.ca.trusting()
            self.context.set_alpn_protocols(["h2"])
        super().__init__(None, None)

    def run(self):
        while not self.stopping.is_set() and not self.failed:
            try:
                self.born.append(self.session())
            except (OSError, AssertionError, h2.exceptions.H2Error,
                    ssl.SSLError) as e:
                self.failed.append(repr(e))

    def session(self):
        self.sock = socket.create_connection((self.host, self.port), 10)
        try:
            if self.context is not None:
                self.sock = self.context.wrap_socket(
                    self.sock, server_hostname=self.host)
            self.conn = h2.connection.H2Connection(
                h2.config.H2Configuration(header_encoding="ascii"))
            self.conn.initiate_connection()
            self.cookie = None
            versions = self.ask(1)
            for _ in range(3):
                versions |= self.ask(4)
            assert len(versions) == 1, f"bounced: {versions}"
            return versions.pop()
        finally:
            self.sock.close()

    def ask(self, n):
        """n streams at once, each of them a post; their versions."""
        want, versions = {self.request() for _ in range(n)}, set()
        while want:
            self.sock.sendall(self.conn.data_to_send())
            data = self.sock.recv(65536)
            assert data, "the connection ended"
            for e in self.conn.receive_data(data):
                assert not isinstance(e, (
                    h2.events.StreamReset,
                    h2.events.ConnectionTerminated)), e
                if isinstance(e, h2.events.ResponseReceived):
                    versions.add(self.head(dict(e.headers)))
                elif isinstance(e, h2.events.DataReceived):
                    self.conn.acknowledge_received_data(
                        e.flow_controlled_length, e.stream_id)
                elif isinstance(e, h2.events.StreamEnded):
                    want.discard(e.stream_id)
        return versions

    def request(self):
        stream = self.conn.get_next_available_stream_id()
        more = [("cookie", self.cookie)] if self.cookie else []
        self.conn.send_headers(stream, [
            (":method", "POST"), (":path", "/post?id=1"),
            (":scheme", self.scheme),
            (":authority", f"{self.host}:{self.port}"), *more])
        self.conn.send_data(stream, b"x" * 1000, end_stream=True)
        return stream

    def head(self, fields):
        assert fields[":status"] == "200", fields
        if "set-cookie" in fields:
            self.cookie = fields["set-cookie"].split(";")[0]
        return fields["x-version"]


def python_h2(url):
    return lambda p: PythonH2(p, getattr(p, url))


REAL = {
    "curl, h1": curl("plain", "1.1"),
    "curl, h1 that would upgrade": curl("plain", "1.1", "--http2"),
    "curl, h1 over TLS": curl("tls", "1.1", "--http1.1"),
    # before 8.0 it cannot do a second request there (curl's issue 10634)
    "curl, h2c": curl("plain", "2", "--http2-prior-knowledge", n=1),
    "curl, h2": curl("tls", "2"),
    "nghttp, h2c": nghttp("plain"),
    "nghttp, h2": nghttp("tls"),
    "h2load, h1": h2load("plain", "--h1"),
    "h2load, h1 over TLS": h2load("tls", "--h1"),
    "h2load, h2c": h2load("plain", "-m", "10"),
    "h2load, h2": h2load("tls", "-m", "10"),
    "node http, h1": nodes("http", "plain", "1.1"),
    "node https, h1 over TLS": nodes("https", "tls", "1.1"),
    "node http2, h2c": nodes("http2", "plain", "h2c"),
    "node http2, h2": nodes("http2", "tls", "h2"),
    "node fetch, h1": nodes("fetch", "plain", "fetch"),
    "node fetch, h1 over TLS": nodes("fetch", "tls", "fetch"),
    "python h2, h2c": python_h2("plain"),
    "python h2, h2": python_h2("tls"),
}


def more_sessions(c, n=CLIENTS):
    """Until so many more have begun; their versions."""
    at = len(c.report()["born"])
    r = wait_until(lambda: (r := c.report()) and (
        r["failed"] or len(r["born"]) >= at + n) and r, 30, "sessions")
    return set(r["born"][at:])


@pytest.mark.parametrize("client", REAL)
def test_lives_through_a_cutover(place, client):
    s, c = place.s, REAL[client](place)
    try:
        assert more_sessions(c) <= {"v1", "?"}
        s.do("switch", "v2")
        more_sessions(c)  # each may have begun before
        assert more_sessions(c) <= {"v2", "?"}
        assert s.admin.reload()[0] == 200
        s.do("drain", "v1", "--wait", "--timeout", "30s")
        more_sessions(c)
        s.do("undrain", "v1")
        wait_until(lambda: s.admin.pool("v1")["ready"])
        s.do("switch", "v1")
        more_sessions(c)
        assert more_sessions(c) <= {"v1", "?"}
    finally:
        final = c.stop()
    assert not final["failed"], final["failed"][:5]
    a = wait_until(lambda: (a := s.admin.status()["accounting"])[
        "in_flight"] == 0 and a, what="the end")
    assert a["holds"] is True and a["answered"] == a["accepted"], a
