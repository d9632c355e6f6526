"""An instance dies once a second, under load: what is safe does not fail; what
is not fails only where a byte had left, and is never done twice."""
import re
import time

from rig import wait_until
from rig.load import say
from rig.site import Site


def outcomes_by_id(segued):
    rows = {}
    for row in segued.access():
        m = re.search(r"[?&]id=([^&]+)", row.get("target", ""))
        if m:
            rows[m.group(1)] = row
    return rows


def test_kill_each_second(rig, rounds):
    site = Site(rig, arrivals=True)
    site.segued.do("share", "v2", "50%")
    site.start_load(posts=40)
    for i in range(3 * rounds):
        began = time.monotonic()
        # of each pool one, so that the other can serve
        victims = [site.v1[i % 2], site.v2[i % 2]]
        victim = victims[i // 2 % 2]
        victim.kill()
        site.wait_answers(500)
        victim.start()
        wait_until(lambda: site.admin.instance(victim.name)["health"] == "up",
                   what="the instance's return")
        time.sleep(max(0, 1 - (time.monotonic() - began)))
    final = site.load.stop()
    print(say(final), final["failures_unsafe"])
    bad = [r for r in site.segued.access() if r["status"] >= 500 and
           r["method"] == "GET"]
    assert final["failures_safe"] == {}, (bad, final["samples"])
    assert final["bounces"] == 0, final["samples"]

    arrived = [i for n in site.instances for i in n.arrived_ids()]
    assert len(arrived) == len(set(arrived)), "a post reached two instances"
    # what nginx says of an answer comes behind it: a kill can lose the line
    lost = {p["id"] for p in final["posts_lost"]}
    assert len(set(arrived) - lost) >= final["posts_answered"]
    segued = site.segued
    wait_until(lambda: len(segued.access()) >= final["requests"],
               what="the access log")
    rows = outcomes_by_id(segued)
    for lost in final["posts_lost"]:
        row = rows[lost["id"]]
        assert row["outcome"] in ("instance_reset", "instance_cut"), row
    assert final["failed"] == len(final["posts_lost"])
    assert final["answers"] + final["failed"] == final["requests"]


def test_version_dies_and_its_sessions_move(rig):
    """All of V1 dies at once: its sessions go on with V2, and are counted."""
    site = Site(rig)
    site.segued.do("share", "v2", "50%")
    # slow ones, so that some do not ask before the probes have seen it
    site.start_load(answers=1000, moved_ok=True, posts=0, think="200ms",
                    session=40)
    for instance in site.v1:
        instance.kill()
    site.wait_answers(1000)
    final = site.load.stop()
    print(say(final), final["failures_safe"])
    assert final["moved"] > 0
    causes = site.admin.pool("v2")["causes"]
    assert causes["moved_dead"] > 0, causes
    # those that came before the first probe had failed waited for it
    assert final["failures_safe"] == {}, final["samples"]
    for instance in site.v1:
        instance.start()
    wait_until(lambda: site.admin.pool("v1")["eligible"] == 2)
