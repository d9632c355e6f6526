"""Rollouts: steps that go on by themselves, under load; taken back when one
fails; told by operators; killed in the middle."""
import random
import threading
import time

from rig import wait_until
from rig.load import say
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, once

DRAIN = {"flows": "3s", "requests": "2s", "streams": "2s"}
STEPS = ["ready", {"step": "share", "share": "10%"},
         {"step": "pause", "for": "1s"}, {"step": "share", "share": "50%"},
         {"step": "pause", "for": "1s"}, "promote", "drain"]


def rollout(s):
    return s.admin.status()["services"][0]["rollout"]


def shares(s):
    return {p["name"]: p["share_bp"]
            for p in s.admin.status()["services"][0]["pools"]}


def wait_stand(s, stand, seconds=20):
    wait_until(lambda: rollout(s)["stand"] == stand, seconds, stand)
    return rollout(s)


def small(rig, steps, **more):
    """Two scripted instances; no load."""
    rig.a, rig.b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]), drain=DRAIN,
        rollout={"steps": steps, **more}))


# ---- under load ----

def test_canary_under_load(rig):
    """Whole: nothing fails, nobody bounces, and it says what it does."""
    site = Site(rig, drain=DRAIN, rollout={"steps": STEPS})
    site.start_load()
    r = site.segued.do("rollout", "start", "--to", "v2", "--wait")
    assert r.out.startswith(
        "the rollout of web to v2: done; v1 is drained and may be stopped"), r
    assert "step 3 of 7, pause 1s" in r.err, r.err
    site.finish()
    assert shares(site.segued) == {"v1": 0, "v2": 10000}
    report = rollout(site.segued)["report"]
    for p in report["pools"]:
        by_time = [q for piece in report["timeline"] for q in piece["pools"]
                   if q["name"] == p["name"]]
        assert sum(q["requests"] for q in by_time) == p["requests"] > 0, report
    page = site.segued.do("rollout", "page").out
    assert page.startswith("<!doctype html>") and \
        page.endswith("</html>\n") and '<p class="verdict good">0 lost' in page
    told = [e["text"] for e in site.admin.events("follow=0&last=500")
            if e["type"] == "rollout"]
    assert told == [
        "to v2: step 1 of 7, ready", "to v2: step 2 of 7, share 10%",
        "to v2: step 3 of 7, pause 1s", "to v2: step 4 of 7, share 50%",
        "to v2: step 5 of 7, pause 1s", "to v2: step 6 of 7, promote",
        "to v2: step 7 of 7, drain", "to v2: done"], told


def test_candidate_dies_under_load(rig):
    """Both instances of V2 end at 10 %: the shares of before come back at
    once.  Who was on V2 has lost its version, nobody else sees a thing."""
    site = Site(rig, drain=DRAIN, rollout={"steps": [
        "ready", {"step": "share", "share": "10%"}, "approve", "promote"]})
    site.start_load()
    site.segued.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(site.segued)["at"] == 2, what="approve")
    site.wait_answers(400)
    for i in site.v2:
        i.stop()
    r = wait_stand(site.segued, "rolled_back", 5)
    assert r["why"].startswith("v2 can serve no more: "), r
    assert shares(site.segued) == {"v1": 10000, "v2": 0}
    site.wait_answers(400)
    final = site.load.stop()
    print(say(final))
    # Posts that were at V2 when it ended; what is safe was asked again.
    assert final["failures_safe"] == {} and final["failed"] <= 20, \
        (final["failures_unsafe"], final["samples"])
    a = site.admin.status()["accounting"]
    assert a["holds"] is True, a


# ---- analysis ----

ANALYZE = ["ready", {"step": "share", "share": "30%"},
           {"step": "analyze", "for": "30s", "requests": 40}, "promote"]


def ask(s, n):
    """So many sessions; how many were answered 500."""
    bad = 0
    for _ in range(n):
        bad += once(s.address).status == 500
    return bad


def failing(conn):
    """Answers 500 to all."""
    while (r := conn.request()) is not None:
        conn.answer(b"no", status="500 No")
        del r


def test_candidate_goes_bad(rig):
    """It passes its probes and answers 500: taken back within two seconds of
    the last request that it takes to know; V1 was never touched."""
    rig.a = rig.scripted("v1", "a")
    rig.b = rig.scripted("v2", "b", failing)
    s = rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]), drain=DRAIN,
        share_key="request", rollout={"steps": ANALYZE}))
    assert ask(s, 50) == 0
    s.do("rollout", "start", "--to", "v2")
    # It counts from when its begin is on disk.
    wait_until(lambda: ask(s, 1) <= 1 and rollout(s)["analysis"],
               what="the analysis")
    time.sleep(0.2)  # who has an answer may be counted a moment later
    first = rollout(s)["analysis"]
    bad = ask(s, 20)
    time.sleep(0.2)
    seen = rollout(s)["analysis"]
    good = 20 - bad + first["others"]["requests"]
    bad += first["own"]["requests"]
    assert [(seen[k]["requests"], seen[k]["failed"])
            for k in ("own", "others")] == [(bad, bad), (good, 0)], seen
    assert 20 < rollout(s)["left_s"] <= 30
    assert f"of {bad} requests to v2 {bad} failed, of {good} elsewhere 0" \
        in s.do("rollout", "status").out
    while bad < 40:
        bad += ask(s, 10)
        if rollout(s)["stand"] != "running":
            break
    r = wait_stand(s, "rolled_back", 2 * rig.slower)
    assert "requests to v2" in r["why"] and "failed (100.0%), elsewhere 0.0%" \
        in r["why"], r
    assert shares(s) == {"v1": 10000, "v2": 0}
    assert ask(s, 50) == 0
    assert "rolled back here" in s.do("rollout", "status").out


def slow(conn):
    """Well, but late."""
    while (r := conn.request()) is not None:
        time.sleep(0.1)
        conn.answer(r.target.encode())


def test_candidate_is_slow(rig):
    """It answers all, and each a tenth of a second later than V1 does."""
    rig.a = rig.scripted("v1", "a")
    rig.b = rig.scripted("v2", "b", slow)
    s = rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]), drain=DRAIN,
        share_key="request", rollout={"steps": [
            "ready", {"step": "share", "share": "40%"},
            {"step": "analyze", "for": "60s", "requests": 15,
             "slower": "100%"}, "promote"]}))
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: ask(s, 5) or rollout(s)["stand"] != "running", 40,
               "its end")
    r = wait_stand(s, "rolled_back")
    assert r["why"].startswith("one in ten answers of v2 took longer than "
                               "1"), r
    assert shares(s) == {"v1": 10000, "v2": 0}


def test_too_few_to_tell(rig):
    s = small(rig, ["ready", {"step": "share", "share": "30%"},
                    {"step": "analyze", "for": "1s"}, "promote"])
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "paused", 5)
    assert r["why"].startswith("not enough to conclude from: v2 had 0 "), r
    assert "blocks" in s.do("status").out
    assert s.admin.metrics()[
        'segue_rollout{service="web",stand="paused"}'] == 1
    s.do("rollout", "skip")
    wait_stand(s, "done")
    assert "skipped" in s.do("rollout", "status").out


# ---- retired ----

def test_retired(rig):
    """It is written off, and the way of the next rollout."""
    steps = ["ready", "promote", "drain", "retire"]
    s = small(rig, steps)
    for to, old in (("v2", "v1"), ("v1", "v2")):
        s.do("rollout", "start", "--to", to, "--wait")
        assert s.admin.pool(old)["state"] == "retired"
        assert once(s.address).version == to
    r = s.segue("pin", "v2")
    assert r.code == 3 and "v2 is retired: nobody is sent to it" in r.err, r


# ---- operators ----

def test_told_by_operators(rig):
    s = small(rig, ["ready", {"step": "share", "share": "20%"}, "approve",
                    "promote", "drain"])
    assert s.do("rollout", "status").out == "there is no rollout\n"
    assert s.segue("rollout", "approve").code == 3
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 2, what="approve")
    r = s.do("rollout", "status")
    lines = r.out.splitlines()
    assert lines[0].startswith("web to v2: step 3 of 5, approve; begun "), r
    assert [" ".join(line.split()) for line in lines[1:]] == [
        'it waits for "segue rollout approve"',
        "N STEP HOW", "1 ready done", "2 share 20% done", "3 approve now",
        "4 promote to come", "5 drain to come"], r
    assert 'the rollout to v2: step 3 of 5, approve; it waits for "segue ' \
        'rollout approve"' in s.do("status").out

    r = s.segue("rollout", "start", "--to", "v2")
    assert r.code == 3 and "is under way: step 3 of 5, approve" in r.err, r
    r = s.segue("share", "v2", "30%")
    assert r.code == 3 and '"segue rollout pause" lets you' in r.err, r
    s.do("rollout", "pause")
    s.do("share", "v2", "30%")
    assert shares(s) == {"v1": 7000, "v2": 3000}
    assert "paused" in s.do("rollout", "status").out
    r = s.segue("rollout", "approve")
    assert r.code == 3 and "paused" in r.err, r
    s.do("rollout", "resume")
    wait_until(lambda: rollout(s)["at"] == 2, what="approve, again")
    assert shares(s) == {"v1": 8000, "v2": 2000}, "what was undone is done"
    s.do("rollout", "approve")
    assert wait_stand(s, "done")["at"] == 5
    assert shares(s) == {"v1": 0, "v2": 10000}
    assert "done" in s.do("rollout", "status").out
    assert "moves" not in s.do("status").out


def test_rollback_and_again(rig):
    s = small(rig, ["ready", {"step": "share", "share": "20%"}, "approve",
                    "promote"])
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 2, what="approve")
    r = s.do("rollout", "rollback")
    assert r.out == "the shares of before are back; the new pool drains\n", r
    assert shares(s) == {"v1": 10000, "v2": 0}
    assert rollout(s)["stand"] == "rolled_back"
    wait_until(lambda: s.admin.pool("v2")["state"] == "drained",
               what="v2 to be drained")
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 2, what="approve, again")
    assert rollout(s)["id"] == 2
    s.do("rollout", "abort")
    assert shares(s) == {"v1": 8000, "v2": 2000}


def test_not_ready_in_time(rig):
    s = small(rig, [{"step": "ready", "deadline": "1s"}, "promote"])
    rig.b.deafen()
    wait_until(lambda: not s.admin.pool("v2")["ready"], what="v2 to be down")
    r = s.segue("rollout", "start", "--to", "v2", "--wait")
    assert r.code == 3 and "v2 is not ready in time: " in r.err, r
    assert shares(s) == {"v1": 10000, "v2": 0}


def test_plan(rig):
    """It says what would be done and what forbids it, and does nothing."""
    s = small(rig, ["ready", {"step": "share", "share": "20%"}, "approve",
                    "promote", "drain"])
    with Client(s.address) as c:
        c.get()
    wait_until(lambda: s.admin.pool("v1")["sessions"] == 1, what="a session")
    wait_until(lambda: s.admin.pool("v2")["ready"], what="v2")
    r = s.do("plan", "--to", "v2")
    assert [" ".join(line.split()) for line in r.out.splitlines()] == [
        "N STEP AT MOST", "1 ready 10m00s", "2 share 20% 1m00s",
        "3 approve -", "4 promote 1m00s", "5 drain 1m07s", "",
        "v1 would drain, mode keep: 1 sessions for 3.0s at most, 0 streams",
        "no request would be held",
        "it can begin now; as it stands here: segue apply " + r.out.split()[-3]
        + " --to v2"], r
    assert rollout(s) is None and shares(s) == {"v1": 10000, "v2": 0}
    plan = s.do("plan", "--to", "v2", "--json").json()
    assert plan["refused"] is None and len(plan["steps"]) == 5, plan
    r = s.segue("plan", "--to", "v1")
    assert r.code == 3 and "v1 has all of new sessions already" in r.err, r
    assert s.segue("plan", "--to", "v3").code == 2
    assert s.segue("plan").code == 2
    assert s.segue("plan", "--to", "a&service=b").code == 2
    s.do("rollout", "start", "--to", "v2")
    r = s.segue("plan", "--to", "v2")
    assert r.code == 3 and "is under way" in r.err, r


def test_window(rig):
    """It waits for its time of day, and until little is asked."""
    now = time.localtime()
    minute = now.tm_hour * 60 + now.tm_min

    def clock(add):
        n = (minute + add) % 1440
        return f"{n // 60:02}:{n % 60:02}"

    s = small(rig, [
        {"step": "window", "from": clock(-2), "until": clock(120)},
        {"step": "window", "below": 20},
        {"step": "window", "from": clock(60), "until": clock(120)},
        "ready", "promote"])
    going = True

    def crowd():
        with Client(s.address) as c:
            while going:
                c.get()
                time.sleep(0.005)

    thread = threading.Thread(target=crowd)
    thread.start()
    try:
        s.do("rollout", "start", "--to", "v2")
        wait_until(lambda: "fewer than 20 are asked for" in
                   rollout(s)["holds"], 30, "the count of ten seconds")
        assert rollout(s)["at"] == 1
    finally:
        going = False
        thread.join()
    wait_until(lambda: rollout(s)["at"] == 2, 30, "few requests")
    assert "the window is not open" in rollout(s)["holds"]
    assert f"window {clock(60)}-{clock(120)}" in s.do("rollout", "status").out
    s.do("rollout", "skip")
    wait_stand(s, "done")


def test_wrong_words(rig):
    s = small(rig, ["ready", "promote"])
    for words, code, why in (
            (["start"], 2, "needs --to POOL"),
            (["start", "--to", "v3"], 2, "has no pool v3; it has v1, v2"),
            (["start", "--to", "v1"], 3, "v1 has all of new sessions"),
            (["pause", "--to", "v2"], 2, "--to is for rollout start"),
            (["status", "--wait"], 2, "does not wait"),
            (["pause", "--force"], 2, "--force is for rollout rollback"),
            (["strat", "--to", "v2"], 2, "did you mean start?"),
            (["pause"], 3, "there is no rollout of web")):
        r = s.segue("rollout", *words)
        assert r.code == code and why in r.err, (words, r)
    assert rollout(s) is None


# ---- bad days ----

def test_reload_takes_its_pool_away(rig):
    s = small(rig, ["ready", {"step": "share", "share": "20%"}, "approve",
                    "promote"])
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["at"] == 2, what="approve")
    del s.config["services"][0]["pools"][1]
    s.write_config()
    s.do("reload")
    assert rollout(s)["stand"] == "aborted"
    assert shares(s) == {"v1": 10000}


def test_killed_at_random_instants(rig):
    """Master and all are killed again and again: it stands at a named step
    or goes on, one of the pools always serves, and it ends."""
    seed = time.time_ns() % 100000
    dice = random.Random(seed)
    print(f"seed {seed}")
    s = small(rig, ["ready", {"step": "share", "share": "10%"},
                    {"step": "pause", "for": "1s"},
                    {"step": "share", "share": "60%"}, "promote", "drain"])
    s.do("rollout", "start", "--to", "v2")
    at, kills = 0, 0
    while kills < 100:
        time.sleep(dice.uniform(0.001, 0.06) * min(rig.slower, 5))
        s.kill_all()
        kills += 1
        s.start(ready=False)
        r = rollout(s)
        assert r["stand"] in ("running", "done"), (seed, r)
        assert r["at"] >= at, (seed, at, r)
        at = r["at"]
        assert sum(shares(s).values()) == 10000, seed
        if r["stand"] == "done" or (at == 4 and dice.random() < 0.2):
            wait_stand(s, "done")
            s.do("rollout", "start", "--to",
                 "v1" if shares(s)["v1"] == 0 else "v2")
            at = 0
    print(f"{kills} kills, {rollout(s)['id']} rollouts")
    wait_stand(s, "done", 30)


def test_only_what_has_changed(rig):
    """start --if-changed, as a program says it for each service."""
    s = small(rig, ["promote"], jobs=[{"name": "a", "command": ["/bin/a"]}])
    versions = {"v1": "1.0", "v2": "1.0"}

    def write(job="/bin/a"):
        for p in s.config["services"][0]["pools"]:
            p["version"] = versions[p["name"]]
        s.config["services"][0]["rollout"]["jobs"][0]["command"] = [job]
        s.write_config()
        s.do("reload")

    def start(to):
        return s.segue("rollout", "start", "--if-changed", "--to", to)

    def nothing(to):
        r = start(to)
        assert r.code == 0 and r.err == "" and \
            r.out.startswith("nothing to do: "), r

    versions["v1"] = "0.9"  # that it began without one is no version
    write()
    start("v2")
    wait_stand(s, "done")
    versions["v1"] = "1.0"
    write()
    nothing("v1")
    versions["v1"] = "1.1"
    write()
    assert start("v1").code == 0
    wait_stand(s, "done")
    assert rollout(s)["to"] == "v1"
    versions["v2"] = "1.1"
    write()
    nothing("v2")
    write("/bin/b")
    assert start("v2").code == 0
    wait_stand(s, "done")
    assert s.segue("rollout", "pause", "--if-changed").code == 2
    nothing("v2")
    s.do("switch", "v1")  # by hand, to what it was
    assert start("v2").code == 0
    wait_stand(s, "done")
    nothing("v2")
