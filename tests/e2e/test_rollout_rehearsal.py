"""Rehearsals: the way of a rollout, with dry runs, and without a trace."""
import os
import signal
import time

from rig import wait_until
from rig.site import Site
from test_rollout import DRAIN, rollout, shares, wait_stand
from test_rollout_jobs import job, lines, script, site_of, step


def both(rig, name, dry, **more):
    """A job that leaves a trace when it is really run, and its dry run."""
    return dict(job(rig, f"echo $SEGUE_VERSION >> {name}.real", name),
                rehearse=[script(rig, name + "-dry", dry)], **more)


def no_trace(rig):
    return [f for f in os.listdir(rig.dir) if f.endswith(".real")] == []


RECREATE = [{"step": "check", "job": "compat"},
            {"step": "hold", "for": "5m"},
            {"step": "job", "job": "stop"}, "gone",
            {"step": "job", "job": "migrate", "no_return": True}, "ready",
            {"step": "share", "share": "10%"}, {"step": "pause", "for": "1h"},
            "approve", "promote", "release", "drain"]


def jobs_of(rig, migrate="echo $SEGUE_REHEARSAL would migrate"):
    return [both(rig, "compat", "echo differs; exit 3"),
            job(rig, "echo >> stop.real", "stop"),
            both(rig, "migrate", migrate, once="version")]


def steps_of(rig):
    return [dict(s, only="recreate") if isinstance(s, dict) and
            s.get("job") == "stop" else s for s in RECREATE]


def test_under_load(rig):
    """All steps within a moment; nobody notices; the real one runs after it,
    as it was planned before."""
    site = Site(rig, drain=DRAIN, rollout={
        "jobs": jobs_of(rig), "steps": steps_of(rig)})
    s = site.segued
    site.start_load()
    mark = s.do("plan", "--to", "v2").out.split("segue apply ")[1].split()[0]
    r = s.do("rollout", "start", "--to", "v2", "--rehearse", "--wait")
    assert r.out.startswith("the rollout of web to v2: rehearsal, done (took"), r
    assert shares(s) == {"v1": 10000, "v2": 0} and no_trace(rig)
    r = rollout(s)
    assert r["rehearsal"] is True and r["held_s"] == 0, r
    assert r["no_return"] == {"step": 4, "passed": False}, r
    said = [x.get("said") for x in r["steps"]]
    assert said == ["differs", None, "not run: a rehearsal", None,
                    "1 would migrate"] + [None] * 7, said
    shown = s.do("rollout", "status").out
    assert "web to v2: rehearsal, done; begun" in shown, shown
    assert "not run: a rehearsal" in shown and "passed" in shown, shown
    assert "a rehearsal: it has moved nothing" in \
        s.do("rollout", "report").out
    assert 'command="rollout start --to v2 --rehearse"' in s.log()
    told = [e["text"] for e in site.admin.events("follow=0&last=500")
            if e["type"] == "rollout"]
    assert told[0] == "to v2: rehearsal, step 1 of 12, check compat", told
    assert told[-1] == "to v2: rehearsal, done", told
    used = [c for c in s.admin.status()["services"][0]["conditions"]
            if c["type"] == "RecreateUpdateUsed"]
    assert used[0]["status"] == "Unknown", used
    r = s.do("apply", mark, "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 3, what="gone")
    assert lines(rig, "compat.real") == ["v2"], "this one is real"
    assert lines(rig, "stop.real") == [], "and found that both may run"
    s.do("rollout", "rollback")
    assert "done (rehearsal)" in s.do("rollout", "history").out
    site.finish()


def test_of_what_is_not_there_yet(rig):
    """The new version is not up, as before each rollout that starts it."""
    s = site_of(rig, jobs_of(rig), steps_of(rig))
    rig.b.deafen()
    wait_until(lambda: not s.admin.pool("v2")["ready"], what="v2 down")
    s.do("rollout", "start", "--to", "v2", "--rehearse", "--wait")
    assert step(s, 5)["said"].startswith("it would wait: v2 is not ready"), \
        step(s, 5)
    assert "passed: it would wait: v2 is not ready" in \
        s.do("rollout", "status").out


def test_fails(rig):
    """It ends and says why, whatever the rule is; nothing counts as done."""
    s = site_of(rig, jobs_of(rig, "echo 'no room'; exit 5"), steps_of(rig))
    for rule in ("rollback", "pause"):
        s.config["services"][0]["rollout"]["on_failure"] = rule
        s.write_config()
        s.do("reload")
        r = s.segue("rollout", "start", "--to", "v2", "--rehearse", "--wait")
        assert r.code == 3, r
        assert "rehearsal, aborted: job migrate: exit status 5: no room" in \
            r.err, r
        assert rollout(s)["stand"] == "aborted" and no_trace(rig)
        assert shares(s) == {"v1": 10000, "v2": 0}
        assert s.segue("rollout", "retry").code == 3


def test_operators_go_on(rig):
    """They move traffic meanwhile, and take the rehearsal back."""
    s = site_of(rig, jobs_of(rig, "touch began; sleep 1000"), steps_of(rig))
    s.do("rollout", "start", "--to", "v2", "--rehearse")
    wait_until(lambda: os.path.exists(f"{rig.dir}/began"), what="the job")
    r = s.segue("rollout", "start", "--to", "v2")
    assert r.code == 3 and "is under way: rehearsal, step 5" in r.err, r
    s.do("share", "v2", "30%")
    s.do("rollout", "rollback")
    assert shares(s) == {"v1": 7000, "v2": 3000}
    assert s.admin.pool("v2")["state"] == "active"
    r = s.segue("rollout", "approve", "--rehearse")
    assert r.code == 2, r


def test_crashes(rig):
    """The network process dies: it goes on; all dies: an operator says how."""
    s = site_of(rig, jobs_of(
        rig, "echo >> began; until test -e go; do sleep 0.05; done"),
        steps_of(rig))
    s.do("rollout", "start", "--to", "v2", "--rehearse")
    wait_until(lambda: lines(rig, "began"), what="the job")
    os.kill(s.network_pid(), signal.SIGKILL)
    wait_until(s.is_up, what="the next process")
    time.sleep(0.7)
    assert rollout(s)["stand"] == "running" and len(lines(rig, "began")) == 1
    s.kill_all()
    s.start()
    r = rollout(s)
    assert r["stand"] == "paused" and r["rehearsal"] is True, r
    with open(f"{rig.dir}/go", "w", encoding="utf-8"):
        pass
    s.do("rollout", "retry")
    wait_stand(s, "done")
    assert len(lines(rig, "began")) == 2 and no_trace(rig)


def test_reloaded_away(rig):
    """Between the start and the job: better nothing than the real one."""
    s = site_of(rig, jobs_of(rig), steps_of(rig))
    jobs = s.config["services"][0]["rollout"]["jobs"]
    jobs[0]["rehearse"] = [script(
        rig, "slow", "touch began; until test -e go; do sleep 0.05; done;"
        "exit 3")]
    s.write_config()
    s.do("reload")
    s.do("rollout", "start", "--to", "v2", "--rehearse")
    wait_until(lambda: os.path.exists(f"{rig.dir}/began"), what="the check")
    del jobs[2]["rehearse"]
    s.write_config()
    s.do("reload")
    with open(f"{rig.dir}/go", "w", encoding="utf-8"):
        pass
    r = wait_stand(s, "aborted")
    assert r["why"].startswith("job migrate: the configuration has no "
                               "command for its rehearsal any more"), r
    assert no_trace(rig)
