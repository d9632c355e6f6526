"""What becomes of pinned sessions: keep, move, evict; and the way back."""
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once


@pytest.fixture
def s(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(pool("v1", [a], share="100%"),
                              pool("v2", [b]), sticky={"idle": "30s"}))


def state(s, name="v1"):
    return s.admin.pool(name)["state"]


def causes(s):
    return s.admin.pool("v2")["causes"]


def test_keep_until_the_grace_ends(s):
    with Client(s.address) as c:
        assert c.get().version == "v1"
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "keep", "--grace", "1500ms")
        began = time.monotonic()
        assert c.get().version == "v1"
        assert "session" in s.admin.pool("v1")["holds"]
        assert once(s.address).version == "v2"
        wait_until(lambda: state(s) == "drained", 4)
        assert 1.2 < time.monotonic() - began < 3
        a = c.get()
        assert a.version == "v2" and "segue" in a.cookies()
        assert c.get().version == "v2"
    assert causes(s)["moved_evict"] == 1


def test_keep_ends_with_the_last_session(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b]),
                           sticky={"idle": "1s"}))
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2", "--drain", "--wait")
        assert state(s) == "drained"


def test_move_at_a_safe_point(s):
    """A page is one, a script of it or a post is not."""
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "move")
        assert c.post("/form").version == "v1"
        assert c.get("/app.js",
                     fields="Sec-Fetch-Dest: script\r\n").version == "v1"
        assert state(s) == "draining"
        assert c.get("/page",
                     fields="Sec-Fetch-Dest: document\r\n").version == "v2"
        assert c.post("/form").version == "v2"
    assert causes(s)["moved_drain"] == 1


def test_evict_now(s):
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "evict", "--wait")
        assert state(s) == "drained"
        assert c.post("/form").version == "v2"
    assert causes(s)["moved_evict"] == 1


def test_mode_of_a_running_drain_changes(s):
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "keep", "--grace", "60s")
        assert c.get().version == "v1"
        s.do("drain", "v1", "--mode", "evict", "--wait")
        assert c.get().version == "v2"


def test_undrain_brings_the_sessions_back(s):
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "keep", "--grace", "60s")
        s.do("undrain", "v1")
        assert state(s) == "active"
        assert c.get().version == "v1"
        assert once(s.address).version == "v2"


def test_back_in_the_middle_of_a_drain(s):
    """One command, the same as after its end; no session bounces."""
    with Client(s.address) as old, Client(s.address) as new:
        old.get()
        s.do("switch", "v2", "--drain")
        assert new.get().version == "v2"
        assert state(s) == "draining"
        s.do("switch", "v1", "--when-ready", "--drain")
        assert state(s) == "active" and state(s, "v2") == "draining"
        assert once(s.address).version == "v1"
        assert old.get().version == "v1" and new.get().version == "v2"


def test_undrain_after_the_end_proves_itself_anew(rig, s):
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "evict", "--wait")
    r = s.segue("share", "v1", "10%")
    assert r.code == 3 and "undrain" in r.err + r.out
    s.do("undrain", "v1")
    wait_until(lambda: state(s) == "ready")
    s.do("switch", "v1")
    assert once(s.address).version == "v1"


def test_drain_of_the_only_one_is_refused(s):
    s.do("instance", "b", "maint")
    r = s.segue("drain", "v1")
    assert r.code == 3, r
    assert state(s) == "active" and once(s.address).version == "v1"


def test_drain_gives_the_share_away(s):
    s.do("share", "v2", "30%")
    s.do("drain", "v1", "--mode", "keep")
    assert s.admin.pool("v2")["share_bp"] == 10000
    assert once(s.address).version == "v2"


def test_drain_survives_a_restart(s):
    """After a start no session is known, which does not mean none."""
    with Client(s.address) as c:
        c.get()
        s.do("switch", "v2")
        s.do("drain", "v1", "--mode", "keep", "--grace", "60s")
        pins = dict(c.cookies)
    before = s.admin.pool("v1")["drain"]
    s.stop()
    s.start()
    # by then segued has looked several times whether the drain has ended
    wait_until(lambda: s.admin.status()["uptime_s"] >= 3)
    assert state(s) == "draining"
    assert s.admin.pool("v1")["drain"]["began"] == before["began"]
    assert once(s.address, cookies=pins).version == "v1"


def test_connections_of_a_drained_pool_are_closed(rig):
    """Its idle ones must not keep an instance from stopping."""
    a = rig.nginx("v1", "a")
    b = rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%",
                                keepalive={"idle": "60s"}), pool("v2", [b])))
    once(s.address)
    assert s.admin.instance("a")["connections"] == 1
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "evict", "--wait")
    wait_until(lambda: s.admin.instance("a")["connections"] == 0)
