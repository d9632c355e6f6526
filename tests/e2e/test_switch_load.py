"""The promise: whatever an operator does, under 200 clients nothing fails,
nobody bounces, nothing is done twice, and the accounts add up."""
import json

from rig import wait_until
from rig.load import of_phase, on
from rig.site import Site


def phase_until(site, name, true):
    site.load.phase(name)
    wait_until(lambda: true(of_phase(site.load.report(), name)), 20, name,
               every=0.05)


def test_cutover_and_rollback(rig, rounds):
    site = Site(rig)
    site.start_load()
    for i in range(2 * rounds):
        new, old = ("v2", "v1") if i % 2 == 0 else ("v1", "v2")
        site.segued.do("switch", new)
        phase_until(site, f"on {new} {i}",
                    lambda p: on(p, new)["sessions"] > 400)
        p = of_phase(site.load.report(), f"on {new} {i}")
        late = on(p, old)["last_session_sent_us"] - p["began_us"]
        assert late <= 0, f"a session on {old}, {late} us after the switch"
    site.finish()


def test_share_in_steps(rig, rounds):
    site = Site(rig)
    site.start_load(session=4)
    for i in range(rounds):
        for pct in (0, 10, 50, 100):
            site.load.phase(f"to {pct}% {i}")
            site.segued.do("share", "v2", f"{pct}%")
            phase_until(site, f"{pct}% {i}", lambda p: sum(
                v["sessions"] for v in p["on"].values()) > 1800)
    final = site.finish()
    for i in range(rounds):
        for pct in (0, 10, 50, 100):
            p = of_phase(final, f"{pct}% {i}")
            new = {v: on(p, v)["sessions"] for v in ("v1", "v2")}
            share = 100 * new["v2"] / sum(new.values())
            print(f"share {pct}%: {share:.1f}% of {sum(new.values())}")
            # five times what chance makes of 1800 at 50 %
            assert abs(share - pct) < 6, (pct, new)


def test_reload_in_a_loop(rig, rounds):
    site = Site(rig)
    site.start_load()
    config = site.segued.config
    for i in range(10 * rounds):
        config["services"][0]["timeouts"] = {"first_byte": f"{20 + i}s"}
        config["services"][0]["pools"][0]["instances"][0]["weight"] = 1 + i % 3
        config["log"]["level"] = "debug" if i % 2 else "info"
        site.segued.write_config()
        before = site.admin.pool("v1")
        r = json.loads(site.segued.do("reload", "--json").out)
        assert r["result"] == "done" and r["changed"], r
        after = site.admin.pool("v1")
        assert after["eligible"] == before["eligible"] == 2
        assert [i["probes"] for i in after["instances"]] >= \
            [i["probes"] for i in before["instances"]], "health was forgotten"
        site.wait_answers(400)
    site.finish()


def test_drain_each_instance_in_turn(rig, rounds):
    """Scope pool: a session may change the instance, never the version."""
    site = Site(rig)
    site.segued.do("share", "v2", "50%")
    site.start_load()
    for _ in range(rounds):
        for instance in site.instances:
            site.segued.do("instance", instance.name, "drain")
            wait_until(lambda: site.admin.instance(instance.name)
                       ["in_flight"] == 0, what="the instance's end")
            before = instance.count("/get") + instance.count("/post")
            site.wait_answers(600)
            assert instance.count("/get") + instance.count("/post") == before
            site.segued.do("instance", instance.name, "in")
    site.finish()


def test_drain_and_stop_the_old_version(rig, rounds):
    """What a real upgrade does, there and back: drained means it may go."""
    site = Site(rig, sticky={"idle": "1s"})
    site.start_load(session=6)
    for i in range(rounds):
        old, new = ("v1", "v2") if i % 2 == 0 else ("v2", "v1")
        instances = site.v1 if old == "v1" else site.v2
        site.segued.do("switch", new, "--when-ready", "--drain", "--wait")
        assert site.admin.pool(old)["state"] == "drained"
        for instance in instances:
            instance.stop()
        site.wait_answers(500)
        for instance in instances:
            instance.start()
        site.segued.do("undrain", old)
        wait_until(lambda: site.admin.pool(old)["state"] == "ready", 10)
    site.finish()


def test_pools_with_instances_of_their_own_sticky_scope(rig):
    """Scope instance: through a cutover nobody leaves the own instance."""
    site = Site(rig, sticky={"scope": "instance"})
    site.start_load(stays="X-Instance")
    site.segued.do("switch", "v2")
    site.wait_answers(1000)
    site.segued.do("switch", "v1")
    site.wait_answers(1000)
    site.finish()
