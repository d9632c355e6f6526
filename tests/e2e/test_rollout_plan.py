"""Plans: what a rollout would do, and carrying out that and nothing else."""
import json
import os
import signal

from rig import wait_until
from rig.wire import Client
from test_rollout import rollout, shares, small


def plan(s, to="v2"):
    r = s.segue("plan", "--to", to, "--json")
    return json.loads(r.out)


def mark(s, to="v2"):
    return plan(s, to)["mark"]


def ready(s, name="v2"):
    wait_until(lambda: s.admin.pool(name)["ready"], what=name)


STEPS = ["ready", {"step": "share", "share": "10%"}, "approve", "promote"]


# ---- the mark ----

def test_apply(rig):
    """As it is printed, so it is typed; the audit has it."""
    s = small(rig, STEPS)
    ready(s)
    shown = s.do("plan", "--to", "v2").out.splitlines()[-1]
    assert shown.startswith("it can begin now; as it stands here: segue "), \
        shown
    r = s.do(*shown.split("segue ")[1].split())
    assert r.out.startswith("the rollout to v2 has begun"), r
    assert rollout(s)["id"] == 1
    m = shown.split()[-3]
    assert f'command="apply {m} --to v2" result=done' in s.log(), m
    r = s.segue("apply", m, "--to", "v2")
    assert r.code == 3 and "another world" in r.err, r


def test_what_moves_it(rig):
    """Each thing by itself, told by its name; back as it was it is as good as
    it was; traffic and a restart move nothing."""
    s = small(rig, STEPS)
    ready(s)
    m = mark(s)

    def refused(word):
        r = s.segue("apply", m, "--to", "v2")
        assert r.code == 3 and word in r.err, (word, r)
        assert "the plan was made in another world: " in r.err, r
        assert rollout(s) is None

    with Client(s.address) as c:
        for _ in range(50):
            c.get("/")
        assert mark(s) == m
    s.do("share", "v2", "30%")
    refused("now v1 active 70%, v2 active 30%")
    s.do("share", "v2", "0%")
    refused("v2 active 0%")
    s.do("drain", "v2", "--wait")
    refused("v2 drained 0%")
    s.do("undrain", "v2")
    ready(s)
    assert mark(s) == m
    s.do("hold")
    refused("requests are held")
    s.do("release")
    rig.b.deafen()
    wait_until(lambda: not s.admin.pool("v2")["ready"], what="v2 down")
    refused("who is ready or in has changed, now ready: v1")
    rig.b.listen()
    ready(s)
    s.do("instance", "a", "drain", "--force")
    refused("now ready: v2")
    s.do("instance", "a", "in")
    s.config["services"][0]["rollout"]["steps"].insert(0, "ready")
    s.write_config()
    s.do("reload")
    refused("the configuration of web has changed")
    s.config["services"][0]["rollout"]["steps"].pop(0)
    s.write_config()
    s.do("reload")
    for how in (s.kill_all, lambda: os.kill(s.network_pid(), signal.SIGKILL)):
        how()
        if how == s.kill_all:
            s.start()
        wait_until(s.is_up, what="the next process")
        ready(s)
        wait_until(lambda: mark(s) == m, what="the mark")
    r = s.do("apply", m, "--to", "v2")
    assert rollout(s)["stand"] == "running", r


def test_apply_waits(rig):
    s = small(rig, ["ready", "promote", "drain"])
    ready(s)
    r = s.do("apply", mark(s), "--to", "v2", "--wait")
    assert "the rollout of web to v2: done; v1 is drained" in r.out, r


def test_bad_marks(rig):
    s = small(rig, STEPS)
    ready(s)
    for m in ("x", "c1d4e9-09ab31", mark(s)[:-1], mark(s).upper() + "-"):
        r = s.segue("apply", m, "--to", "v2")
        assert r.code == 2 and "is no mark of a plan" in r.err, (m, r)
    assert s.segue("apply", mark(s)).code == 2
    assert s.segue("apply", "--to", "v2").code == 2
    r = s.segue("apply", mark(s), "--to", "v9")
    assert r.code == 2 and "no pool v9" in r.err, r
    r = s.segue("apply", mark(s, "v1"), "--to", "v2")
    assert r.code == 3 and "leads to another pool" in r.err, r
    assert rollout(s) is None and shares(s) == {"v1": 10000, "v2": 0}


# ---- the impact ----

def test_outage(rig):
    """What would be held, how long at most, and how long it was last time; a
    rehearsal held nobody."""
    s = small(rig, [{"step": "hold", "for": "5m", "writes_only": True},
                    "ready", {"step": "pause", "for": "300ms"}, "promote",
                    "release"])
    ready(s)
    says = "requests that may change something would wait from step 1 on, "
    assert says + "5m00s at most\n" in s.do("plan", "--to", "v2").out
    s.do("rollout", "start", "--to", "v2", "--wait")
    s.do("rollout", "start", "--to", "v1", "--rehearse", "--wait")
    held = rollout(s)["past"][-1]["held_s"]
    assert 0.3 <= held < 3 * rig.slower, held
    out = s.do("plan", "--to", "v1").out
    assert says + "5m00s at most; " in out and " last time\n" in out, out
    assert plan(s, "v1")["outage"] == {
        "step": 0, "writes_only": True, "perhaps": False, "at_most_s": 300,
        "last_s": held}


def test_who_is_where(rig):
    """Sessions of pools that drain and of those that do not; what is not
    ready."""
    s = small(rig, ["ready", "promote", "drain"])
    ready(s)
    with Client(s.address) as c:
        c.get()
    wait_until(lambda: s.admin.pool("v1")["sessions"] == 1, what="a session")
    s.do("switch", "v2")
    rig.b.deafen()
    wait_until(lambda: not s.admin.pool("v2")["ready"], what="v2 down")
    r = s.segue("plan", "--to", "v2")
    assert r.code == 3 and "v1 keeps 1 sessions, 0 streams\n" in r.out, r
    assert "v2 is not ready now: b is down: connection refused\n" in r.out, r
    assert "v2 has all of new sessions already" in r.err, r
