"""TLS on a listener: who gets which certificate, and all that goes over it."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient, raw, tls_once
from rig.segued import pool, service


def tls(*certs, **more):
    return {"certificates": [c.row() for c in certs], **more}


@pytest.fixture
def ca(rig):
    return Authority(rig)


def secured(rig, tls_map, instance=None, listener=None, **more):
    """segued with TLS on its only listener."""
    instance = instance or rig.scripted("v1", "a")
    rig.a = instance
    s = rig.segued(service(pool("v1", [instance], share="100%"), **more),
                   start=False)
    s.config["listeners"][0]["tls"] = tls_map
    s.config["listeners"][0].update(listener or {})
    s.write_config()
    s.start()
    return s


def shakes(s, metric="handshakes", label="version"):
    """{version or reason: number}."""
    text = s.admin.raw("GET", "/metrics")[2]
    return {k: int(float(n)) for k, n in re.findall(
        r'segue_tls_%s_total\{%s="([^"]+)"\} (\S+)' % (metric, label), text)}


def failures(s):
    return shakes(s, "handshakes_failed", "reason")


def wait_failed(s, reason, n=1):
    wait_until(lambda: failures(s)[reason] == n, what=f"{n} x {reason}")


def test_requests_and_keep_alive(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")))
    with TlsClient(s.address, ca.trusting()) as c:
        assert c.sock.version() == "TLSv1.3"
        assert c.sock.selected_alpn_protocol() is None
        for i in range(20):
            assert c.get(f"/{i}").body == f"GET /{i} 0\n".encode()
        assert c.post(body=b"x" * 1000).body == b"POST /post 1000\n"
    assert shakes(s) == {"TLSv1.2": 0, "TLSv1.3": 1}
    assert sum(failures(s).values()) == 0


def test_what_instances_and_logs_are_told(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")))
    a = tls_once(s.address, ca.trusting())
    r = rig.a.requests[-1]
    assert r.field("X-Forwarded-Proto") == "https"
    assert r.field("X-Forwarded-Port") == "443"
    assert r.field("Forwarded").endswith(";proto=https")
    cookie = a.set_cookie()
    assert cookie.startswith("__Host-segue="), cookie
    assert "; Secure" in cookie and "; SameSite=None" in cookie
    line = wait_until(lambda: rig.text("segued/access.log"))
    entry = json.loads(line.splitlines()[-1])
    assert entry["tls"] == "TLSv1.3" and entry["sni"] == "localhost"
    assert entry["cipher"] == "TLS_AES_128_GCM_SHA256"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions_and_alpn(rig, ca, version):
    s = secured(rig, tls(ca.leaf("localhost")))
    v = getattr(ssl.TLSVersion, version)
    context = ca.trusting(minimum_version=v, maximum_version=v)
    context.set_alpn_protocols(["h9", "http/1.1"])
    with TlsClient(s.address, context) as c:
        assert c.sock.version() == version.replace("_", ".")
        assert c.sock.selected_alpn_protocol() == "http/1.1"
        assert c.get().status == 200
    context.set_alpn_protocols(["h9"])
    with pytest.raises(ssl.SSLError):
        TlsClient(s.address, context)
    wait_failed(s, "alpn")


def test_oldest_version(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost"), min_version="1.3"))
    with pytest.raises(ssl.SSLError):
        tls_once(s.address, ca.trusting(
            maximum_version=ssl.TLSVersion.TLSv1_2))
    wait_failed(s, "version")
    assert tls_once(s.address, ca.trusting()).status == 200


def test_names(rig, ca):
    """Exact before wildcard, the first for all others."""
    s = secured(rig, tls(ca.leaf("first.org", "localhost"),
                         ca.leaf("*.a.org"),
                         ca.leaf("b.a.org", "second.org")))
    context = ca.trusting()
    for host, first in (("first.org", "first.org"), ("x.a.org", "*.a.org"),
                        ("b.a.org", "b.a.org"), ("B.A.ORG", "b.a.org"),
                        ("second.org", "b.a.org")):
        with TlsClient(s.address, context, host=host) as c:
            assert c.peer_names()[0] == first, host
            assert c.get().status == 200
    blind = ca.trusting(check_hostname=False)
    for host in ("stranger.org", "x.y.a.org", "a.org"):
        with TlsClient(s.address, blind, host=host) as c:
            assert c.peer_names()[0] == "first.org", host
            assert c.get().status == 200, "it is the name it asked for"


def test_misdirected(rig, ca):
    """421 to a Host that is not on the certificate that was chosen."""
    s = secured(rig, tls(ca.leaf("first.org", "also.org"),
                         ca.leaf("*.a.org")))
    context = ca.trusting()
    with TlsClient(s.address, context, host="first.org") as c:
        for host, status in (("first.org", 200), ("ALSO.org:443", 200),
                             ("x.a.org", 421), ("first.org", 200)):
            c.address = host
            assert c.get().status == status, host
    with TlsClient(s.address, context, host="x.a.org") as c:
        for host, status in (("y.a.org", 200), ("a.org", 421),
                             ("z.y.a.org", 421), ("first.org", 421)):
            c.address = host
            assert c.get().status == status, host
    assert len(rig.a.requests) == 4


def test_rsa_and_ecdsa_side_by_side(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost", key="rsa"),
                         ca.leaf("localhost", key="ec")))
    for ciphers, kind in (("ECDHE-RSA-AES128-GCM-SHA256", "RSA"),
                          ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA")):
        context = ca.trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(ciphers)
        with TlsClient(s.address, context) as c:
            assert kind in c.sock.cipher()[0]
            assert c.get().status == 200


def test_settings(rig, ca):
    s = secured(rig, tls(
        ca.leaf("localhost"), ciphers="ECDHE-ECDSA-AES256-GCM-SHA384",
        ciphersuites="TLS_CHACHA20_POLY1305_SHA256", groups="P-384"))
    with TlsClient(s.address, ca.trusting()) as c:
        assert c.sock.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"
    with TlsClient(s.address, ca.trusting(
            maximum_version=ssl.TLSVersion.TLSv1_2)) as c:
        assert c.sock.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    for group, good in (("P-384", True), ("P-256", False)):
        r = subprocess.run(
            ["openssl", "s_client", "-connect", s.address, "-groups", group,
             "-servername", "localhost"], stdin=subprocess.DEVNULL,
            capture_output=True, check=False, timeout=20)
        assert (r.returncode == 0) == good, r.stderr
    wait_failed(s, "cipher")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_big_bodies(rig, ca, version):
    """64 MiB each way, read in fits and starts."""
    size, chunk = 64 << 20, bytes(range(256)) * 4096

    def script(conn):
        while (r := conn.request(body=False)) is not None:
            left = int(r.field("Content-Length"))
            same = True
            while left > 0:
                data = conn.reader.exactly(min(left, len(chunk)))
                same = same and data == chunk[:len(data)]
                left -= len(data)
            conn.send(f"HTTP/1.1 200 OK\r\nX-Same: {same}\r\n"
                      f"Content-Length: {size}\r\n\r\n".encode())
            for _ in range(size // len(chunk)):
                conn.send(chunk)

    s = secured(rig, tls(ca.leaf("localhost")),
                rig.scripted("v1", "a", script), limits={"body": "0"})
    v = getattr(ssl.TLSVersion, version)
    with TlsClient(s.address, ca.trusting(minimum_version=v,
                                          maximum_version=v),
                   timeout=60) as c:
        c.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}"
               "\r\n\r\n".encode())
        for _ in range(size // len(chunk)):
            c.send(chunk)
        head = c.reader.head()
        assert b"X-Same: True" in head
        for i in range(size // len(chunk)):
            assert c.reader.exactly(len(chunk)) == chunk, i
            if i % 16 == 0:
                time.sleep(0.02)
    a = s.admin.status()["accounting"]
    assert a["holds"] is True, a


def test_curl(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")))
    port = s.address.rsplit(":", 1)[1]
    r = subprocess.run(
        ["curl", "-sS", "--cacert", ca.cert, "--resolve",
         f"localhost:{port}:127.0.0.1", "-w", "%{http_code} %{num_connects}\n",
         f"https://localhost:{port}/a", f"https://localhost:{port}/b"],
        capture_output=True, text=True, check=False, timeout=20)
    assert r.returncode == 0, r.stderr
    assert r.stdout == "GET /a 0\n200 1\nGET /b 0\n200 0\n"


def test_end_of_a_connection(rig, ca):
    """We say goodbye before our FIN, so that a body up to the end is whole."""
    def script(conn):
        if conn.request() is not None:
            conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"y" * 100000)

    s = secured(rig, tls(ca.leaf("localhost")),
                rig.scripted("v1", "a", script))
    with TlsClient(s.address, ca.trusting()) as c:
        c.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        c.reader.head()
        # ragged ends are errors of this client
        assert c.reader.rest() == b"y" * 100000


@pytest.mark.parametrize("goodbye", [True, False])
def test_half_close(rig, ca, goodbye):
    """A client that says it has no more, or just sends its FIN, still gets
    its answer."""
    s = secured(rig, tls(ca.leaf("localhost")))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = ca.trusting().wrap_bio(incoming, outgoing,
                               server_hostname="localhost")
    with raw(s.address) as sock:
        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    data = sock.recv(65536)
                    assert data
                    incoming.write(data)
        until_done(t.do_handshake)
        t.write(b"GET /half HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if goodbye:
            with pytest.raises(ssl.SSLWantReadError):
                t.unwrap()
        sock.sendall(outgoing.read())
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            incoming.write(data)
        assert b"GET /half 0" in t.read(65536)


def test_instance_cuts(rig, ca):
    """What the instance cuts is cut for the client, too: no goodbye."""
    def script(conn):
        if conn.request() is not None:
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxyz")

    s = secured(rig, tls(ca.leaf("localhost")),
                rig.scripted("v1", "a", script))
    with TlsClient(s.address, ca.trusting()) as c:
        c.ask()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            c.answer()


def test_who_does_not_shake_hands(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")),
                listener={"timeouts": {"handshake": "300ms"}})
    with raw(s.address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while sock.recv(4096):
            pass
    wait_failed(s, "plain_http")
    with raw(s.address) as sock:
        sock.sendall(bytes(range(1, 200)))
        while sock.recv(4096):
            pass
    wait_failed(s, "garbage")
    with raw(s.address) as sock:
        began = time.monotonic()
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert sock.recv(4096) == b""
        assert 0.25 < time.monotonic() - began < 5
    wait_failed(s, "timeout")
    raw(s.address).close()
    wait_failed(s, "closed")
    with pytest.raises(ssl.SSLError):
        tls_once(s.address, ssl.create_default_context())
    wait_failed(s, "rejected")
    assert tls_once(s.address, ca.trusting()).status == 200
    assert s.admin.status()["accounting"]["accepted"] == 1
    assert "event=tls_failed listener=web client=127.0.0.1 why=" in \
        rig.text("segued/segue.log")


def test_no_renegotiation(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")))
    r = subprocess.run(
        ["openssl", "s_client", "-tls1_2", "-connect", s.address,
         "-servername", "localhost"], input=b"R\n", capture_output=True,
        check=False, timeout=20)
    assert b"RENEGOTIATING" in r.stdout + r.stderr
    assert b"no renegotiation" in r.stderr or r.returncode != 0, r
    assert tls_once(s.address, ca.trusting()).status == 200


def test_idle_connections_end_orderly(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")),
                listener={"timeouts": {"idle": "200ms"}})
    with TlsClient(s.address, ca.trusting()) as c:
        assert c.get().status == 200
        assert c.sock.recv(10) == b"", "the end, not a ragged one"


def test_two_listeners(rig, ca):
    s = secured(rig, tls(ca.leaf("localhost")))
    port = rig.port()
    s.stop()
    s.config["listeners"].append({"name": "plain", "address": port.address})
    s.write_config()
    s.start()
    from rig.wire import once
    assert once(port.address).status == 200
    assert rig.a.requests[-1].field("X-Forwarded-Proto") == "http"
    assert tls_once(s.address, ca.trusting()).status == 200
    assert rig.a.requests[-1].field("X-Forwarded-Proto") == "https"


def test_memory_is_counted(rig, ca):
    """What OpenSSL holds for idle connections counts for memory.limit, and is
    given back."""
    s = secured(rig, tls(ca.leaf("localhost")))
    metric = "segue_memory_bytes"
    before = s.admin.metrics()[metric]
    clients = [TlsClient(s.address, ca.trusting()) for _ in range(40)]
    for c in clients:
        assert c.get().status == 200
    wait_until(lambda: s.admin.metrics()[metric] >= before + 40 * 16384)
    for c in clients:
        c.close()
    wait_until(lambda: s.admin.metrics()[metric] < before + 65536)


def test_fin_right_behind_the_hello(rig, ca):
    """One edge tells of both: the connection is not held for the handshake's
    whole time."""
    s = secured(rig, tls(ca.leaf("localhost")))
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ca.trusting().wrap_bio(into, out,
                               server_hostname="localhost").do_handshake()
    with raw(s.address, 20) as c:
        time.sleep(0.3)  # it is accepted, and waits
        os.kill(s.network_pid(), signal.SIGSTOP)
        time.sleep(0.1)
        c.sendall(out.read())
        c.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        began = time.monotonic()
        os.kill(s.network_pid(), signal.SIGCONT)
        while c.recv(65536):
            pass
    assert time.monotonic() - began < 5
    wait_until(lambda: failures(s).get("closed") == 1, what="the count")
