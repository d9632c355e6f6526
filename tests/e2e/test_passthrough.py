"""Services whose TLS ends at their instances: routed by the name a client asks
for, never read; shared, tried, drained and counted as any other.  Instances
are nginx with certificates of their own, and hands that do it wrongly."""
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient, raw, settles, tls_once
from rig.scripted import answer_all
from rig.segued import pool, service
from rig.wire import Client, Closed

NAME = "id.example.org"


@pytest.fixture
def ca(rig):
    return Authority(rig)


@pytest.fixture
def leaf(ca):
    return ca.leaf(NAME, "*.tenant.example.org")


def tls_probe(ca):
    """Probes go over TLS, as the instances want it."""
    return {"tls": {"ca": ca.cert, "name": NAME}}


def tcp_probe():
    return {"probe": {"type": "tcp", "interval": "200ms",
                      "fast_interval": "30ms", "timeout": "1s", "rise": 1,
                      "fall": 2, "hold": "0"}}


def pool_tcp(name, instances, **more):
    """Probes connect, and that is all."""
    p = pool(name, instances, **more)
    p["probe"] = {**tcp_probe()["probe"], **more.get("probe", {})}
    return p


def passing(*pools, host=NAME, **more):
    return service(*pools, name="id", mode="passthrough", match=[host],
                   **more)


def segued(rig, services, listener=None, **more):
    s = rig.segued(services, start=False, **more)
    s.config["listeners"][0].update(listener or {}, passthrough=True)
    s.write_config()
    s.start()
    return s


def outcomes(s, name="id"):
    """{outcome: exchanges} of a service, zeros left out."""
    for sv in s.admin.status()["services"]:
        if sv["name"] == name:
            return {k: n for k, n in sv["outcomes"].items() if n}
    return {}


def wait_outcomes(s, want, name="id"):
    """A connection's end is counted when it is seen."""
    wait_until(lambda: outcomes(s, name) == want, what=f"{want}")


def refused(s):
    return {name.split('"')[1]: int(n)
            for name, n in s.admin.metrics().items()
            if name.startswith("segue_connections_refused_total") and n}


def ends(sock):
    """What comes until the peer closes or cuts."""
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except ConnectionResetError:
        pass
    return got


def hello(name=NAME, **setup):
    """The first bytes of a real client."""
    context = ssl.create_default_context()
    for key, value in setup.items():
        setattr(context, key, value)
    out = ssl.MemoryBIO()
    if name is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


ALERTS = {50: "decode_error", 80: "internal_error", 112: "unrecognized_name"}


def alert(data):
    """The name of the fatal alert in clear that this is."""
    assert data[:6] == b"\x15\x03\x03\0\2\2" and len(data) == 7, data
    return ALERTS[data[6]]


# ---- the way ----

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_end_to_end(rig, ca, leaf, version):
    """The certificate is the instance's, no matter who it is; both ways may
    be long; one line of the log says it all."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool("v1", [a], share="100%", **tls_probe(ca))))
    v = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    context = ca.trusting(minimum_version=v, maximum_version=v)
    with TlsClient(s.address, context, host=NAME) as c:
        assert c.peer_names()[0] == NAME
        assert c.get().instance == "a"
        assert c.post(body=os.urandom(3 << 20)).status == 200
        assert len(c.get("/big").body) == 256 * 1024
        assert s.admin.pool("v1")["streams"] == 1
        assert s.admin.pool("v1")["in_flight"] == 0
    row, = s.wait_access(1)
    assert row["passthrough"] is True and row["sni"] == NAME
    assert (row["service"], row["pool"], row["instance"]) == ("id", "v1", "a")
    assert row["outcome"] == "tunnelled" and row["status"] == 0
    assert row["bytes_in"] > 3 << 20 and row["bytes_out"] > 256 * 1024
    assert 0 < row["first_byte_s"] < row["total_s"]
    assert "method" not in row and "tls" not in row
    wait_outcomes(s, {"tunnelled": 1})
    assert not refused(s)


def test_curl_and_http2(rig, ca, leaf):
    """What the two ends agree on (ALPN) goes through us unseen."""
    a = rig.nginx("v1", "a", tls=leaf, http2=True)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    host, port = s.address.rsplit(":", 1)
    for want, word in (("2", "--http2"), ("1.1", "--http1.1")):
        done = subprocess.run(
            ["curl", "-sS", word, "--cacert", ca.cert, "--connect-to",
             f"{NAME}:443:{host}:{port}", "-w", " %{http_version}",
             f"https://{NAME}/get?id=[1-5]"], capture_output=True, text=True,
            timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stdout.split("\n") if line][-1] == \
            f" {want}", done.stdout
        assert done.stdout.count("v1 a ") == 5
    wait_outcomes(s, {"tunnelled": 2})


def test_openssl_s_client(rig, ca, leaf):
    """s_client half-closes at the end of its input."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    done = subprocess.run(
        ["openssl", "s_client", "-connect", s.address, "-servername", NAME,
         "-CAfile", ca.cert, "-verify_return_error", "-ign_eof", "-quiet"],
        input=f"GET /get HTTP/1.1\r\nHost: {NAME}\r\n"
              "Connection: close\r\n\r\n", capture_output=True, text=True,
        timeout=20, check=False)
    assert "200 OK" in done.stdout and "v1 a" in done.stdout, done


# ---- names ----

def site(rig, ca, leaf):
    """One listener: three names are passed through, the rest ends here."""
    web = rig.nginx("v1", "web")
    a = rig.nginx("v1", "a", tls=leaf)
    b = rig.nginx("v1", "b", tls=leaf)
    own = ca.leaf("web.example.org", "*.example.org")
    return segued(rig, [
        service(pool("v1", [web], share="100%"), match=[
            "web.example.org", "other.example.org", "x.tenant.example.org"]),
        passing(pool_tcp("v1", [a], share="100%")),
        service(pool_tcp("v1", [b], share="100%"), name="tenants",
                mode="passthrough", match=["*.tenant.example.org"])],
        {"tls": {"certificates": [own.row()]}})


def test_mixed_listener(rig, ca, leaf):
    s = site(rig, ca, leaf)
    context = ca.trusting()
    for _ in range(3):
        for host, want in (("web.example.org", "web"), (NAME, "a"),
                           ("other.example.org", "web"),
                           ("q.tenant.example.org", "b"),
                           ("ID.Example.ORG", "a")):
            sni = host
            got = tls_once(s.address, context, host=host.lower(), sni=sni)
            assert got.instance == want, host
    # the more specific host has it, whoever's it is
    with pytest.raises(ssl.SSLCertVerificationError):
        tls_once(s.address, context, host="x.tenant.example.org")
    # who asks for no name gets our certificate
    assert hello(None)
    bare = ca.trusting(check_hostname=False)
    c = TlsClient.__new__(TlsClient)
    Client.__init__(c, s.address)
    c.sock = bare.wrap_socket(c.sock)
    c.address = "web.example.org"
    c.reader.sock = c.sock
    assert c.get().instance == "web"
    c.close()
    wait_outcomes(s, {"tunnelled": 6}, "id")
    wait_outcomes(s, {"tunnelled": 3}, "tenants")


def test_a_connection_that_ends_here_does_not_lead_there(rig, ca, leaf):
    """Browsers share a connection among names of a certificate: those that
    are passed through are answered 421, so that they open another."""
    s = site(rig, ca, leaf)
    with TlsClient(s.address, ca.trusting(), host="web.example.org") as c:
        assert c.get().instance == "web"
        c.address = NAME
        assert c.get().status == 421
        c.address = "q.tenant.example.org"
        assert c.get().status == 421
        c.address = "web.example.org"
        assert c.get().instance == "web"


def test_host_of_plain_http_is_another_world(rig, ca, leaf):
    """The same name may be served in clear, for redirects, and leads to no
    instance that ends TLS."""
    web = rig.nginx("v1", "web")
    a = rig.nginx("v1", "a", tls=leaf)
    s = rig.segued([service(pool("v1", [web], share="100%"), match=[NAME]),
                    passing(pool_tcp("v1", [a], share="100%"))], start=False)
    plain = rig.port()
    s.config["listeners"][0]["passthrough"] = True
    s.config["listeners"].append({"name": "plain", "address": plain.address})
    s.write_config()
    s.start()
    with Client(plain.address) as c:
        c.address = NAME
        assert c.get().instance == "web"
        c.address = "x.example.org"
        assert c.get().status == 421
    assert tls_once(s.address, ca.trusting(), host=NAME).instance == "a"


def test_plain_http_is_led_to_tls(rig, ca, leaf):
    """Who asks in clear for a host that is passed through is sent there by a
    listener that redirects, and nobody else is."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = rig.segued(passing(pool_tcp("v1", [a], share="100%")), start=False)
    plain, none = rig.port(), rig.port()
    s.config["listeners"][0]["passthrough"] = True
    s.config["listeners"] += [
        {"name": "plain", "address": plain.address, "redirect": "https"},
        {"name": "none", "address": none.address}]
    s.write_config()
    s.start()
    with Client(plain.address) as c:
        c.address = NAME
        got = c.get("/a?b")
        assert (got.status, got.field("location")) == \
            (301, f"https://{NAME}/a?b")
        c.address = "x.example.org"
        assert c.get().status == 421
    with Client(none.address) as c:
        c.address = NAME
        assert c.get().status == 421


def test_any_name_and_none(rig, ca, leaf):
    a = rig.nginx("v1", "a", tls=leaf)
    b = rig.nginx("v1", "b", tls=leaf)
    s = segued(rig, [passing(pool_tcp("v1", [a], share="100%"), host="*"),
                     service(pool_tcp("v1", [b], share="100%"), name="b",
                             mode="passthrough", match=["b.example.org"])])
    anybody = ca.trusting(check_hostname=False)
    for sni in ("who.ever", None, "b.example.org", "xb.example.org"):
        sock = anybody.wrap_socket(raw(s.address), server_hostname=sni)
        sock.sendall(b"GET /get HTTP/1.1\r\nHost: x\r\n"
                     b"Connection: close\r\n\r\n")
        want = b"b" if sni == "b.example.org" else b"a"
        assert b"v1 " + want + b" " in ends(sock), sni
        sock.close()
    rows = s.wait_access(4)
    assert sorted(r["sni"] for r in rows if r["service"] == "id") == \
        ["", "who.ever", "xb.example.org"]


def test_nobody_has_that_name(rig, ca, leaf):
    """An alert says so, also to those that ask for none."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    with pytest.raises(ssl.SSLError) as e:
        tls_once(s.address, ca.trusting(), host="who.example.org")
    assert "unrecognized name" in str(e.value).lower().replace("_", " ")
    with raw(s.address) as c:
        c.sendall(hello(None))
        assert alert(ends(c)) == "unrecognized_name"
    assert refused(s) == {"hello_name": 2}
    assert s.log_has("why=hello_name detail=\"who.example.org\"")
    assert s.admin.status()["accounting"]["accepted"] == 0
    assert tls_once(s.address, ca.trusting(), host=NAME).instance == "a"


# ---- shares, a switch, a drain ----

SOURCES = [f"127.0.0.{n}" for n in range(2, 42)]


def test_shares_by_source(rig, ca, leaf):
    """No cookie is seen: the address decides, each time alike; a greater share
    moves only those it needs."""
    a, b = rig.nginx("v1", "a", tls=leaf), rig.nginx("v2", "b", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="50%"),
                            pool_tcp("v2", [b], share="50%")))
    context = ca.trusting()

    def all_of_them():
        return {source: tls_once(s.address, context, host=NAME,
                                 source=source).version
                for source in SOURCES}

    first = all_of_them()
    assert set(first.values()) == {"v1", "v2"}
    assert all_of_them() == first, "nobody bounces"
    s.do("share", "v2", "80%")
    later = all_of_them()
    assert all(later[x] == "v2" for x in SOURCES if first[x] == "v2")
    assert sum(later[x] == "v2" for x in SOURCES) > \
        sum(first[x] == "v2" for x in SOURCES)


class Load:
    """Clients that live on connections of some requests each."""

    def __init__(self, s, ca, clients=12):
        self.s, self.context = s, ca.trusting()
        self.failed, self.born, self.answers = [], [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.live, args=(i,))
                        for i in range(clients)]
        for t in self.threads:
            t.start()

    def live(self, i):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                with TlsClient(self.s.address, self.context, host=NAME,
                               source=SOURCES[i]) as c:
                    version = None
                    for n in range(6):
                        a = c.post(body=b"x" * 9000) if n == 3 else c.get()
                        assert a.status == 200, a.head
                        assert version in (None, a.version)
                        version = a.version
                    self.born.append((began, version))
            except (OSError, AssertionError, Closed) as e:
                self.failed.append(repr(e))

    def wait_born(self, n):
        n += len(self.born)
        wait_until(lambda: len(self.born) >= n or self.failed, 30,
                   f"{n} connections")

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()
        assert not self.failed, self.failed[:5]


def test_switch_under_load(rig, ca, leaf, rounds):
    """0 failed; what begins after the command has returned is on V2; a drain
    waits for connections that go on."""
    v1 = [rig.nginx("v1", n, tls=leaf) for n in ("a1", "a2")]
    v2 = [rig.nginx("v2", n, tls=leaf) for n in ("b1", "b2")]
    s = segued(rig, passing(
        pool("v1", v1, share="100%", **tls_probe(ca)),
        pool("v2", v2, **tls_probe(ca)),
        drain={"requests": "1s", "streams": "20s"}))
    load = Load(s, ca)
    context = ca.trusting()
    try:
        load.wait_born(12)
        for _ in range(rounds):
            with TlsClient(s.address, context, host=NAME) as old:
                assert old.get().version == "v1"
                s.do("switch", "v2")
                switched = time.monotonic()
                for _ in range(3):
                    assert tls_once(s.address, context,
                                    host=NAME).version == "v2"
                assert s.admin.reload()[0] == 200
                load.wait_born(24)
                new = [v for began, v in list(load.born)
                       if began > switched]
                assert new and set(new) == {"v2"}
                assert old.get().version == "v1", "it stays where it is"
            s.do("drain", "v1", "--wait", "--timeout", "30s")
            load.wait_born(12)
            s.do("undrain", "v1")
            wait_until(lambda: s.admin.pool("v1")["ready"])
            s.do("switch", "v1")
            load.wait_born(24)
            s.do("drain", "v2", "--wait", "--timeout", "30s")
            s.do("undrain", "v2")
            wait_until(lambda: s.admin.pool("v2")["ready"])
    finally:
        load.stop()
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["fault"] == a["deadline"] == 0, a
    assert set(outcomes(s)) == {"tunnelled"}


def test_drain_ends_streams_by_lot(rig, ca, leaf):
    """At their deadline connections are cut, not all at once, and the pool is
    drained; those elsewhere live on."""
    a, b = rig.nginx("v1", "a", tls=leaf), rig.nginx("v2", "b", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%"),
                            pool_tcp("v2", [b]),
                            drain={"requests": "0", "streams": "1s",
                                   "spread": "2s"}))
    context = ca.trusting()
    old = [TlsClient(s.address, context, host=NAME) for _ in range(12)]
    assert {c.get().version for c in old} == {"v1"}
    s.do("switch", "v2")
    new = TlsClient(s.address, context, host=NAME)
    assert new.get().version == "v2"
    began = time.monotonic()
    s.do("drain", "v1")
    assert {c.get().version for c in old} == {"v1"}
    moments = []
    for c in old:
        t = threading.Thread(target=lambda c=c: (
            pytest.raises((OSError, ssl.SSLError, Closed), c.reader.more),
            moments.append(time.monotonic() - began)))
        t.start()
        c.thread = t
    for c in old:
        c.thread.join(10)
        c.close()
    assert len(moments) == 12 and min(moments) > 0.9, moments
    assert max(moments) - min(moments) > 0.3, moments
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained")
    assert new.get().version == "v2"
    new.close()
    wait_outcomes(s, {"drain_cut": 12, "tunnelled": 1})


def test_stop(rig, ca, leaf):
    """A stop gives connections its whole time, cuts them then, and ends."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%"),
                            drain={"spread": "100ms"}),
               stop={"deadline": "2s", "linger": "100ms"})
    context = ca.trusting()
    stays = TlsClient(s.address, context, host=NAME)
    goes = TlsClient(s.address, context, host=NAME)
    stays.get(), goes.get()
    began = time.monotonic()
    s.send(signal.SIGTERM)
    time.sleep(0.3)
    assert stays.get().instance == "a", "it is served on"
    goes.close()
    assert s.wait_exit() == 0
    assert time.monotonic() - began > 1.5
    s.checked = True
    with pytest.raises((OSError, ssl.SSLError, Closed)):
        stays.reader.more()
    stays.close()
    assert sorted(r["outcome"] for r in s.access()) == \
        ["stop_cut", "tunnelled"]


# ---- instances that fail ----

def counted(s, what):
    return sum(int(n) for name, n in s.admin.metrics().items()
               if name.startswith(f"segue_instance_{what}_total{{"))


def test_connect_fails_elsewhere_it_goes(rig, ca, leaf):
    """Nothing has left, so the next instance gets it all."""
    a = rig.nginx("v1", "a", tls=leaf)
    dead = rig.nginx("v1", "dead", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a, dead], share="100%", eject="off",
                                     probe={"interval": "60s"})))
    dead.kill()
    context = ca.trusting()
    for _ in range(20):
        assert tls_once(s.address, context, host=NAME).instance == "a"
    wait_outcomes(s, {"tunnelled": 20})
    assert sum(r["retries"] for r in s.wait_access(20)) > 0
    # and when there is nobody, the client is told
    a.kill()
    with raw(s.address) as c:
        c.sendall(hello())
        assert alert(ends(c)) == "internal_error"
    wait_until(lambda: len(outcomes(s)) == 2)
    assert set(outcomes(s)) - {"tunnelled"} in ({"connect_failed"},
                                                {"no_instance"})


def test_nobody_is_ready(rig, ca, leaf):
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    a.kill()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
    with raw(s.address) as c:
        c.sendall(hello())
        assert alert(ends(c)) == "internal_error"
    row, = s.wait_access(1)
    assert row["outcome"] == "no_instance" and row["sni"] == NAME
    a.start()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 1)
    settles(lambda: tls_once(s.address, ca.trusting(), host=NAME).instance
            == "a")


def silent(conn):
    while conn.sock.recv(65536):
        pass


def hangs_up(conn):
    conn.sock.recv(65536)


def resets(conn):
    conn.sock.recv(1)
    conn.reset()


@pytest.mark.parametrize("script, outcome", [
    (silent, "first_byte_timeout"), (hangs_up, "instance_reset"),
    (resets, "instance_reset")])
def test_an_instance_that_says_nothing(rig, script, outcome):
    """It was sent the hello, so nobody else gets it; that counts against
    it."""
    a = rig.scripted("v1", "a", script)
    s = segued(rig, passing(
        pool_tcp("v1", [a], share="100%", probe={"interval": "60s"}),
        timeouts={"first_byte": "500ms"}))
    for n in range(1, 4):
        with raw(s.address) as c:
            c.sendall(hello())
            assert ends(c) == b""
        wait_outcomes(s, {outcome: n})
    assert counted(s, "failures") == 3
    assert all(r["retries"] == 0 for r in s.wait_access(3))


def test_client_leaves_before_an_answer(rig):
    a = rig.scripted("v1", "a", silent)
    s = segued(rig, passing(
        pool_tcp("v1", [a], share="100%", probe={"interval": "60s"})))
    with raw(s.address) as c:
        c.sendall(hello())
        wait_until(lambda: s.admin.pool("v1")["streams"] == 1)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    wait_outcomes(s, {"client_left": 1})
    assert counted(s, "failures") == 0


def test_bound_of_connections(rig, ca, leaf):
    """max_requests is of connections; who comes then waits in the queue."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%", max_requests=2,
                                     queue={"max": 1, "timeout": "20s"})),
               workers=1)
    context = ca.trusting()
    first, second = (TlsClient(s.address, context, host=NAME)
                     for _ in range(2))
    assert first.get().status == second.get().status == 200
    third = raw(s.address)
    third.sendall(hello())
    wait_until(lambda: s.admin.pool("v1")["queued"] == 1)
    with raw(s.address) as c:
        c.sendall(hello())
        assert alert(ends(c)) == "internal_error"
    wait_outcomes(s, {"queue_full": 1})
    first.close()
    assert third.recv(1) == b"\x16", "a record of the handshake"
    third.close()
    second.close()
    wait_outcomes(s, {"queue_full": 1, "tunnelled": 3})


def test_least_requests_counts_connections(rig, ca, leaf):
    a, b = rig.nginx("v1", "a", tls=leaf), rig.nginx("v1", "b", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a, b], share="100%")))
    kept = [TlsClient(s.address, ca.trusting(), host=NAME)
            for _ in range(20)]
    names = [c.get().instance for c in kept]
    for c in kept:
        c.close()
    assert 8 <= names.count("a") <= 12, names


# ---- who the client is ----

def test_proxy_protocol_out_and_in(rig, ca, leaf):
    """The preface in front of the hello, on either side."""
    a = rig.nginx("v1", "a", tls=leaf, proxy_protocol=True)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%",
                                     send_proxy="v2")),
               {"proxy_protocol": "optional",
                "trusted_proxies": ["127.0.0.9"]})
    context = ca.trusting()
    got = tls_once(s.address, context, "/who", host=NAME, source="127.0.0.7")
    assert got.body.split()[0] == b"127.0.0.7"
    c = raw_from(s.address, "127.0.0.9")
    c.sendall(b"PROXY TCP4 192.0.2.5 192.0.2.99 1234 443\r\n")
    with context.wrap_socket(c, server_hostname=NAME) as c:
        c.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"192.0.2.5 " in ends(c)
    row, = [r for r in s.wait_access(2) if "via" in r]
    assert (row["client"], row["via"]) == ("192.0.2.5", "127.0.0.9")
    # probes have no preface of anybody, and passed all the same
    wait_outcomes(s, {"tunnelled": 2})


def raw_from(address, source):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), 10, (source, 0))


def test_bounds_of_an_address(rig, ca, leaf):
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")),
               {"clients": {"requests_per_second": 1, "burst": 3}})
    first, socks = hello(), [raw(s.address) for _ in range(12)]
    for c in socks:
        c.sendall(first)
    began = [c.recv(7) for c in socks]
    for c in socks:
        c.close()
    told = [alert(b) for b in began if b[0] == 0x15]
    assert set(told) == {"internal_error"} and len(told) <= 9, began
    wait_outcomes(s, {"tunnelled": 12 - len(told),
                      "rate_limited": len(told)})


# ---- bad clients ----

def garbage():
    good = hello()
    return {
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "SSL 2": b"\x80\x2e\x01\x03\x01" + bytes(41),
        "an alert": b"\x15\x03\x01\0\2\2\x28",
        "ServerHello": good[:5] + b"\2" + good[6:],
        "a length that does not fit": good[:43] + b"\xff" + good[44:],
        "too long": b"\x16\x03\x01\x40\0\1\1\0\0" + bytes(16380),
        "an empty record": b"\x16\x03\x01\0\0",
        "cut short": good[:100],
    }


@pytest.mark.parametrize("what", garbage())
def test_bad_hello(rig, ca, leaf, what):
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    with raw(s.address) as c:
        c.sendall(garbage()[what])
        if what == "cut short":
            c.shutdown(socket.SHUT_WR)
        assert alert(ends(c)) == "decode_error"
    assert refused(s) == {"hello_bad": 1}
    assert tls_once(s.address, ca.trusting(), host=NAME).status == 200
    wait_outcomes(s, {"tunnelled": 1})


def test_slow_hellos(rig, ca, leaf):
    """Byte by byte is fine, over many records too; standing still is not, nor
    is saying nothing; who only connects and leaves is no news."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")),
               {"timeouts": {"handshake": "1500ms"}})
    good = hello()
    with raw(s.address) as c:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(good)):
            c.sendall(good[i:i + 1])
        assert c.recv(1) == b"\x16"
    with raw(s.address) as c:
        for i in range(5, len(good), 50):
            part = good[i:i + 50]
            c.sendall(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part)
        assert c.recv(1) == b"\x16"
    raw(s.address).close()
    began = time.monotonic()
    with raw(s.address) as c, raw(s.address) as d:
        c.sendall(good[:-1])
        assert ends(c) == ends(d) == b""
        assert time.monotonic() - began > 1.2
    assert refused(s) == {"hello_timeout": 2}
    wait_outcomes(s, {"tunnelled": 2})


def test_bad_hellos_of_a_mixed_listener(rig, ca, leaf):
    """There TLS says what is wrong, as it does without passthrough."""
    s = site(rig, ca, leaf)
    for what, data in garbage().items():
        with raw(s.address) as c:
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            ends(c)
    assert not refused(s)
    failed = sum(int(n) for name, n in s.admin.metrics().items()
                 if name.startswith("segue_tls_handshakes_failed_total"))
    assert failed == len(garbage())
    assert tls_once(s.address, ca.trusting(), host=NAME).instance == "a"


# ---- a reload ----

def test_reload_turns_it_on_and_off(rig, ca, leaf):
    """Connections that are there stay; new ones follow the rules of now."""
    a = rig.nginx("v1", "a", tls=leaf)
    web = rig.nginx("v1", "web")
    own = ca.leaf(NAME, "web.example.org")
    both = [service(pool("v1", [web], share="100%"), match=["*"]),
            passing(pool_tcp("v1", [a], share="100%"))]
    s = segued(rig, both, {"tls": {"certificates": [own.row()]}})
    context = ca.trusting()
    kept = TlsClient(s.address, context, host=NAME)
    assert kept.get().instance == "a"
    s.config["services"] = both[:1]
    s.config["listeners"][0]["passthrough"] = False
    s.write_config()
    assert s.admin.reload()[0] == 200
    settles(lambda: tls_once(s.address, context, host=NAME).instance == "web")
    assert kept.get().instance == "a"
    s.config["services"] = both
    s.config["listeners"][0]["passthrough"] = True
    s.write_config()
    assert s.admin.reload()[0] == 200
    settles(lambda: tls_once(s.address, context, host=NAME).instance == "a")
    assert kept.get().instance == "a"
    kept.close()


def either(conn):
    """HTTP in clear, or something on a connection that begins with TLS."""
    if conn.sock.recv(1, socket.MSG_PEEK) == b"\x16":
        conn.instance.hellos += 1
        conn.sock.recv(65536)
        conn.send(b"no HTTP")
        return
    answer_all(conn)


def test_a_service_changes_its_mode(rig):
    """Connections that are kept for requests are none for TLS."""
    a = rig.scripted("v1", "a", either)
    a.hellos = 0
    web = service(pool_tcp("v1", [a], share="100%", probe={"interval": "60s"},
                           keepalive={"idle": "60s"}), match=[NAME])
    s = rig.segued(web, workers=1)
    with Client(s.address) as c:
        c.address = NAME
        for _ in range(3):
            assert c.get().instance == "a"
    s.config["listeners"][0]["passthrough"] = True
    s.config["services"][0]["mode"] = "passthrough"
    s.write_config()
    del s.config["services"][0]["pools"][0]["keepalive"]
    code, said = s.admin.reload()
    assert code != 200 and "keepalive: means nothing in mode passthrough" in \
        str(said), said
    with Client(s.address) as c:
        c.address = NAME
        assert c.get().instance == "a", "nothing has changed"
    s.write_config()
    code, said = s.admin.reload()
    assert code == 200, said

    def passed():
        with raw(s.address) as c:
            c.sendall(hello())
            return ends(c) == b"no HTTP"

    settles(passed, times=3)
    assert a.hellos >= 3
    with raw(s.address) as c:
        c.sendall(b"GET /get HTTP/1.1\r\nHost: id.example.org\r\n\r\n")
        assert alert(ends(c)) == "decode_error"


# ---- much of it ----

def test_h2load_through_cutovers(rig, leaf, rounds):
    """HTTP/2 end to end: many requests on connections that stay where they
    are, and none of them fails."""
    v1 = rig.nginx("v1", "a", tls=leaf, http2=True, requests=1000000)
    v2 = rig.nginx("v2", "b", tls=leaf, http2=True, requests=1000000)
    s = segued(rig, passing(pool_tcp("v1", [v1], share="100%"),
                            pool_tcp("v2", [v2])))

    def has_had(name, n):
        return any(int(v) >= n for k, v in s.admin.metrics().items()
                   if k.startswith("segue_instance_passed_through_total{")
                   and f'instance="{name}"' in k)

    loads = []
    for i in range(2 * rounds):
        loads.append(subprocess.Popen(
            ["h2load", "-D", "1", "-c", "8", "-m", "10",
             f"--connect-to={s.address}", f"https://{NAME}/get?id=1"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        wait_until(lambda i=i: has_had("ab"[i % 2], 8 * (i // 2 + 1)), 10)
        s.do("switch", "v1" if i % 2 else "v2")
        if i % 2:
            assert s.admin.reload()[0] == 200
    for load in loads:
        out = load.communicate(timeout=30)[0].decode()
        assert load.returncode == 0 and "Application protocol: h2" in out, out
        assert " 0 failed, 0 errored, 0 timeout" in out, out
        assert " 0 3xx, 0 4xx, 0 5xx" in out, out
    wait_outcomes(s, {"tunnelled": 8 * len(loads)})
    assert v1.count() > 10 and v2.count() > 10


def test_a_slow_reader_stops_the_sender(rig, ca, leaf):
    """Either way; memory does not grow meanwhile, and nothing is lost."""
    size = 24 << 20
    data = os.urandom(1 << 20)

    def script(conn):
        for _ in range(size >> 20):
            conn.sock.sendall(data)
        got = 0
        while got < size:
            part = conn.sock.recv(1 << 20)
            if not part:
                return
            got += len(part)
            if got < 50000:
                time.sleep(0.2)
        conn.sock.sendall(b"thanks")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.cert, leaf.key)
    a = rig.scripted("v1", "a", script, tls=context)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    most = []
    with TlsClient(s.address, ca.trusting(), host=NAME) as c:
        for _ in range(10):
            time.sleep(0.05)
            most.append(s.admin.status()["load"]["memory_bytes"])
        for _ in range(size >> 20):
            assert c.reader.exactly(1 << 20) == data
        for _ in range(size >> 20):
            c.sock.sendall(data)
            most.append(s.admin.status()["load"]["memory_bytes"])
        assert c.reader.exactly(6) == b"thanks"
    assert max(most) < 4 << 20, most
    row, = s.wait_access(1)
    assert row["bytes_in"] > size and row["bytes_out"] > size


def test_many_half_hellos(rig, ca, leaf):
    """Who says half a word costs no buffer, and those who say all of it are
    served beside them."""
    a = rig.nginx("v1", "a", tls=leaf)
    s = segued(rig, passing(pool_tcp("v1", [a], share="100%")))
    before = s.admin.status()["load"]["memory_bytes"]
    half = [raw(s.address) for _ in range(300)]
    part = hello()[:200]
    for c in half:
        c.sendall(part)
    for _ in range(5):
        assert tls_once(s.address, ca.trusting(), host=NAME).status == 200
    wait_until(lambda: s.admin.status()["load"]["clients"] >= 300)
    grown = s.admin.status()["load"]["memory_bytes"] - before
    assert grown < 300 * 1024 + 10 * 30000, grown
    for c in half:
        c.close()
