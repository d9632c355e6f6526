"""Certificates of clients: who is let in, what instances are told, what a
session that is resumed still proves, and how all of it changes under load."""
import base64
import os
import re
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient, settles, tls_once
from rig.h2wire import H2
from rig.segued import pool, service
from rig.wire import once

VERSIONS = ["TLSv1_2", "TLSv1_3"]
STYLES = {
    "rfc9440": ("Client-Cert", "Client-Cert-Chain"),
    "nginx": ("SSL-Client-Verify", "SSL-Client-Cert", "SSL-Client-Subject-DN",
              "SSL-Client-Issuer-DN"),
    "haproxy": ("X-SSL-Client-Verify", "X-SSL-Client-Cert", "X-SSL-Client-DN",
                "X-SSL-Issuer", "X-SSL-Client-Cert-Chain"),
}
ALL = [name for names in STYLES.values() for name in names]


@pytest.fixture
def ca(rig):
    return Authority(rig)


@pytest.fixture
def people(rig):
    return Authority(rig, "people")


def secured(rig, ca, people, verify="required", headers=None, **tls):
    """segued that asks for certificates of people on its only listener."""
    rig.a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [rig.a], share="100%"),
                           headers=headers or {"client_cert": "rfc9440"}),
                   start=False)
    s.tls = {"certificates": [ca.leaf("localhost", "web.example").row()],
             "client_ca": people.cert, "verify_client": verify, **tls}
    s.config["listeners"][0]["tls"] = s.tls
    s.write_config()
    s.start()
    return s


def whose(authority, name="anna", **kw):
    return authority.leaf(name, usage="clientAuth", **kw)


def proving(ca, cert, version=None):
    """A client's context; cert None: it has none."""
    context = ca.trusting()
    if version is not None:
        context.minimum_version = getattr(ssl.TLSVersion, version)
        context.maximum_version = context.minimum_version
    if cert is not None:
        context.load_cert_chain(cert.cert, cert.key)
    return context


def failures(s):
    text = s.admin.raw("GET", "/metrics")[2]
    return {k: int(float(n)) for k, n in re.findall(
        r'segue_tls_handshakes_failed_total\{reason="([^"]+)"\} (\S+)', text)
        if float(n) > 0}


def ders(path):
    with open(path, encoding="ascii") as f:
        return [ssl.PEM_cert_to_DER_cert(part + "-----END CERTIFICATE-----\n")
                for part in f.read().split("-----END CERTIFICATE-----\n")
                if part.strip()]


def bytes_of(der):
    return ":" + base64.b64encode(der).decode() + ":"


def told(r):
    """What an instance was told of a certificate: {name: value}."""
    return {n: r.field(n) for n in ALL if r.field(n) is not None}


def reload(s):
    s.write_config()
    r = s.segue("reload", "--json")
    return r.code, r.json() if r.out else r.err


# ---- who is let in ----

REFUSED = {
    "no_certificate": ("CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE",
                       lambda rig, people: None),
    "unknown_ca": ("UNKNOWN_CA",
                   lambda rig, people: whose(Authority(rig, "others"))),
    "expired": ("EXPIRED", lambda rig, people: whose(people, days=-1)),
    "revoked": ("REVOKED", lambda rig, people: rig.revoked),
    "certificate": ("UNSUPPORTED_CERTIFICATE|BAD_CERTIFICATE|UNKNOWN",
                    lambda rig, people: people.leaf("server")),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_who_is_refused(rig, ca, people, version):
    """Each for its reason, and each is told so: in TLS 1.3 by the first that
    it reads, since it is through before we have looked."""
    rig.revoked = whose(people, "ben")
    s = secured(rig, ca, people, crl=people.crl(rig.revoked))
    for reason, (alert, make) in REFUSED.items():
        before = failures(s)
        with pytest.raises(ssl.SSLError) as e:
            tls_once(s.address, proving(ca, make(rig, people), version))
        assert re.search(alert, str(e.value)), (reason, e.value)
        wait_until(lambda: failures(s) ==
                   {**before, reason: before.get(reason, 0) + 1}, what=reason)
    assert not rig.a.requests
    good = whose(people)
    assert tls_once(s.address, proving(ca, good, version)).status == 200
    assert told(rig.a.requests[-1]) == {
        "Client-Cert": bytes_of(ders(good.cert)[0])}
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["accepted"] == 1, a
    log = rig.text("segued/segue.log")
    assert re.search(r"event=tls_failed listener=web client=127.0.0.1 "
                     r"why=no_certificate", log)


def test_alert_is_heard_by_who_sends_at_once(rig, ca, people):
    """A client of TLS 1.3 sends a long request before it reads anything."""
    s = secured(rig, ca, people)
    with TlsClient(s.address, proving(ca, None, "TLSv1_3")) as c:
        try:
            for _ in range(64):
                c.send(b"GET /" + b"x" * 16000 + b" HTTP/1.1\r\n")
        except OSError:
            pass  # it may have been told by then
        with pytest.raises(ssl.SSLError) as e:
            c.sock.recv(1)
    assert "CERTIFICATE_REQUIRED" in str(e.value).upper().replace(" ", "_")
    wait_until(lambda: not any(
        n for name, n in s.admin.metrics().items()
        if name.startswith("segue_clients{")), what="it is closed")


def test_optional(rig, ca, people):
    s = secured(rig, ca, people, "optional")
    assert tls_once(s.address, proving(ca, None)).status == 200
    assert told(rig.a.requests[-1]) == {}
    assert tls_once(s.address, proving(ca, whose(people))).status == 200
    assert list(told(rig.a.requests[-1])) == ["Client-Cert"]
    with pytest.raises(ssl.SSLError):
        tls_once(s.address, proving(ca, whose(Authority(rig, "others"))))
    assert len(rig.a.requests) == 2


def test_certificates_by_name_ask_as_well(rig, ca, people):
    """Whichever of our own certificates is chosen."""
    s = secured(rig, ca, people, certificates=[
        ca.leaf("first.org").row(), ca.leaf("*.a.org").row()])
    good = whose(people)
    for host in ("first.org", "x.a.org"):
        with pytest.raises(ssl.SSLError):
            tls_once(s.address, proving(ca, None), host=host)
        assert tls_once(s.address, proving(ca, good), host=host).status == 200
        assert told(rig.a.requests[-1]) != {}


# ---- what instances are told ----

@pytest.mark.parametrize("style", STYLES)
def test_styles(rig, ca, people, style):
    """Of a certificate two below its authority; the same over HTTP/2."""
    middle = Authority(rig, "middle", above=people)
    s = secured(rig, ca, people,
                headers={"client_cert": style, "client_cert_chain": 2})
    cert = whose(middle)
    leaf, chain = ders(cert.cert)
    b64 = base64.b64encode
    with open(cert.cert, encoding="ascii") as f:
        pem = f.read().split("-----END")[0] + "-----END CERTIFICATE-----\n"
    want = {
        "rfc9440": {"Client-Cert": bytes_of(leaf),
                    "Client-Cert-Chain": bytes_of(chain)},
        "nginx": {"SSL-Client-Verify": "SUCCESS",
                  "SSL-Client-Cert": urllib.parse.quote(pem, safe="-._~"),
                  "SSL-Client-Subject-DN": "CN=anna",
                  "SSL-Client-Issuer-DN": "CN=middle"},
        "haproxy": {"X-SSL-Client-Verify": "0",
                    "X-SSL-Client-Cert": b64(leaf).decode(),
                    "X-SSL-Client-DN": "CN=anna",
                    "X-SSL-Issuer": "CN=middle",
                    "X-SSL-Client-Cert-Chain": b64(chain).decode()},
    }[style]
    lies = "".join(f"{n}: untrue\r\n{n.replace('-', '_').upper()}: untrue\r\n"
                   for n in ALL)
    context = proving(ca, cert)
    with TlsClient(s.address, context) as c:
        for _ in range(2):
            assert c.get(fields=lies).status == 200
            assert told(rig.a.requests[-1]) == want
            assert b"untrue" not in rig.a.requests[-1].head
    context.set_alpn_protocols(["h2"])
    more = tuple((n.lower(), "untrue") for n in ALL)
    with H2(s.address, wrap=lambda sock: context.wrap_socket(
            sock, server_hostname="web.example")) as c:
        for stream in (1, 3):
            rig.a.requests.clear()
            assert c.get(stream, more=more) == 200
            assert told(rig.a.requests[-1]) == want
            assert b"untrue" not in rig.a.requests[-1].head


@pytest.mark.parametrize("style", ["none", *STYLES])
def test_nobody_else_says_so(rig, ca, people, style):
    """Without TLS, without a certificate, or where none is told, what a
    client says of one goes no further."""
    s = secured(rig, ca, people, "optional", headers={"client_cert": style})
    s.stop()
    plain = rig.port().address
    s.config["listeners"].append({"name": "plain", "address": plain})
    s.write_config()
    s.start()
    lies = "".join(f"{n}: untrue\r\n" for n in ALL)
    with TlsClient(s.address, proving(ca, None)) as c:
        assert c.get(fields=lies).status == 200
    assert told(rig.a.requests[-1]) == {}
    assert once(plain, fields=lies).status == 200
    assert told(rig.a.requests[-1]) == {}
    with TlsClient(s.address, proving(ca, whose(people))) as c:
        assert c.get(fields=lies).status == 200
    got = told(rig.a.requests[-1])
    assert "untrue" not in got.values() and bool(got) == (style != "none")


def test_what_a_trusted_proxy_says_gives_way(rig, ca, people):
    s = secured(rig, ca, people, "optional")
    s.config["listeners"][0]["trusted_proxies"] = ["127.0.0.1"]
    assert reload(s)[0] == 0
    fields = "Client-Cert: :dGhlaXJz:\r\nSSL-Client-Verify: SUCCESS\r\n"
    cert = whose(people)
    settles(lambda: TlsClient(s.address, proving(ca, None)).get(
        fields=fields).status == 200 and
        len(told(rig.a.requests[-1])) == 2)
    with TlsClient(s.address, proving(ca, cert)) as c:
        assert c.get(fields=fields).status == 200
    assert told(rig.a.requests[-1]) == {
        "Client-Cert": bytes_of(ders(cert.cert)[0])}


def test_a_chain_that_is_too_long(rig, ca, people):
    m1 = Authority(rig, "m1", above=people)
    m2 = Authority(rig, "m2", above=m1)
    cert = whose(m2)
    with open(cert.cert, "a", encoding="ascii") as f, \
            open(m1.cert, encoding="ascii") as above:
        f.write(above.read())
    s = secured(rig, ca, people, headers={"client_cert": "rfc9440",
                                          "client_cert_chain": 1})
    assert tls_once(s.address, proving(ca, cert)).status == 431
    assert not rig.a.requests
    assert tls_once(s.address, proving(ca, whose(m1))).status == 200


def test_memory_is_counted(rig, ca, people):
    s = secured(rig, ca, people)
    metric = "segue_memory_bytes"
    before = s.admin.metrics()[metric]
    context = proving(ca, whose(people))
    clients = [TlsClient(s.address, context) for _ in range(20)]
    for c in clients:
        assert c.get().status == 200
    wait_until(lambda: s.admin.metrics()[metric] >=
               before + 20 * (16384 + 5120 + 300))
    for c in clients:
        c.close()
    wait_until(lambda: s.admin.metrics()[metric] < before + 65536)


def tlvs(data):
    """{type: value} of PROXY's version 2."""
    found = {}
    while data:
        n = int.from_bytes(data[1:3], "big")
        found[data[0]] = data[3:3 + n]
        data = data[3 + n:]
    return found


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_send_proxy_says_it(rig, ca, people, protocol):
    """Name, protocol, version, cipher and whose certificate, in TLVs."""
    said = []

    def script(conn):
        head = conn.reader.exactly(16)
        rest = conn.reader.exactly(int.from_bytes(head[14:], "big"))
        if head[12] == 0x21:
            assert head[13] == 0x11 and rest[:4] == b"\x7f\0\0\1"
            said.append(tlvs(rest[12:]))
        while conn.request() is not None:
            conn.answer(b"x")

    s = secured(rig, ca, people, "optional")
    b = rig.scripted("v1", "b", script)
    s.config["services"][0]["pools"][0]["send_proxy"] = "v2"
    s.config["services"][0]["pools"][0]["instances"] = [
        {"name": "b", "address": b.address}]
    s.stop()
    s.write_config()
    s.start()
    for cert in (None, whose(people)):
        context = proving(ca, cert)
        context.set_alpn_protocols([protocol])
        if protocol == "h2":
            with H2(s.address, wrap=lambda sock: context.wrap_socket(
                    sock, server_hostname="web.example")) as c:
                assert c.get(1) == 200
        else:
            assert tls_once(s.address, context,
                            host="web.example").status == 200
    assert len(said) == 2
    for t, bits, verify, cn in ((said[0], 1, 1, None),
                                (said[1], 7, 0, b"anna")):
        assert (t.get(1), t[2]) == (protocol.encode(), b"web.example"), t
        assert t[0x20][:5] == bytes([bits, 0, 0, 0, verify])
        inner = tlvs(t[0x20][5:])
        assert inner[0x21] == b"TLSv1.3" and b"AES" in inner[0x23]
        assert inner.get(0x22) == cn


# ---- sessions that are resumed ----

def resumed(s, context, session=None):
    with TlsClient(s.address, context, session=session) as c:
        assert c.get().status == 200
        return c.sock.session_reused, c.sock.session


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_keeps_it(rig, ca, people, version):
    """Certificate and chain; at another proxy and after a restart, too."""
    path = f"{ca.dir}/tickets"
    with open(path, "wb") as f:
        f.write(os.urandom(80))
    middle = Authority(rig, "middle", above=people)
    s = secured(rig, ca, people, tickets={"file": path},
                headers={"client_cert": "rfc9440", "client_cert_chain": 1})
    other = rig.segued(service(pool("v1", [rig.a], share="100%"),
                               headers={"client_cert": "rfc9440",
                                        "client_cert_chain": 1}),
                       name="other", start=False)
    other.config["listeners"][0]["tls"] = s.tls
    other.write_config()
    other.start()
    context = proving(ca, whose(middle), version)
    again, kept = resumed(s, context)
    first = told(rig.a.requests[-1])
    assert not again and len(first) == 2
    for _ in range(3):  # also tickets that came of a resumption
        again, kept = resumed(s, context, kept)
        assert again and told(rig.a.requests[-1]) == first
    again, kept = resumed(other, context, kept)
    assert again and told(rig.a.requests[-1]) == first
    s.stop()
    s.start()
    again, kept = resumed(s, context, kept)
    assert again and told(rig.a.requests[-1]) == first


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_proves_no_more_than_was_asked(rig, ca, people, version):
    """One from a listener that asks nobody, or others, or of the time before
    a revocation, is not believed: the client is asked again."""
    path = f"{ca.dir}/tickets"
    with open(path, "wb") as f:
        f.write(os.urandom(80))
    s = secured(rig, ca, people, "none", tickets={"file": path})
    cert = whose(people)
    context = proving(ca, cert, version)
    _, kept = resumed(s, context)
    for verify in ("optional", "required"):
        s.tls["verify_client"] = verify
        assert reload(s)[0] == 0
        settles(lambda: resumed(s, context, kept)[0] is False and
                told(rig.a.requests[-1]) != {})
        _, kept = resumed(s, context)
        assert resumed(s, context, kept)[0]
    s.tls["crl"] = people.crl(whose(people, "ben"))
    assert reload(s)[0] == 0
    settles(lambda: resumed(s, context, kept)[0] is False)
    _, kept = resumed(s, context)
    assert resumed(s, context, kept)[0]
    people.crl(cert)
    assert reload(s)[0] == 0

    def is_refused():
        try:
            resumed(s, context, kept)
        except ssl.SSLError as e:
            return "REVOKED" in str(e)
        return False
    settles(is_refused)


# ---- what is wrong, and what changes ----

FAULTS = {
    "no authority": ("client_ca[0]: {}/x.pem: there is no certificate in it",
                     lambda p: {"client_ca": [p.file("x.pem", "")]}),
    "garbage behind one": (
        "client_ca[0]: {}/x.pem: ",
        lambda p: {"client_ca": p.file("x.pem", open(p.cert).read() +
                                       "-----BEGIN CERTIFICATE-----\nx\n")}),
    "gone": ("client_ca[0]: {}/gone.pem cannot be read: does not exist",
             lambda p: {"client_ca": f"{p.dir}/gone.pem"}),
    "no list": ("crl[0]: {}/ca.pem: there is no list (CRL) in it",
                lambda p: {"crl": p.cert}),
    "overdue": ("crl[0]: {}/old.pem: it is overdue",
                lambda p: {"crl": p.crl(path=f"{p.dir}/old.pem",
                                        overdue=True)}),
    "a list of others": (
        ".crl: there is none of /CN=people",
        lambda p: {"crl": Authority(p.rig, "others").crl()}),
    "signed by others": (
        "crl[0]: {}2/crl.pem: its authority has not signed it",
        lambda p: {"crl": p.twin().crl()}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_used(rig, ca, people, fault, monkeypatch):
    """File and reason are told; what runs stays, and a start ends."""
    def file(name, text):
        with open(f"{people.dir}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        return f"{people.dir}/{name}"

    def twin():
        """Of the same name, with another key."""
        t = Authority(rig, "people2")
        subprocess.run(["openssl", "req", "-x509", "-key", t.key, "-days", "9",
                        "-subj", "/CN=people", "-out", t.cert], check=True,
                       capture_output=True)
        return t
    people.file, people.twin, people.rig = file, twin, rig
    why, make = FAULTS[fault]
    why = why.format(people.dir)
    s = secured(rig, ca, people)
    good = proving(ca, whose(people))
    was = dict(s.tls)
    s.tls.update(make(people))
    s.write_config()
    r = s.segue("reload")
    assert r.code == 1 and why in r.err + r.out, r
    assert "listeners[web].tls" in r.err + r.out
    settles(lambda: tls_once(s.address, good).status == 200)
    s.stop()
    r = subprocess.run(s.command("-t", "-c", s.config_path),
                       capture_output=True, text=True, check=False)
    assert r.returncode == 1 and why in r.stderr, r
    s.tls.clear()
    s.tls.update(was)
    s.write_config()
    s.start()


def test_new_files_are_seen(rig, ca, people):
    """Authorities and lists are taken over without a reload."""
    new = Authority(rig, "new")
    anna, ben = whose(people), whose(new, "ben")
    path = f"{ca.dir}/clients.pem"

    def trust(*cas):
        with open(path + ".new", "w", encoding="ascii") as f:
            for c in cas:
                with open(c.cert, encoding="ascii") as one:
                    f.write(one.read())
        os.rename(path + ".new", path)

    def comes_in(cert):
        try:
            return tls_once(s.address, proving(ca, cert)).status == 200
        except ssl.SSLError:
            return False
    trust(people)
    s = secured(rig, ca, people, client_ca=path)
    assert comes_in(anna) and not comes_in(ben)
    trust(people, new)
    wait_until(lambda: comes_in(ben), 12)
    assert comes_in(anna)
    trust(new)
    wait_until(lambda: not comes_in(anna), 12)
    assert comes_in(ben)
    assert 'what="listeners[web].tls.client_ca[0]: new content"' in \
        rig.text("segued/segue.log")


def test_no_handshake_fails_while_all_of_it_changes(rig, ca, people):
    """100 reloads with other certificates, ticket keys, authorities and lists
    under handshakes, full and resumed: none fails, no request is lost."""
    others = Authority(rig, "others")
    both, tickets = f"{ca.dir}/both.pem", f"{ca.dir}/tickets"
    web = ca.leaf("localhost", path=f"{ca.dir}/web")
    cert = whose(people)

    def put(path, data):
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.rename(path + ".new", path)

    def text(path):
        with open(path, "rb") as f:
            return f.read()
    put(both, text(people.cert))
    put(tickets, os.urandom(80))
    s = secured(rig, ca, people, certificates=[web.row()], watch=False,
                client_ca=both, crl=[people.crl(), others.crl()],
                tickets={"file": tickets})
    stop, failed, done = threading.Event(), [], [0, 0, 0, 0]

    def knock(resuming):
        context, session = proving(ca, cert), None
        while not stop.is_set():
            with TlsClient(s.address, context, session=session) as c:
                assert c.get().status == 200
                done[0] += 1
                done[1] += c.sock.session_reused
                session = c.sock.session if resuming else None

    def stay():
        with TlsClient(s.address, proving(ca, cert)) as c:
            while not stop.is_set():
                assert c.get().status == 200
                done[2] += 1

    def guard(run, *args):
        try:
            run(*args)
        except (OSError, AssertionError, ssl.SSLError) as e:
            failed.append(repr(e))
    threads = [threading.Thread(target=guard, args=a) for a in
               ((knock, False), (knock, True), (knock, True), (stay,))]
    for t in threads:
        t.start()
    try:
        for i in range(100):
            if i % 4 == 0:
                ca.leaf("localhost", f"n{i}.org", path=f"{ca.dir}/web")
            elif i % 4 == 1:
                put(tickets, os.urandom(80) + text(tickets)[:80 * 15])
            elif i % 4 == 2:
                put(both, text(people.cert) +
                    (text(others.cert) if i % 8 == 2 else b""))
            else:
                people.crl()
            code, r = s.admin.reload()
            assert code == 200 and r["changed"], r
            done[3] += 1
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failed, failed[:5]
    assert min(done[:3]) > 50 and done[3] == 100, done
    assert failures(s) == {}
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["answered"] == a["accepted"], a
