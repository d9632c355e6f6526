"""Steps that run commands of the operator's: how they are run, what follows
from how they end, and bad days of theirs and of ours."""
import os
import random
import signal
import stat
import time

from rig import wait_until
from rig.segued import pool, service
from rig.site import Site
from test_rollout import DRAIN, rollout, shares, wait_stand


def script(rig, name, text):
    """A program of its own; ends up in its directory."""
    path = f"{rig.dir}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\ncd {rig.dir}\n{text}\n")
    os.chmod(path, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP |
             stat.S_IROTH | stat.S_IXOTH)
    os.chmod(rig.dir, 0o777)
    return path


def job(rig, text, name="work", **more):
    return {"name": name, "command": [script(rig, name, text)], **more}


def site_of(rig, jobs, steps, **more):
    """Two scripted instances; no load."""
    rig.a, rig.b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"),
        pool("v2", [rig.b], version="26.6.2"), drain=DRAIN,
        rollout={"jobs": jobs, "steps": steps, **more}))


WORK = ["ready", {"step": "job", "job": "work"}, "promote"]


def lines(rig, name):
    try:
        with open(f"{rig.dir}/{name}", encoding="utf-8") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def step(s, i):
    return rollout(s)["steps"][i]


# ---- how they are run ----

def test_under_load(rig):
    """A whole upgrade with a check, a migration and a verification."""
    jobs = [job(rig, "echo fits; exit 0", "compat"),
            job(rig, "for i in 1 2 3; do echo table $i; sleep 0.2; done",
                "migrate", once="version"),
            job(rig, "echo verified", "verify")]
    site = Site(rig, drain=DRAIN, rollout={"jobs": jobs, "steps": [
        {"step": "check", "job": "compat"},
        {"step": "job", "job": "migrate"}, "ready",
        {"step": "share", "share": "10%"}, {"step": "job", "job": "verify"},
        "promote", "drain"]})
    site.start_load()
    r = site.segued.do("rollout", "start", "--to", "v2", "--wait")
    assert "v1 is drained and may be stopped" in r.out, r
    site.finish()
    said = [x.get("said") for x in rollout(site.segued)["steps"]]
    assert said == ["fits", "table 3", None, None, "verified", None, None]
    shown = site.segued.do("rollout", "status").out
    assert "job migrate" in shown and "table 3" in shown, shown
    assert [e["text"] for e in site.admin.events("follow=0&last=500")
            if e["type"] == "rollout"][:2] == [
        "to v2: step 1 of 7, check compat", "to v2: step 2 of 7, job migrate"]


def test_strategy_with_a_check(rig):
    """explicit: revisions that are the same may run side by side."""
    rig.a, rig.b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    jobs = [job(rig, f"echo {n} $SEGUE_TO >> {rig.dir}/ran", n)
            for n in ("stop", "start")]
    s = rig.segued(service(
        pool("v1", [rig.a], share="100%", revision="7"),
        pool("v2", [rig.b], revision="7"), drain=DRAIN,
        rollout={"strategy": "explicit", "jobs": jobs}))
    plan = [x["text"] for x in s.admin.json(
        "GET", "/v1/plan?to=v2")[1]["steps"]]
    assert plan[:3] == ["check revision", "hold 5m", "job stop"], plan
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 8, 10, "the analysis")
    assert shares(s) == {"v1": 9000, "v2": 1000}
    s.do("rollout", "skip")
    wait_stand(s, "done", 20)
    assert lines(rig, "ran") == ["start v2", "stop v2"]
    assert [x["skipped"] for x in rollout(s)["steps"]] == \
        [False] + [True] * 4 + [False] * 3 + [True, False, True] + [False] * 2


def test_what_it_gets(rig):
    """Its own environment, streams, group and directory; nothing of ours."""
    os.environ["LEAK"] = "secret"
    s = site_of(rig, [job(rig, "env > env; pwd > /dev/null; ls -l "
                          "/proc/$$/fd | wc -l > fds; ps -o pgid= $$ > group;"
                          " echo $$ > pid; cat > in; ulimit -n > limit; "
                          "echo \"$1\" > arg", env=["COLOUR=green blue"])],
                [{"step": "job", "job": "work", "name": "set-up"}, "ready"])
    s.config["services"][0]["rollout"]["jobs"][0]["command"].append("two words")
    s.write_config()
    s.do("reload")
    s.do("rollout", "start", "--to", "v2")
    wait_stand(s, "done")
    env = dict(x.split("=", 1) for x in lines(rig, "env"))
    for name in ("HOME", "USER", "PWD", "OLDPWD", "_", "SHLVL"):
        env.pop(name, None)
    assert env == {
        "COLOUR": "green blue", "LANG": "C.UTF-8", "SEGUE_SERVICE": "web",
        "SEGUE_ROLLOUT": "1", "SEGUE_JOB": "work", "SEGUE_STEP": "set-up",
        "SEGUE_FROM": "v1", "SEGUE_TO": "v2", "SEGUE_VERSION": "26.6.2",
        "SEGUE_FROM_VERSION": "v1", "SEGUE_INSTANCE": "", "SEGUE_ADDRESS": "",
        "SEGUE_SOCKET": s.socket,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
                "/bin"}, env
    assert lines(rig, "pid") == [x.strip() for x in lines(rig, "group")]
    assert lines(rig, "in") == [] and lines(rig, "limit") == ["1024"]
    assert lines(rig, "arg") == ["two words"]
    # 0, 1, 2, the script and what ls shows besides
    assert int(lines(rig, "fds")[0]) <= 6, lines(rig, "fds")


def test_user(rig):
    if os.getuid() != 0:
        return  # there is no other that one could become
    s = site_of(rig, [job(rig, "id -un > who; id -Gn > groups",
                          user="nobody")], WORK)
    s.do("rollout", "start", "--to", "v2")
    wait_stand(s, "done")
    assert lines(rig, "who") == ["nobody"]
    assert lines(rig, "groups") == ["nogroup"]


def test_once(rig):
    """For each version, and for all; in every rollout without it."""
    jobs = [job(rig, f"echo $SEGUE_VERSION >> {n}.out", n, once=n)
            for n in ("version", "lifetime")]
    jobs.append(job(rig, "echo $SEGUE_VERSION >> always.out", "always"))
    s = site_of(rig, jobs, [{"step": "job", "job": j["name"]} for j in jobs] +
                ["ready", "promote"])
    for to in ("v2", "v1", "v2"):
        s.do("rollout", "start", "--to", to, "--wait")
        s.kill_all()
        s.start()
    assert lines(rig, "always.out") == ["26.6.2", "v1", "26.6.2"]
    assert lines(rig, "version.out") == ["26.6.2", "v1"]
    assert lines(rig, "lifetime.out") == ["26.6.2"]
    assert "it was done before" in s.do("rollout", "status").out
    s.do("rollout", "start", "--to", "v1", "--rerun", "--wait")
    assert lines(rig, "version.out") == ["26.6.2", "v1", "v1"]
    assert lines(rig, "lifetime.out") == ["26.6.2", "v1"]


def test_when(rig):
    jobs = [dict(job(rig, "echo ran >> done"), when=[script(
        rig, "when", "exit $(cat needed)")])]
    s = site_of(rig, jobs, WORK, on_failure="pause")
    for needed, ran, stand in (("1", 0, "done"), ("0", 1, "done"),
                               ("5", 1, "paused")):
        with open(f"{rig.dir}/needed", "w", encoding="utf-8") as f:
            f.write(needed)
        s.do("rollout", "start", "--to",
             "v1" if shares(s)["v2"] else "v2")
        r = wait_stand(s, stand)
        assert len(lines(rig, "done")) == ran, (needed, r)
    assert r["why"] == "job work: whether it is needed: exit status 5", r


# ---- how they end ----

def test_fails(rig):
    s = site_of(rig, [job(rig, "echo 'relation \"users\" is missing' >&2; "
                          "exit 3")],
                ["ready", {"step": "share", "share": "10%"}] + WORK[1:])
    r = s.segue("rollout", "start", "--to", "v2", "--wait")
    assert r.code == 3, r
    r = rollout(s)
    assert r["stand"] == "rolled_back", r
    assert r["why"] == "job work: exit status 3: relation \"users\" is " \
        "missing", r
    assert step(s, 2)["exit"] == 3
    assert shares(s) == {"v1": 10000, "v2": 0}
    assert "  | relation \"users\" is missing" in \
        s.do("rollout", "status").out


def test_asks(rig):
    """An exit status that is for people; they mend it and it goes on."""
    s = site_of(rig, [job(rig, "test -e mended || exit 7", ask=[7, 8])], WORK)
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "paused")
    assert r["why"] == "job work: exit status 7", r
    assert s.segue("rollout", "approve").code == 3
    with open(f"{rig.dir}/mended", "w", encoding="utf-8"):
        pass
    s.do("rollout", "retry")
    wait_stand(s, "done")
    r = s.segue("rollout", "retry")
    assert r.code == 3 and "is done" in r.err, r


def test_check(rig):
    """0 goes on, 3 and 4 forbid it, what cannot be found out asks."""
    s = site_of(rig, [job(rig, "echo because; exit $(cat says)")],
                [{"step": "check", "job": "work"}, "ready", "promote"])
    for says, stand, why in (
            (1, "paused", "job work: exit status 1: because"),
            (2, "paused", "job work: exit status 2: because"),
            (3, "rolled_back", "job work says that the versions must not run "
                "side by side (exit status 3): because"),
            (4, "rolled_back", "job work says that the versions must not run "
                "side by side (exit status 4): because"),
            (0, "done", "")):
        with open(f"{rig.dir}/says", "w", encoding="utf-8") as f:
            f.write(str(says))
        s.do("rollout", "start", "--to", "v2")
        r = wait_stand(s, stand)
        assert r["why"] == why, r
        assert shares(s)["v2"] == (10000 if stand == "done" else 0)
        if stand == "paused":
            s.do("rollout", "abort")


def test_cannot_be_run(rig):
    """Never a way to downtime: a check that cannot run asks."""
    job_ = {"name": "work", "command": ["/nowhere/at/all"]}
    s = site_of(rig, [job_], [{"step": "check", "job": "work"}, "promote"])
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "paused")
    assert r["why"] == "job work: exit status 127: /nowhere/at/all cannot " \
        "be run: No such file or directory", r
    s.do("rollout", "abort")
    job_["user"] = "nobody-of-that-name"
    s.config["services"][0]["rollout"]["jobs"] = [job_]
    s.write_config()
    s.do("reload")
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "paused")
    assert r["why"] == "job work: there is no user nobody-of-that-name", r
    s.do("rollout", "abort")
    # It is looked for when it runs: a reload mends it, and can take it away.
    s.config["services"][0]["rollout"] = {"steps": ["ready"]}
    s.write_config()
    r = s.do("rollout", "start", "--to", "v2")
    wait_stand(s, "paused")
    s.do("reload")
    s.do("rollout", "retry")
    r = wait_stand(s, "paused")
    assert r["why"] == "job work: the configuration has no such job any " \
        "more", r


# ---- bad days of theirs ----

def test_hangs(rig):
    """It ignores TERM: KILL ends it and its children."""
    s = site_of(rig, [job(rig, "trap '' TERM; sleep 1000 & echo $! > child; "
                          "echo waiting; wait; sleep 1000", timeout="1s")],
                WORK, on_failure="pause")
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: (rollout(s)["run"] or {}).get("output") == "waiting\n",
               what="its output")
    shown = s.do("rollout", "status").out
    assert "job work runs" in shown and "  | waiting" in shown, shown
    r = wait_stand(s, "paused", 30)
    assert r["why"] == "job work: it took longer than 1s: waiting", r
    child = int(lines(rig, "child")[0])
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), what="its child")


def test_floods(rig):
    """Half a gigabyte of output costs a pipe; the last of it is kept."""
    s = site_of(rig, [job(rig, "head -c 500000000 /dev/zero | tr '\\0' x; "
                          "printf '\\n\\033[31mlast\\033[0m line\\n'",
                          timeout="60s")], WORK)
    before = rss(s)
    s.do("rollout", "start", "--to", "v2")
    wait_stand(s, "done", 60)
    assert step(s, 1)["said"] == "?[31mlast?[0m line"
    assert rss(s) < before + 4000, (before, rss(s))


def rss(s):
    with open(f"/proc/{s.child.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


def test_forks_away(rig):
    """What it has started goes on; it is done when its own process is."""
    s = site_of(rig, [job(rig, "sleep 1000 & echo $! > child")], WORK)
    s.do("rollout", "start", "--to", "v2", "--wait")
    child = int(lines(rig, "child")[0])
    os.kill(child, 0)
    os.kill(child, signal.SIGKILL)


def test_killed(rig):
    s = site_of(rig, [job(rig, "kill -9 $$")], WORK)
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "rolled_back")
    assert r["why"] == "job work: killed by signal 9 (Killed)", r


def test_called_off(rig):
    """Whoever gives the rollout up ends its job."""
    s = site_of(rig, [job(rig, "echo $$ >> pids; sleep 1000")], WORK)
    for word in ("abort", "rollback", "skip"):
        s.do("rollout", "start", "--to", "v2")
        wait_until(lambda w=word: rollout(s)["run"] and
                   rollout(s)["run"]["pid"] and
                   lines(rig, "pids"), what="the job")
        s.do("rollout", word)
        pid = int(lines(rig, "pids")[-1])
        wait_until(lambda p=pid: not os.path.exists(f"/proc/{p}"),
                   what=f"the end of {pid} after {word}")
        os.unlink(f"{rig.dir}/pids")
        if word == "rollback":
            wait_until(lambda: s.admin.pool("v2")["state"] != "draining",
                       what="v2")
    wait_stand(s, "done")


# ---- bad days of ours ----

def run_once(rig, s, once="no"):
    """A job that waits for a word; it has begun."""
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: lines(rig, "began"), what="the job")


SLOW = "echo began >> began; until test -e go; do sleep 0.05; done; echo fine"


def let_go(rig):
    with open(f"{rig.dir}/go", "w", encoding="utf-8"):
        pass


def test_network_process_dies(rig):
    """The master goes on with it, and the next process hears how it ends."""
    s = site_of(rig, [job(rig, SLOW)], WORK)
    run_once(rig, s)
    for _ in range(3):
        os.kill(s.network_pid(), signal.SIGKILL)
        wait_until(s.is_up, what="the next process")
        time.sleep(0.3)
    assert rollout(s)["stand"] == "running"
    let_go(rig)
    wait_stand(s, "done")
    assert lines(rig, "began") == ["began"]
    assert step(s, 1)["said"] == "fine"


def test_it_ends_while_nobody_listens(rig):
    s = site_of(rig, [job(rig, SLOW)], WORK)
    run_once(rig, s)
    os.kill(s.network_pid(), signal.SIGKILL)
    let_go(rig)
    wait_until(s.is_up, what="the next process")
    wait_stand(s, "done")
    assert lines(rig, "began") == ["began"]


def test_all_die(rig):
    """Nobody knows how it ended; people say how it goes on."""
    s = site_of(rig, [job(rig, SLOW, once="lifetime")], WORK)
    run_once(rig, s)
    s.kill_all()
    for _ in range(2):
        s.start()
        r = rollout(s)
        assert r["stand"] == "paused" and r["why"] == "nobody knows how job " \
            "work ended: segued ended while it ran", r
        assert '"segue rollout retry" runs the job again' in r["holds"], r
        s.kill_all()
    s.start()
    r = s.segue("rollout", "resume")
    assert r.code == 3 and "nobody knows how job work ended" in r.err, r
    assert lines(rig, "began") == ["began"]
    s.do("rollout", "skip")
    wait_stand(s, "done")
    s.do("rollout", "start", "--to", "v1", "--wait")
    assert lines(rig, "began") == ["began"], "skip took it for done"


def test_master_dies(rig):
    """Alone: what it ran ends with it, so that it cannot run twice."""
    s = site_of(rig, [job(rig, "echo $$ > pid; " + SLOW)], WORK)
    run_once(rig, s)
    pid = int(lines(rig, "pid")[0])
    os.kill(s.child.pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="its end")
    s.kill_all()
    s.start()
    assert rollout(s)["stand"] == "paused"


def test_stopped(rig):
    """A stop ends it, and acts upon nothing."""
    s = site_of(rig, [job(rig, SLOW)], WORK)
    run_once(rig, s)
    s.stop()
    s.start()
    r = rollout(s)
    assert r["stand"] == "paused" and "nobody knows how" in r["why"], r
    assert shares(s) == {"v1": 10000, "v2": 0}
    let_go(rig)
    s.do("rollout", "retry")
    wait_stand(s, "done")
    assert lines(rig, "began") == ["began"] * 2


def test_killed_at_random_instants(rig):
    """The network process or all of it, a hundred times, with jobs and holds:
    it goes on, or stands still and says why; a job that is done once is run
    again by nobody but us; nobody is held who was not before."""
    seed = time.time_ns() % 100000
    dice = random.Random(seed)
    print(f"seed {seed}")
    s = site_of(rig, [
        job(rig, "echo $SEGUE_ROLLOUT $SEGUE_TO >> once.out; sleep 0.05",
            "once", once="version"),
        job(rig, "echo $SEGUE_ROLLOUT >> always.out; sleep 0.02", "always")],
        [{"step": "job", "job": "once"}, "ready", "hold",
         {"step": "job", "job": "always"},
         {"step": "share", "share": "30%"}, "release",
         {"step": "job", "job": "always"}, "promote"])
    told, rollouts, unknown = 0, 0, 0
    for _ in range(100 if rig.slower == 1 else 30):
        r = rollout(s)
        if r is None or r["stand"] in ("done", "aborted"):
            s.do("rollout", "start", "--to",
                 "v1" if shares(s)["v1"] == 0 else "v2")
            rollouts += 1
        time.sleep(dice.uniform(0.001, 0.12) * min(rig.slower, 5))
        if dice.random() < 0.5:
            os.kill(s.network_pid(), signal.SIGKILL)
            wait_until(lambda: s.is_up(ready=False), 15, "the next process")
        else:
            s.kill_all()
            s.start(ready=False)
        assert sum(shares(s).values()) == 10000, seed
        now = s.admin.status()["services"][0]  # of one moment
        r, held = now["rollout"], now["hold"]["what"]
        assert r["stand"] in ("running", "paused", "done"), (seed, r)
        steps = [x["step"] for x in r["steps"]]
        if r["at"] < steps.index("hold") or r["at"] > steps.index("release"):
            assert held == "none", (seed, r)
        if r["stand"] != "paused":
            continue
        assert r["why"].startswith("nobody knows how job "), (seed, r)
        unknown += 1
        if steps[r["at"]] == "job" and r["at"] == 0:
            told += 1
        s.do("rollout", "retry")
    if rollout(s)["stand"] == "running":
        wait_stand(s, "done", 30)
    runs = lines(rig, "once.out")
    print(f"{rollouts} rollouts, {unknown} unknown, once ran {len(runs)}")
    # Of each version once, and once more for each time that we said so.
    assert len(runs) <= 2 + told, (seed, runs, told)
    assert {x.split()[1] for x in runs} <= {"v1", "v2"}


def test_stopped_has_time(rig):
    """Ten seconds to tidy up, also when nothing else keeps us."""
    s = site_of(rig, [job(rig, "trap 'sleep 1; echo yes > tidied; exit' TERM; "
                          "echo > began; while :; do sleep 0.05; done")], WORK)
    run_once(rig, s)
    s.stop()
    assert lines(rig, "tidied") == ["yes"]


def test_stopped_now(rig):
    """... but not then."""
    s = site_of(rig, [job(rig, "trap '' TERM; echo $$ > pid; " + SLOW)], WORK)
    run_once(rig, s)
    s.send(signal.SIGTERM)
    wait_until(lambda: "event=stopped" in s.log(), what="the network process")
    assert s.child.poll() is None, "it waits for the job"
    r = s.segue("status")
    assert r.code != 0 and r.took_us < 2000000, r
    began = time.monotonic()
    s.stop(signal.SIGINT)
    assert time.monotonic() - began < 3
    pid = int(lines(rig, "pid")[0])
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), what="its end")


def test_asked_until_yes(rig):
    """A question is asked again until the answer is another, or too late."""
    text = "echo >> asked; test $(wc -l < asked) -ge 4 || { echo no; exit 1; }"
    s = site_of(rig, [job(rig, text, again=[1], every="100ms")], WORK)
    s.do("rollout", "start", "--to", "v2", "--wait")
    assert len(lines(rig, "asked")) == 4


def test_asked_in_vain(rig):
    s = site_of(rig, [job(rig, "echo no; exit 1", again=[1], every="100ms",
                          timeout="1s")], WORK)
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "rolled_back")
    assert r["why"] == "job work: it took longer than 1s: no", r
    # Called off between two times, it is not asked again.
    s.config["services"][0]["rollout"]["jobs"] = [
        job(rig, "echo >> asked; exit 1", again=[1], every="500ms")]
    s.write_config()
    s.do("reload")
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: lines(rig, "asked"), what="the first time")
    s.do("rollout", "abort")
    n = len(lines(rig, "asked"))
    time.sleep(0.8)
    assert len(lines(rig, "asked")) == n
