"""TLS to instances: who is believed, as whom we come, what is resumed."""
import ssl

import pytest

from rig import wait_until
from rig.certs import Authority, settles
from rig.scripted import answer_all
from rig.segued import pool, service
from rig.wire import once


@pytest.fixture
def ca(rig):
    return Authority(rig)


def serving(leaf, client_ca=None):
    """A context of an instance."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.cert, leaf.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca.cert)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def instance(rig, leaf, version="v1", name="a", script=answer_all, **kw):
    return rig.scripted(version, name, script, tls=serving(leaf, **kw))


def behind(rig, instances, tls, ready=True, name="v1", **more):
    return rig.segued(service(pool(name, instances, share="100%", tls=tls,
                                   **more)), ready=ready)


def by_name(i):
    """Of the loopback as localhost: a name that can be verified."""
    i.listen_as_localhost()
    return {"name": i.name, "address": f"localhost:{i.port.number}"}


def counter(s, what):
    text = s.admin.raw("GET", "/metrics")[2]
    return sum(int(float(line.rsplit(" ", 1)[1]))
               for line in text.splitlines()
               if line.startswith(f"segue_instance_{what}_total{{"))


def why(s, name="v1"):
    return s.admin.pool(name)["instances"][0]["reason"]


def test_name_and_address(rig, ca):
    """The host of the address is verified, be it a name or an address, and a
    name of the pool's takes its place."""
    a = instance(rig, ca.leaf("localhost"))
    s = behind(rig, [by_name(a)], {"ca": ca.cert})
    assert once(s.address).instance == "a"
    assert a.requests[-1].field("Host") == s.address, "Host is the client's"
    assert a.sni == "localhost"
    b = instance(rig, ca.leaf("127.0.0.1"), name="b")
    s = rig.segued(service(pool("v1", [b], share="100%",
                                tls={"ca": ca.cert})), name="s2")
    assert once(s.address).instance == "b"
    assert b.sni is None, "an address is no name"
    c = instance(rig, ca.leaf("inner.example.org"), name="c")
    s = rig.segued(service(pool("v1", [c], share="100%", tls={
        "ca": ca.cert, "name": "inner.example.org"})), name="s3")
    assert once(s.address).instance == "c"
    assert c.sni == "inner.example.org"


FAULTS = {
    "wrong CA": (lambda rig, ca: ca.leaf("localhost"),
                 lambda rig, ca: {"ca": Authority(rig, "other").cert}),
    "wrong name": (lambda rig, ca: ca.leaf("stranger.org"),
                   lambda rig, ca: {"ca": ca.cert}),
    "expired": (lambda rig, ca: ca.leaf("localhost", days=-1),
                lambda rig, ca: {"ca": ca.cert}),
    "the system's CAs": (lambda rig, ca: ca.leaf("localhost"),
                         lambda rig, ca: {}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_who_is_not_believed(rig, ca, fault):
    leaf, tls = FAULTS[fault]
    a = instance(rig, leaf(rig, ca))
    s = behind(rig, [by_name(a)], tls(rig, ca), ready=False)
    wait_until(lambda: why(s) == "certificate not accepted",
               what=fault)
    assert once(s.address).status == 503
    assert not a.requests
    # who does not verify believes it
    s.config["services"][0]["pools"][0]["tls"]["verify"] = False
    s.write_config()
    assert s.admin.reload()[0] == 200
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 1)
    settles(lambda: once(s.address).instance == "a")


def test_a_try_that_fails_goes_elsewhere(rig, ca):
    """Also a POST: nothing of it has left."""
    good = instance(rig, ca.leaf("localhost"), name="good")
    bad = instance(rig, ca.leaf("stranger.org"), name="bad")
    s = behind(rig, [by_name(good), by_name(bad)], {"ca": ca.cert},
               probe={"tls": False, "type": "tcp"}, eject="off")
    for _ in range(20):
        assert once(s.address, method="POST", body=b"x").instance == "good"
    assert not bad.requests
    assert counter(s, "tls_failed") > 0
    assert 'instance=bad event=tls_failed why="hostname mismatch"' in \
        rig.text("segued/segue.log").lower()


def test_plain_and_tls_do_not_mix(rig, ca):
    """A plain instance behind tls is no instance, and the other way round;
    kept connections follow a reload."""
    plain = rig.nginx("v1", "plain")
    s = behind(rig, [plain], {"ca": ca.cert}, ready=False)
    wait_until(lambda: why(s) == "TLS handshake failed")
    assert once(s.address).status == 503
    s.config["services"][0]["pools"][0]["tls"] = "off"
    s.write_config()
    assert s.admin.reload()[0] == 200
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 1)
    settles(lambda: once(s.address).instance == "plain")


def test_two_authorities(rig, ca):
    """During a change of authorities both are trusted."""
    other = Authority(rig, "other")
    v1 = instance(rig, ca.leaf("localhost"), "v1", "a")
    v2 = instance(rig, other.leaf("localhost"), "v2", "b")
    tls = {"ca": [ca.cert, other.cert]}
    s = rig.segued(service(
        pool("v1", [by_name(v1)], share="100%", tls=tls),
        pool("v2", [by_name(v2)], tls=tls)))
    assert once(s.address).version == "v1"
    s.do("switch", "v2")
    assert once(s.address).version == "v2"


def test_our_own_certificate(rig, ca):
    a = instance(rig, ca.leaf("localhost"), client_ca=ca)
    leaf = ca.leaf("segue", usage="clientAuth")
    s = behind(rig, [by_name(a)], {"ca": ca.cert, "certificate": leaf.cert,
                                   "key": leaf.key})
    assert once(s.address).instance == "a"
    assert a.peer == "segue"
    # a new one comes with a reload
    ca.leaf("segue-2", usage="clientAuth", path=leaf.cert[:-4])
    code, r = s.admin.reload()
    assert code == 200 and any("tls.certificate: new content" in c
                               for c in r["changed"]), r
    settles(lambda: once(s.address).instance == "a" and a.peer == "segue-2")
    del s.config["services"][0]["pools"][0]["tls"]["certificate"]
    del s.config["services"][0]["pools"][0]["tls"]["key"]
    s.write_config()
    assert s.admin.reload()[0] == 200
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)


def test_new_files_are_seen(rig, ca):
    """Our certificate and the authorities, without a reload, unless watch is
    off; a wrong one leaves those that run."""
    a = instance(rig, ca.leaf("localhost"), client_ca=ca)
    leaf = ca.leaf("segue", usage="clientAuth")
    s = behind(rig, [by_name(a)], {"ca": ca.cert, "certificate": leaf.cert,
                                   "key": leaf.key})

    def is_known_as(name):
        with_new = once(s.address, fields="Connection: close\r\n")
        return with_new.instance == "a" and a.peer == name
    assert is_known_as("segue")
    ca.leaf("segue-2", usage="clientAuth", path=leaf.cert[:-4])
    wait_until(lambda: is_known_as("segue-2"), 12)
    assert "event=certificates_changed" in rig.text("segued/segue.log")
    with open(leaf.cert, "w", encoding="ascii"):
        pass
    wait_until(lambda: s.admin.metrics()["segue_reload_ok"] == 0, 12)
    assert is_known_as("segue-2")
    s.config["services"][0]["pools"][0]["tls"]["watch"] = False
    ca.leaf("segue-3", usage="clientAuth", path=leaf.cert[:-4])
    s.write_config()
    assert s.admin.reload()[0] == 200
    settles(lambda: is_known_as("segue-3"))
    told = rig.text("segued/segue.log").count("event=certificates_changed")
    ca.leaf("segue-4", usage="clientAuth", path=leaf.cert[:-4])
    with pytest.raises(AssertionError):
        wait_until(lambda: is_known_as("segue-4"), 7)
    assert rig.text("segued/segue.log").count(
        "event=certificates_changed") == told


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed(rig, ca, version):
    def one_each(conn):
        if conn.request() is not None:
            conn.answer(b"x", fields="Connection: close\r\n")

    leaf = ca.leaf("localhost")
    context = serving(leaf)
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    a = rig.scripted("v1", "a", one_each, tls=context)
    s = behind(rig, [by_name(a)], {"ca": ca.cert})
    for _ in range(12):
        assert once(s.address).status == 200
    made, resumed = counter(s, "tls_handshakes"), counter(s, "tls_resumed")
    assert made == 12 and resumed >= 12 - 2, "one in full for each worker"
    assert counter(s, "tls_failed") == 0


def test_kept_connections_and_big_bodies(rig, ca):
    a = instance(rig, ca.leaf("localhost"))
    s = behind(rig, [by_name(a)], {"ca": ca.cert})
    body = bytes(range(256)) * 8192
    from rig.wire import Client
    with Client(s.address) as c:
        for _ in range(10):
            assert c.post(body=body).body == b"POST /post 2097152\n"
    assert counter(s, "tls_handshakes") == 1


def test_end_of_a_body_that_nobody_announced(rig, ca):
    """A body up to the end of the connection: whole with a goodbye, cut with
    a FIN alone."""
    def script(conn):
        r = conn.request()
        if r is None:
            return
        conn.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 1000)
        if r.target == "/goodbye":
            conn.sock.unwrap()

    a = instance(rig, ca.leaf("localhost"), script=script)
    s = behind(rig, [by_name(a)], {"ca": ca.cert})
    assert once(s.address, "/goodbye").body == b"y" * 1000
    from rig.wire import Client, Closed
    with Client(s.address) as c:
        c.ask("/fin")
        with pytest.raises((Closed, ConnectionError)):
            c.answer()
    text = s.admin.raw("GET", "/metrics")[2]
    assert 'outcome="instance_cut"} 1' in text or \
        [li for li in text.splitlines() if "instance_cut" in li]
    a = s.admin.status()["accounting"]
    assert a["holds"] is True, a
