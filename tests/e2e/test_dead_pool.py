"""A version that is dead: its sessions move and are counted; no share leads
there; it is told."""
import time

import pytest

from rig import wait_until
from rig.load import say
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, once


@pytest.fixture
def s(rig):
    rig.a, rig.b = rig.nginx("v1", "a"), rig.nginx("v2", "b")
    return rig.segued(service(pool("v1", [rig.a], share="100%"),
                              pool("v2", [rig.b])))


def test_sessions_move_and_stay(rig, s):
    with Client(s.address) as c:
        assert c.get().version == "v1"
        s.do("share", "v2", "50%")
        rig.a.kill()
        wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
        assert c.get().version == "v2"
        assert c.post().version == "v2"
        rig.a.start()
        wait_until(lambda: s.admin.pool("v1")["eligible"] == 1)
        assert c.get().version == "v2", "it moved back"
    assert s.admin.pool("v2")["causes"]["moved_dead"] == 1


def test_its_share_goes_to_who_has_one(rig, s):
    s.do("share", "v2", "10%")
    rig.a.kill()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
    assert {once(s.address, source=f"127.0.7.{i}").version
            for i in range(1, 30)} == {"v2"}
    rig.a.start()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 1)
    assert "v1" in {once(s.address, source=f"127.0.7.{i}").version
                    for i in range(1, 30)}


def test_nobody_serves(rig, s):
    """503 with Retry-After, in the client's form; served again at once."""
    rig.a.kill()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
    a = once(s.address)
    assert a.status == 503 and a.field("retry-after") == "1"
    assert once(s.address, fields="Accept: text/html\r\n").field(
        "content-type").startswith("text/html")
    assert once(s.address, fields="Accept: application/json\r\n").field(
        "content-type") == "application/json"
    with Client(s.address) as c:  # the connection survives
        assert c.get().status == 503
        rig.a.start()
        began = time.monotonic()
        wait_until(lambda: c.get().status == 200)
        assert time.monotonic() - began < 1
    outcomes = s.admin.status()["services"][0]["outcomes"]
    assert outcomes["no_instance"] + outcomes.get("connect_failed", 0) >= 4


def test_pool_without_a_share_is_no_refuge(rig, s):
    """V2 proved itself, but nobody said that it may serve."""
    rig.a.kill()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
    assert once(s.address).status == 503
    s.do("switch", "v2")
    assert once(s.address).version == "v2"


def test_it_is_told(rig, s):
    rig.a.kill()
    wait_until(lambda: s.admin.pool("v1")["eligible"] == 0)
    wait_until(lambda: any("a" == e.get("instance") and "down" in e["text"]
                           for e in s.admin.events()), what="the event")


def test_all_of_it_dies_under_load(rig):
    """Whose session is on V1 meets refused connections until the probes have
    found out; such a request waits, and goes to V2.  Only a post of which a
    byte had left can fail."""
    site = Site(rig, arrivals=True)
    segued = site.segued
    segued.do("share", "v2", "50%")
    site.start_load(answers=2000, moved_ok=True, posts=20, session=40)
    for n in site.v1:
        n.kill()
    site.wait_answers(3000)
    final = site.load.stop()
    print(say(final), final["failures_safe"], final["failures_unsafe"])
    assert site.admin.pool("v2")["causes"]["moved_dead"] > 0
    wait_until(lambda: len(segued.access()) >= final["requests"],
               what="the access log")
    bad = [r for r in segued.access() if r["status"] >= 500]
    assert final["failures_safe"] == {}, (
        [r for r in bad if r["method"] == "GET"], final["samples"])
    assert {r["outcome"] for r in bad} <= {"instance_reset", "instance_cut"}, \
        bad[:5]
    arrived = [i for n in site.instances for i in n.arrived_ids()]
    assert len(arrived) == len(set(arrived)), "a post reached two instances"
