"""What leads from plain HTTP to TLS, and what keeps clients there: redirects,
Strict-Transport-Security, and the challenges of ACME."""
import os

import pytest

from rig.certs import Authority, TlsClient, tls_once
from rig.h2wire import H2
from rig.scripted import answer_all
from rig.segued import pool, service
from rig.wire import Client, once


@pytest.fixture
def ca(rig):
    return Authority(rig)


def both(rig, ca, listener=None, script=answer_all, **more):
    """segued with a listener of TLS ("web") and a plain one before it."""
    rig.a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [rig.a], share="100%"), **more),
                   start=False)
    s.config["listeners"][0]["tls"] = {
        "certificates": [ca.leaf("localhost", "web.example").row()]}
    s.plain = rig.port().address
    s.config["listeners"].append({"name": "plain", "address": s.plain,
                                  **(listener or {})})
    s.write_config()
    s.start()
    return s


# ---- redirects ----

def test_redirect(rig, ca):
    s = both(rig, ca, {"redirect": "https"}, match=["web.example"])

    def ask(target="/a/b?c=d&e", method="GET", host="web.example", **kw):
        with Client(s.plain) as c:
            c.address = host
            c.ask(target, method, **kw)
            a = c.answer()
            return a.status, a.field("Location")
    at = "https://web.example/a/b?c=d&e"
    assert ask() == (301, at)
    assert ask(method="POST", body=b"x=1") == (308, at)
    assert ask(method="DELETE") == (308, at)
    assert ask(method="OPTIONS", target="*") == (308, "https://web.example/")
    assert ask(host="WEB.example:8080") == (301, at.replace("web", "WEB"))
    assert ask("http://web.example/x?y") == (301, "https://web.example/x?y")
    assert ask("/%0d%0aSet-Cookie:%20x=1") == \
        (301, "https://web.example/%0d%0aSet-Cookie:%20x=1")
    assert ask("//evil.example/") == (301, "https://web.example//evil.example/")
    with Client(s.plain) as c:  # to nobody's host but ours
        c.address = "evil.example"
        assert c.get().status == 421
    with Client(s.plain) as c:  # the connection goes on
        c.address = "web.example"
        for _ in range(3):
            assert c.get().status == 301
    assert not rig.a.requests
    with TlsClient(s.address, ca.trusting(), host="web.example") as c:
        assert c.get().status == 200
    a = s.admin.status()["accounting"]
    assert a["holds"] is True, a


def test_redirect_port_and_http2(rig, ca):
    s = both(rig, ca, {"redirect": "https", "redirect_port": 8443})
    with H2(s.plain) as c:
        assert c.get(1) == 301
        assert dict(c.fields[1])["location"] == "https://web.example:8443/get"
    with Client(s.plain) as c:
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 400 " in c.reader.head(), "it names no host"


def test_who_used_tls_already_is_not_led_on(rig, ca):
    """A trusted proxy in front that says so: else it would never end."""
    s = both(rig, ca, {"redirect": "https", "trusted_proxies": ["127.0.0.1"]})
    assert once(s.plain).status == 301
    assert once(s.plain, fields="X-Forwarded-Proto: https\r\n").status == 200
    assert once(s.plain, fields="X-Forwarded-Proto: http\r\n").status == 301


# ---- Strict-Transport-Security ----

def test_hsts(rig, ca):
    """Over TLS alone; on our own answers, too; once, whatever instances say."""
    def script(conn):
        while conn.request() is not None:
            conn.answer(b"x", fields="Strict-Transport-Security: max-age=1\r\n"
                                     "strict-transport-security: max-age=2\r\n")

    s = both(rig, ca, script=script, headers={"hsts": {
        "max_age": "1h", "subdomains": True}},
        rules=[{"deny": "/no"}], match=["localhost"])
    name, value = "Strict-Transport-Security", "max-age=3600; includeSubDomains"

    def told(a):
        head = a.head.lower()
        return [line.split(b": ", 1)[1].decode()
                for line in head.split(b"\r\n")
                if line.lower().startswith(name.lower().encode() + b":")]
    with TlsClient(s.address, ca.trusting()) as c:
        assert told(c.get()) == [value.lower()]
        a = c.get("/no")
        assert a.status == 403 and told(a) == [value.lower()]
    with Client(s.plain) as c:
        c.address = "localhost"
        assert told(c.get()) == ["max-age=1", "max-age=2"], "it is not ours"
        a = c.get("/no")
        assert a.status == 403 and told(a) == []


# ---- ACME ----

@pytest.fixture
def acme(rig, ca):
    path = f"{rig.dir}/challenges"
    os.mkdir(path)
    os.chmod(path, 0o755)
    s = both(rig, ca, {"redirect": "https", "acme_dir": path})
    s.acme = path
    return s


WELL_KNOWN = "/.well-known/acme-challenge/"


def put(s, name, data):
    with open(f"{s.acme}/{name}", "wb") as f:
        f.write(data)


def test_acme(rig, acme):
    """Answered before the redirect, for whatever host, as soon as it lies
    there; then it is gone."""
    name, proof = "Ab_-9" * 8 + "xyz", b"Ab_-9.thumb"
    assert once(acme.plain, WELL_KNOWN + name).status == 301
    put(acme, name, proof)
    for host in ("web.example", "other.example"):
        with Client(acme.plain) as c:
            c.address = host
            for _ in range(2):
                a = c.get(WELL_KNOWN + name)
                assert a.status == 200 and a.body == proof
                assert a.field("Content-Type") == "application/octet-stream"
            c.ask(WELL_KNOWN + name, "HEAD")
            head = c.reader.head()
            assert b" 200 " in head and b"Content-Length: 11\r\n" in head
    assert once(acme.plain, WELL_KNOWN + name, method="POST",
                body=b"x").status == 308
    os.unlink(f"{acme.acme}/{name}")
    assert once(acme.plain, WELL_KNOWN + name).status == 301
    assert not rig.a.requests
    a = acme.admin.status()["accounting"]
    assert a["holds"] is True, a


def test_acme_opens_nothing_else(rig, acme):
    secret = b"it is a secret\n"
    with open(f"{rig.dir}/secret", "wb") as f:
        f.write(secret)
    os.symlink(f"{rig.dir}/secret", f"{acme.acme}/link")
    os.mkfifo(f"{acme.acme}/fifo")
    os.mkdir(f"{acme.acme}/dir")
    put(acme, "dir/inner", secret)
    put(acme, "big", secret * 100)
    put(acme, ".hidden", secret)
    put(acme, "a.txt", secret)
    put(acme, "good", b"good")
    for path in ("../secret", "..%2fsecret", "%2e%2e/secret", "./good", "",
                 "..", ".", "link", "fifo", "dir", "dir/inner", "big",
                 ".hidden", "a.txt", "good/", "good%00", "g%6fod", "good?x",
                 "/good", "../challenges/good", "x" * 129, "g\\good"):
        a = once(acme.plain, WELL_KNOWN + path)
        assert a.status in (301, 400), (path, a.status)
        assert secret not in a.body and b"good" != a.body, path
    assert once(acme.plain, "/x/.." + WELL_KNOWN + "good").status == 301
    assert once(acme.plain, WELL_KNOWN + "good").body == b"good"
    assert "event=acme_unreadable" in rig.text("segued/segue.log")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops")
def test_acme_is_read_as_nobody(rig, ca):
    """What the daemon's user may not read is not served."""
    path = f"{rig.dir}/challenges"
    os.mkdir(path)
    os.chmod(path, 0o755)
    rig.a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [rig.a], share="100%")), start=False,
                   user="nobody")
    os.rmdir(f"{s.dir}/state")
    s.acme = path
    s.config["listeners"][0]["acme_dir"] = path
    s.write_config()
    s.start()
    put(s, "open", b"open")
    put(s, "closed", b"proof")
    os.chmod(f"{path}/open", 0o644)
    os.chmod(f"{path}/closed", 0o600)
    assert once(s.address, WELL_KNOWN + "open").body == b"open"
    assert b"proof" not in once(s.address, WELL_KNOWN + "closed").body
    assert 'why="permission denied"' in \
        rig.text("segued/segue.log").lower().replace("not permitted",
                                                     "permission denied")


def test_acme_over_tls(rig, ca):
    """A server of ACME follows redirects, also to here."""
    path = f"{rig.dir}/challenges"
    os.mkdir(path)
    s = both(rig, ca)
    s.acme = path
    s.config["listeners"][0]["acme_dir"] = path
    s.write_config()
    assert s.admin.reload()[0] == 200
    put(s, "t", b"t.x")
    from rig.certs import settles
    settles(lambda: tls_once(s.address, ca.trusting(),
                             WELL_KNOWN + "t").body == b"t.x")
