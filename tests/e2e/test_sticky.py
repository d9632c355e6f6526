"""Where a session stays: scope none, pool, instance; and whom the cookie
convinces."""
import base64

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once


def site(rig, scope, **more):
    v1 = [rig.scripted("v1", "a1"), rig.scripted("v1", "a2")]
    v2 = [rig.scripted("v2", "b1"), rig.scripted("v2", "b2")]
    return rig.segued(service(
        pool("v1", v1, share="100%"), pool("v2", v2),
        sticky={"scope": scope, **more.pop("sticky", {})}, **more))


def test_pool(rig):
    s = site(rig, "pool")
    with Client(s.address) as c:
        first = c.get()
        assert "HttpOnly" in first.set_cookie() and "Path=/" in \
            first.set_cookie()
        assert "Secure" not in first.set_cookie()  # no TLS here
        s.do("switch", "v2")
        rest = [c.get() for _ in range(20)]
    assert {r.version for r in rest} == {"v1"}
    assert {r.instance for r in rest} == {"a1", "a2"}
    assert once(s.address).version == "v2"


def test_instance(rig):
    s = site(rig, "instance")
    for _ in range(5):
        with Client(s.address) as c:
            name = c.get().instance
            assert {c.get().instance for _ in range(10)} == {name}
    # out for repair: its sessions go to another of the same version
    with Client(s.address) as c:
        name = c.get().instance
        s.do("instance", name, "maint")
        moved = [c.get() for _ in range(5)]
        assert {m.instance for m in moved} == {"a1", "a2"} - {name}
        assert {m.version for m in moved} == {"v1"}


def test_instance_in_drain_keeps_its_sessions(rig):
    """drain: no new ones; maint: none at all."""
    s = site(rig, "instance")
    with Client(s.address) as c:
        name = c.get().instance
        s.do("instance", name, "drain")
        assert {c.get().instance for _ in range(5)} == {name}
        assert {once(s.address).instance for _ in range(10)} == \
            {"a1", "a2"} - {name}


def test_none(rig):
    s = site(rig, "none", share_key="request")
    s.do("share", "v2", "50%")
    with Client(s.address) as c:
        answers = [c.get() for _ in range(60)]
    assert all(a.set_cookie() == "" for a in answers)
    assert {a.version for a in answers} == {"v1", "v2"}


def test_none_by_source_stays_all_the_same(rig):
    """Without a cookie the place is the hash of the key."""
    s = site(rig, "none")
    s.do("share", "v2", "50%")
    for i in range(1, 20):
        source = f"127.0.5.{i}"
        assert len({once(s.address, source=source).version
                    for _ in range(3)}) == 1


def test_share_key_header(rig):
    s = site(rig, "none", share_key="header:X-User")
    s.do("share", "v2", "50%")
    seen = {}
    for user in [f"u{i}" for i in range(40)] * 2:
        v = once(s.address, fields=f"X-User: {user}\r\n").version
        assert seen.setdefault(user, v) == v
    assert set(seen.values()) == {"v1", "v2"}


def test_growing_share_only_adds(rig):
    """Who was on V2 at 20 % is there at 60 %, too."""
    s = site(rig, "none", share_key="header:X-User")
    users = [f"u{i}" for i in range(60)]

    def on_v2():
        return {u for u in users if once(
            s.address, fields=f"X-User: {u}\r\n").version == "v2"}

    before = set()
    for share in (20, 40, 60, 100):
        s.do("share", "v2", f"{share}%")
        now = on_v2()
        assert before <= now
        before = now
    assert now == set(users)


def test_cookie_has_its_own_name_and_stays_here(rig):
    """The pin goes to no instance; the others' cookies do."""
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a]), sticky={"cookie": "pin"}))
    with Client(s.address, cookies={"mine": "1"}) as c:
        assert list(c.get().cookies()) == ["pin"]
        assert c.get().cookies() == {}  # known: not set again
    assert [r.field("cookie") for r in a.requests] == ["mine=1", "mine=1"]


def flip(value, at):
    raw = bytearray(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    raw[at] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


FORGED = [
    ("key id", lambda v: flip(v, 1), "key_unknown"),
    ("format", lambda v: flip(v, 0), "format"),
    ("nonce", lambda v: flip(v, 2), "forged"),
    ("payload", lambda v: flip(v, 20), "forged"),
    ("tag", lambda v: flip(v, -1), "forged"),
    ("cut", lambda v: v[:10], "malformed"),
    ("words", lambda v: "hello%20world", "malformed"),
]


@pytest.mark.parametrize("what,change,verdict", FORGED,
                         ids=[f[0] for f in FORGED])
def test_forged(rig, what, change, verdict):
    """It leads nowhere, is counted, and is replaced."""
    s = site(rig, "pool")
    with Client(s.address) as c:
        c.get()
        good = c.cookies["segue"]
    s.do("switch", "v2")
    assert once(s.address, cookies={"segue": good}).version == "v1"
    with Client(s.address, cookies={"segue": change(good)}) as c:
        a = c.get()
        assert a.version == "v2" and "segue" in a.cookies()
        assert c.get().version == "v2"
    bad = s.admin.status()["services"][0]["pins_bad"]
    assert sum(bad.values()) if isinstance(bad, dict) else bad >= 1
    if isinstance(bad, dict):
        assert bad.get(verdict) == 1, bad


def test_pin_of_another_service_is_void(rig):
    """Sealed for one service, it says nothing to another."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued([
        service(pool("v1", [a], share="100%"), pool("v2", [b]), name="one",
                match="one.example.org"),
        service(pool("v1", [a], share="0%"), pool("v2", [b], share="100%"),
                name="two", match="two.example.org")])

    def ask(host, cookie=""):
        with Client(s.address) as c:
            c.method = "GET"
            c.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n".encode())
            return c.answer()

    pin = ask("one.example.org")
    value = pin.cookies()["segue"]
    assert pin.version == "v1"
    assert ask("two.example.org",
               f"Cookie: segue={value}\r\n").version == "v2"


def test_pins_survive_a_restart(rig):
    s = site(rig, "pool")
    with Client(s.address) as c:
        c.get()
        pins = dict(c.cookies)
    s.do("switch", "v2")
    s.stop()
    s.start()
    assert once(s.address, cookies=pins).version == "v1"
    assert once(s.address).version == "v2"


def test_two_tabs_of_one_browser_agree(rig):
    """Side by side without a cookie: the source decides the same for both."""
    s = site(rig, "pool")
    s.do("share", "v2", "50%")
    for i in range(1, 10):
        source = f"127.0.6.{i}"
        with Client(s.address, source=source) as c, \
                Client(s.address, source=source) as d:
            c.ask()
            d.ask()
            assert c.answer().version == d.answer().version


def test_sessions_are_counted(rig):
    s = site(rig, "pool", sticky={"idle": "1s"})
    for _ in range(5):
        with Client(s.address) as c:
            c.get()
            c.get()
    p = s.admin.pool("v1")
    assert p["sessions_new"] == 5 and p["sessions"] == 5
    wait_until(lambda: s.admin.pool("v1")["sessions"] == 0, 5,
               "the sessions' end")
