"""Several proxies and one Redis: what one is told, all do."""
import json
import os
import signal
import threading
import time

import pytest

from rig import wait_until
from rig.redis import Between, Redis
from rig.scripted import answer_all
from rig.segued import pool, service
from rig.wire import Client, once
from test_rollout import DRAIN, rollout
from test_rollout_jobs import lines, script

pytestmark = pytest.mark.alone


class Cluster:
    def __init__(self, rig, n=3, redis=None, jobs=None, script=answer_all,
                 cuts=False, b=answer_all, drain=None, **more):
        self.rig = rig
        self.redis = redis or Redis(rig)
        self.a, self.b = rig.scripted("v1", "a", script), \
            rig.scripted("v2", "b", b)
        self.service = service(pool("v1", [self.a]), pool("v2", [self.b]),
                               drain=drain or DRAIN, **(jobs or {}))
        self.more = more
        self.between = {}
        if cuts:
            self.between = {f"p{i}": Between(self.redis, f"{rig.dir}/b{i}")
                            for i in range(n)}
        self.proxies = [self.add(f"p{i}") for i in range(n)]
        self.wait_together()

    def add(self, name, **more):
        return self.rig.segued(
            self.service, name=name, key_file=f"{self.rig.dir}/keys",
            store={"type": "redis", "address": (
                self.between.get(name) or self.redis).address},
            cluster={"name": "sso", "member": name, **self.more, **more})

    def wait_together(self, proxies=None, seconds=10):
        """All know all, one leads, and all have what it has."""
        some = proxies or self.proxies
        wait_until(lambda: are_together(some), seconds, "a cluster")

    @property
    def leader(self):
        return next(s for s in self.proxies if cluster(s)["role"] == "leader")

    @property
    def followers(self):
        return [s for s in self.proxies if s is not self.leader]


def cluster(s):
    return s.admin.status()["cluster"]


def are_together(proxies):
    all_ = [cluster(s) for s in proxies]
    return len({c["leader"] for c in all_} - {""}) == 1 and \
        sum(c["role"] == "leader" for c in all_) == 1 and \
        all(c["role"] != "alone" for c in all_) and \
        all(sum(not m["away"] for m in c["members"]) == len(proxies) and
            {m["version"] for m in c["members"] if not m["away"]} ==
            {c["version"]} and c["version"] > 0 for c in all_)


def shares(s):
    return {p["name"]: p["share_bp"]
            for p in s.admin.status()["services"][0]["pools"]}


def serves(s):
    return once(s.address, "/").version


def test_one_switch_for_all(rig):
    c = Cluster(rig)
    for s in c.proxies:
        assert serves(s) == "v1"
    c.followers[0].do("switch", "v2")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3
    c.leader.do("switch", "v1")
    assert [serves(s) for s in c.proxies] == ["v1"] * 3
    c.followers[1].do("share", "v2", "25%")
    assert [shares(s)["v2"] for s in c.proxies] == [2500] * 3


def test_agree_in_100_ms(rig):
    """From the command's begin to the last proxy's first answer by it; none
    serves a new session otherwise once the command has returned."""
    c = Cluster(rig)
    took = []
    for i in range(10):
        to, s = ("v2", "v1")[i % 2], c.proxies[i % 3]
        began = time.monotonic()
        s.admin.do("switch", service="web", pool=to)
        took.append(1000 * (time.monotonic() - began))
        assert [serves(p) for p in c.proxies] == [to] * 3
    print("ms until all three agreed:", [f"{t:.0f}" for t in took])
    assert sorted(took)[5] < 100, took


class Users(threading.Thread):
    """New sessions, and one that stays, at one proxy; what went wrong."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.n, self.failed = s, 0, []
        self.ended = threading.Event()
        self.start()

    def run(self):
        with Client(self.s.address) as kept:
            kept.get("/")
            pinned = kept.get("/").version
            while not self.ended.is_set():
                a, b = once(self.s.address, "/"), kept.get("/")
                self.n += 1
                if a.status != 200 or b.status != 200 or b.version != pinned:
                    self.failed.append((a.status, b.status, b.version))
                time.sleep(0.005)

    def check(self):
        self.ended.set()
        self.join()
        assert self.n > 20 and not self.failed, (self.n, self.failed[:5])


def test_drain_waits_for_all(rig):
    """What another proxy has under way holds the drain, and is told."""
    slow = threading.Event()

    def wait(conn):
        while (r := conn.request()) is not None:
            if r.target == "/slow":
                slow.wait(20)
            conn.answer(b"")

    c = Cluster(rig, script=wait)
    a, b = c.followers
    answers = []
    t = threading.Thread(target=lambda: answers.append(
        once(a.address, "/slow").status))
    t.start()
    wait_until(lambda: any(m["in_flight"] == 1 for m in
                           cluster(c.leader)["members"]), 5, "one in flight")
    r = b.segue("switch", "v2", "--drain", "--requests", "20s", "--grace",
                "1ms", "--wait", "--timeout", "1s")
    assert r.code != 0 and not answers, "it is not drained yet"
    assert c.leader.admin.pool("v1")["state"] == "draining"
    slow.set()
    t.join()
    assert answers == [200]
    for s in c.proxies:
        wait_until(lambda s=s: s.admin.pool("v1")["state"] == "drained", 10,
                   "drained everywhere")


def test_hold_and_release(rig):
    c = Cluster(rig)
    c.followers[0].do("hold")
    got = []
    threads = [threading.Thread(
        target=lambda s=s: got.append(once(s.address, "/").version))
        for s in c.proxies]
    for t in threads:
        t.start()
    wait_until(lambda: [s.admin.status()["services"][0]["hold"]["held"]
                        for s in c.proxies] == [1, 1, 1], 5, "all held")
    c.leader.do("switch", "v2")
    c.followers[1].do("release")
    for t in threads:
        t.join()
    assert got == ["v2"] * 3


def test_rollout_from_anywhere(rig):
    """Commanded on one that follows: its job runs once, where one leads."""
    job = script(rig, "work", "echo ran >> ran; sleep 0.5")
    c = Cluster(rig, jobs={"rollout": {
        "jobs": [{"name": "work", "command": [job]}],
        "steps": ["ready", {"step": "share", "share": "50%"},
                  {"step": "job", "job": "work"}, "promote", "drain"]}})
    users = [Users(s) for s in c.proxies]
    time.sleep(0.3)
    r = c.followers[0].do("rollout", "start", "--to", "v2", "--wait",
                          timeout=60)
    assert "v1 is drained" in r.out, r
    for u in users:
        u.ended.set()
    for s in c.proxies:
        assert rollout(s)["stand"] == "done", rollout(s)
        assert shares(s) == {"v1": 0, "v2": 10000}
    assert lines(rig, "ran") == ["ran"]
    assert all(not [f for f in u.failed if f[:2] != (200, 200)]
               for u in users)


@pytest.mark.parametrize("who", ["leader", "follower"])
@pytest.mark.parametrize("how", ["killed", "stopped", "frozen"])
def test_one_goes(rig, who, how):
    """Within a few seconds the others go on as two, and it comes back."""
    c = Cluster(rig)
    c.leader.do("share", "v2", "50%")
    gone = c.leader if who == "leader" else c.followers[0]
    rest = [s for s in c.proxies if s is not gone]
    users = [Users(s) for s in rest]
    pid = gone.network_pid()
    if how == "killed":
        gone.kill_all()
    elif how == "stopped":
        gone.stop()
    else:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    wait_until(lambda: any(cluster(s)["role"] == "leader" for s in rest), 10,
               "somebody who leads")
    wait_until(lambda: rest[0].segue("switch", "v2").code == 0, 10, "a switch")
    print(f"{who} {how}: a switch was done {time.monotonic() - began:.1f} s "
          "later")
    assert [serves(s) for s in rest] == ["v2"] * 2
    if how == "frozen":
        os.kill(pid, signal.SIGCONT)
    else:
        gone.start()
    c.wait_together()
    assert serves(gone) == "v2", "it has caught up"
    for u in users:
        u.check()


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_one_is_cut_off(rig, who):
    """It goes on with what it has; the others with what they are told."""
    c = Cluster(rig, cuts=True)
    c.leader.do("share", "v2", "50%")
    gone = c.leader if who == "leader" else c.followers[0]
    rest = [s for s in c.proxies if s is not gone]
    users = [Users(s) for s in c.proxies]
    wire = c.between[cluster(gone)["member"]]
    wire.cut()
    wait_until(lambda: cluster(gone)["role"] == "alone", 10, "alone")
    assert gone.segue("switch", "v2").code == 3
    wait_until(lambda: rest[0].segue("switch", "v2").code == 0, 10, "a switch")
    assert [serves(s) for s in rest] == ["v2"] * 2
    assert shares(gone)["v2"] == 5000
    assert any(m["away"] for m in cluster(rest[0])["members"])
    wire.mend()
    c.wait_together()
    assert serves(gone) == "v2", "it has caught up"
    for u in users:
        u.check()


def ok_or_not(conn):
    """A version that fails at every other request."""
    n = 0
    while conn.request() is not None:
        n += 1
        conn.answer(b"", "500 Internal Server Error" if n % 2 else "200 OK")


@pytest.mark.parametrize("script, stand", [
    (answer_all, "done"), (ok_or_not, "rolled_back")])
def test_analysis_counts_what_others_see(rig, script, stand):
    """Nobody asks the one that leads; all show the same sums."""
    c = Cluster(rig, b=script, jobs={
        "share_key": "request", "rollout": {"steps": [
            {"step": "share", "share": "50%"},
            {"step": "analyze", "for": "4s", "requests": 40, "errors": "5%"},
            "promote"]}})
    c.leader.do("rollout", "start", "--to", "v2")
    asked = 0
    while rollout(c.leader)["stand"] == "running" and asked < 2000:
        for s in c.followers:
            for _ in range(5):
                once(s.address, "/")
        asked += 10
        if asked == 100 and stand == "done":
            for s in c.proxies:
                wait_until(lambda s=s: (rollout(s)["analysis"] or {}).get(
                    "others", {"requests": 0})["requests"] > 20, 3, "a sum")
                assert rollout(s)["analysis"]["others"]["p90_us"] > 0
        time.sleep(0.05)
    for s in c.proxies:
        wait_until(lambda s=s: rollout(s)["stand"] == stand, 5, stand)
    assert c.leader.admin.metrics()[
        'segue_pool_answers_total{service="web",pool="v2",status="2xx"}'] == 0


def reports(proxies):
    return [rollout(s)["report"] for s in proxies]


def has_counted(report, n):
    by_time = sum(p["requests"] for piece in report["timeline"]
                  for p in piece["pools"])
    return report["holds"] and report["accepted"] == n == by_time and \
        sum(p["requests"] for p in report["pools"]) == n and \
        report["timeline"][0]["whole"] == report["whole"]


CHANGE = {"share_key": "request", "rollout": {"steps": [
    {"step": "share", "share": "50%"}, {"step": "pause", "for": "1s"},
    "approve", "promote"]}}


def test_report_is_of_all(rig):
    """The same at each, while it lasts and when it is done."""
    c = Cluster(rig, jobs=CHANGE)
    for s in c.proxies:
        once(s.address)
    c.followers[0].do("rollout", "start", "--to", "v2")
    for s in c.proxies:
        for _ in range(30):
            once(s.address)
    for _ in range(2):
        wait_until(lambda: all(r["whole"] and has_counted(r, 90)
                               for r in reports(c.proxies)), 3 * rig.slower,
                   "90 at each")
        if rollout(c.leader)["stand"] == "running":
            wait_until(lambda: rollout(c.leader)["at"] == 2, 10, "approve")
            c.leader.do("rollout", "approve", "--wait")
    assert "0 lost: each of 90 requests" in c.followers[0].do(
        "rollout", "report").out


def test_report_when_the_leader_dies(rig):
    """What it had told is not lost, and that some may be is told."""
    c = Cluster(rig, jobs=CHANGE)
    gone = c.leader
    rest = c.followers
    gone.do("rollout", "start", "--to", "v2")
    for s in c.proxies:
        for _ in range(30):
            once(s.address)
    wait_until(lambda: all(has_counted(r, 90) for r in reports(rest)),
               3 * rig.slower, "90 at each")
    gone.kill_all()
    wait_until(lambda: any(cluster(s)["role"] == "leader" for s in rest), 10,
               "somebody who leads")
    for s in rest:
        for _ in range(5):
            once(s.address)
    wait_until(lambda: all(not r["whole"] and has_counted(r, 100)
                           for r in reports(rest)), 3 * rig.slower,
               "100 at each")
    gone.start()
    c.wait_together()
    for _ in range(7):
        once(gone.address)
    wait_until(lambda: all(not r["whole"] and has_counted(r, 107)
                           for r in reports(rest)), 3 * rig.slower,
               "107 at each")


def test_report_is_no_certificate_for_who_is_cut_off(rig):
    """Nobody knows what it was asked; not even when it is back."""
    c = Cluster(rig, cuts=True, jobs=CHANGE)
    leader, gone = c.leader, c.followers[0]
    wire = c.between[cluster(gone)["member"]]
    wire.cut()
    wait_until(lambda: cluster(gone)["role"] == "alone" and any(
        m["away"] for m in cluster(leader)["members"]), 10, "alone")
    leader.do("rollout", "start", "--to", "v2")
    for s in c.proxies:
        for _ in range(10):
            once(s.address)
    wait_until(lambda: has_counted(rollout(leader)["report"], 20),
               3 * rig.slower, "20")
    assert rollout(leader)["report"]["whole"] is False
    wire.mend()
    c.wait_together()
    wait_until(lambda: rollout(leader)["at"] == 2, 10, "approve")
    time.sleep(1)
    assert [r["whole"] for r in reports(c.proxies)] == [False] * 3
    leader.do("rollout", "approve", "--wait")
    assert [r["whole"] for r in reports(c.proxies)] == [False] * 3
    assert "this is no certificate" in gone.do("rollout", "report").out


def test_who_is_alone_gives_no_certificate(rig):
    """Redis is gone: nobody hears the others, though they were there."""
    c = Cluster(rig, jobs=CHANGE)
    c.leader.do("rollout", "start", "--to", "v2")
    wait_until(lambda: all(r["whole"] for r in reports(c.proxies)), 5,
               "certificates")
    c.redis.kill()
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
        once(s.address)
        assert rollout(s)["report"]["whole"] is False
    s.do("rollout", "abort")
    assert "this is no certificate" in s.do("rollout", "report").out


@pytest.mark.waits
def test_a_window_waits_for_all(rig):
    """Nobody asks the one that leads; and changes do not begin it anew."""
    c = Cluster(rig, jobs={"share_key": "request", "rollout": {"steps": [
        {"step": "window", "below": 20}, "approve"]}})
    users, leader = [Users(s) for s in c.followers], c.leader
    leader.do("rollout", "start", "--to", "v2")
    began = time.monotonic()
    while "counted for 10s" in rollout(leader)["holds"]:
        leader.do("add-instance", "v2", c.b.address, "--name",
                  f"x{time.monotonic() - began:.0f}")
        time.sleep(2)
    assert time.monotonic() - began < 15 * rig.slower
    assert "requests a second, and fewer than 20" in rollout(leader)["holds"]
    assert rollout(leader)["at"] == 0
    for u in users:
        u.ended.set()


def test_leader_is_cut_off_in_a_rollout(rig):
    """Another one takes it to its end; the one cut off does nothing."""
    c = Cluster(rig, cuts=True, jobs={"rollout": {"steps": [
        "ready", {"step": "share", "share": "50%"},
        {"step": "pause", "for": "3s"}, "promote", "drain"]}})
    gone = c.leader
    users = [Users(s) for s in c.proxies]
    gone.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(c.followers[0])["at"] == 2, 10, "a share")
    rest = [s for s in c.proxies if s is not gone]
    wire = c.between[cluster(gone)["member"]]
    wire.cut()
    for s in rest:
        wait_until(lambda s=s: rollout(s)["stand"] == "done", 20, "its end")
    assert shares(gone)["v2"] == 5000 and rollout(gone)["at"] == 2
    wire.mend()
    c.wait_together()
    assert rollout(gone)["stand"] == "done" and serves(gone) == "v2"
    for u in users:
        u.ended.set()
        u.join()
        assert not [f for f in u.failed if f[:2] != (200, 200)], u.failed


def test_redis_gone_and_back(rig):
    """What is served goes on, at each; changes are refused, unless forced."""
    c = Cluster(rig)
    c.leader.do("share", "v2", "50%")
    users = [Users(s) for s in c.proxies]
    c.redis.kill()
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
        r = s.segue("switch", "v2")
        assert r.code == 3 and "cannot be reached" in r.err, r
        assert "alone; changes are refused" in s.do("status").out
        assert "cannot be reached" in s.do("cluster", "status").out
    assert [shares(s)["v2"] for s in c.proxies] == [5000] * 3
    c.redis.start()
    c.wait_together()
    c.proxies[0].do("switch", "v2")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3
    for u in users:
        u.check()


def test_forced_alone(rig):
    """One is changed by force; when Redis is back all have the same."""
    c = Cluster(rig)
    c.redis.kill()
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
    c.proxies[0].do("switch", "v2", "--force")
    assert [serves(s) for s in c.proxies] == ["v2", "v1", "v1"]
    c.redis.start()
    c.wait_together()
    wait_until(lambda: len({serves(s) for s in c.proxies}) == 1, 5, "one mind")


@pytest.mark.parametrize("which", [0, 1])
def test_forced_alone_and_redis_has_kept_its_data(rig, which):
    """Versions are alike then; what is so is not."""
    c = Cluster(rig)
    c.leader.do("share", "v2", "50%")
    c.redis.pause()
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
    c.proxies[which].do("switch", "v2", "--force")
    c.redis.go_on()
    c.wait_together()
    wait_until(lambda: len({json.dumps(shares(s)) for s in c.proxies}) == 1,
               5, "one mind")


def test_held_and_redis_gone(rig):
    """A hold can be ended at each."""
    c = Cluster(rig)
    c.leader.do("hold")
    c.redis.kill()
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
        s.do("release")
        assert once(s.address, "/").status == 200
    c.redis.start()
    c.wait_together()
    assert [s.admin.status()["services"][0]["hold"]["what"]
            for s in c.proxies] == ["none"] * 3


def test_network_process_killed(rig):
    """It comes again under its name; its like is no ghost that blocks."""
    c = Cluster(rig, absent="block")
    gone = c.followers[0]
    os.kill(gone.network_pid(), signal.SIGKILL)
    wait_until(gone.is_up, 10, "another network process")
    c.wait_together()
    wait_until(lambda: len(cluster(c.leader)["members"]) == 3, 10,
               "three members")
    c.leader.do("switch", "v2")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3


def test_what_all_refuse_is_not_tried_at_once(rig):
    """A drain that ends while one is away, with block: nothing spins, the
    reason is shown, and a forced command gets through."""
    c = Cluster(rig, absent="block")
    s, gone = c.leader, c.followers[0]
    pid = gone.network_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        s.do("switch", "v2", "--force", "--drain", "--requests", "1s",
             "--grace", "1s")
        wait_until(lambda: "has not acknowledged" in cluster(s)["refused"],
                   15, "a refusal")
        before = c.redis.do("INFO", "stats").decode()
        time.sleep(2)
        after = c.redis.do("INFO", "stats").decode()
        n = [int(x.split("total_commands_processed:")[1].split()[0])
             for x in (before, after)]
        assert n[1] - n[0] < 200, n
        assert "has not acknowledged" in s.do("cluster", "status").out
        s.do("switch", "v1", "--force")
        assert serves(s) == "v1"
    finally:
        os.kill(pid, signal.SIGCONT)
    c.wait_together()


def test_result_names_who_is_away(rig):
    c = Cluster(rig, cuts=True)
    gone = c.followers[0]
    name = cluster(gone)["member"]
    c.between[name].cut()
    wait_until(lambda: any(m["away"] for m in cluster(c.leader)["members"]),
               10, "one that is away")
    out = c.leader.do("switch", "v2").out
    assert f"{name} may still serve as before" in out, out
    assert serves(gone) == "v1"
    c.between[name].mend()
    c.wait_together()
    assert "may still serve" not in c.leader.do("switch", "v1").out


def test_slow_follower_is_waited_for(rig):
    """Its words are late, but it is there: no command returns before it."""
    c = Cluster(rig, cuts=True, timeout="5s")
    slow = c.followers[0]
    c.between[cluster(slow)["member"]].late = 0.8
    time.sleep(1)
    c.leader.do("switch", "v2")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3


def test_newcomer_without_the_pool_that_serves(rig):
    """It does not claim to have what it cannot have."""
    c = Cluster(rig, n=2)
    c.leader.do("switch", "v2")
    c.service = service(pool("v1", [c.a]), pool("v3", [c.b]), drain=DRAIN)
    p2 = c.add("p2")
    wait_until(lambda: "cluster_not_followed" in p2.log(), 10, "a word")
    assert "pool v2 of service web is not in its configuration" in p2.log()
    assert p2.log().count("cluster_not_followed") == 1
    assert any(m["differs"] for m in cluster(c.leader)["members"])


def test_newcomer(rig):
    c = Cluster(rig, n=2)
    c.leader.do("switch", "v2")
    c.proxies.append(c.add("p2"))
    c.wait_together()
    assert serves(c.proxies[2]) == "v2"


def test_another_configuration(rig):
    """Who does not have a pool says so before anything is moved."""
    c = Cluster(rig, n=2)
    leader, other = c.leader, c.followers[0]
    pools = other.config["services"][0]["pools"]
    leader.config["services"][0]["pools"] = [
        {**pools[0], "share": "100%"}, pools[1], pool("v3", [c.b])]
    leader.write_config()
    leader.do("reload")
    r = leader.segue("switch", "v3")
    assert r.code == 3 and "pool v3 of service web is not in its " \
        "configuration" in r.err, r
    assert serves(leader) == serves(other) == "v1"
    other.config["services"][0]["pools"] = \
        leader.config["services"][0]["pools"]
    other.write_config()
    other.do("reload")
    other.do("switch", "v3")
    assert shares(leader)["v3"] == shares(other)["v3"] == 10000


def test_block(rig):
    """Asked for, no change is made without one that is away."""
    c = Cluster(rig, absent="block")
    s, gone = c.leader, c.followers[0]
    pid = gone.network_pid()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: any(m["away"] for m in cluster(s)["members"]), 10,
               "one that is away")
    r = s.segue("switch", "v2")
    assert r.code == 3 and "has not acknowledged" in r.err, r
    assert serves(s) == "v1"
    s.do("switch", "v2", "--force")
    assert [serves(p) for p in c.proxies if p is not gone] == ["v2"] * 2
    os.kill(pid, signal.SIGCONT)
    c.wait_together()
    s.do("switch", "v1")
    assert [serves(p) for p in c.proxies] == ["v1"] * 3


def test_leader_dies_in_a_job(rig):
    """Its job is not run a second time: an operator has to say."""
    job = script(rig, "work", "echo ran >> ran; sleep 2; echo end >> ran")
    c = Cluster(rig, jobs={"rollout": {
        "jobs": [{"name": "work", "command": [job]}],
        "steps": ["ready", {"step": "job", "job": "work"}, "promote"]}})
    gone = c.leader
    gone.do("rollout", "start", "--to", "v2")
    wait_until(lambda: lines(rig, "ran") == ["ran"], 10, "the job")
    gone.kill_all()
    rest = [s for s in c.proxies if s is not gone]
    wait_until(lambda: any(cluster(s)["role"] == "leader" for s in rest), 10,
               "somebody who leads")
    for s in rest:
        wait_until(lambda s=s: rollout(s)["stand"] == "paused", 10, "a pause")
        assert "nobody knows how job work ended" in rollout(s)["why"]
    time.sleep(1)
    assert lines(rig, "ran").count("ran") == 1
    rest[0].do("rollout", "skip")
    for s in rest:
        wait_until(lambda s=s: rollout(s)["stand"] == "done", 10, "its end")
    gone.start()
    c.wait_together()
    assert serves(gone) == "v2" and lines(rig, "ran").count("ran") == 1


def test_status_of_it(rig):
    c = Cluster(rig)
    out = c.followers[0].do("cluster", "status").out
    assert f"led by {cluster(c.leader)['member']}" in out
    assert out.count(" up ") == 3 and "(this)" in out, out
    assert "3 proxies" in c.leader.do("status").out
    m = [s.admin.metrics() for s in c.proxies]
    assert sum(x['segue_cluster_role{role="leader"}'] for x in m) == 1
    assert [x['segue_cluster_members{state="up"}'] for x in m] == [3] * 3
    assert len({x["segue_cluster_version"] for x in m}) == 1
    alone = rig.segued(service(pool("v1", [c.a])), name="lone")
    assert "only one" in alone.do("cluster", "status").out


def test_two_of_one_name(rig):
    """A mistake of those who copy files: it is told."""
    c = Cluster(rig, n=2)
    twin = c.add("p9", member="p0")
    wait_until(lambda: "cluster_twin" in twin.log() +
               c.proxies[0].log(), 5, "a word about it")
    assert [serves(s) for s in (*c.proxies, twin)] == ["v1"] * 3


# ---- sessions of all ----

DOCUMENT = "Sec-Fetch-Dest: document\r\n"


def cookie_of(answer):
    return "Cookie: " + answer.field("Set-Cookie").split(";")[0] + "\r\n"


def counts(c):
    return [tuple(s.admin.pool(p)["sessions"] for p in ("v1", "v2"))
            for s in c.proxies]


def told(c):
    return c.redis.do("ZCARD", "segue:s:sso:web:v1:0")


def test_an_emptied_redis_ends_no_drain(rig):
    """Who leads has seen nobody; the others have to tell again first."""
    c = Cluster(rig)
    leader, other = c.leader, c.followers[0]
    cookies = [cookie_of(once(other.address)) for _ in range(3)]
    wait_until(lambda: counts(c) == [(3, 0)] * 3, 3, "three")
    leader.do("switch", "v2")
    leader.do("drain", "v1", "--mode", "keep", "--grace", "60s")
    for _ in range(4):
        c.redis.do("FLUSHALL")
        time.sleep(1.5)
        assert {s.admin.pool("v1")["state"] for s in c.proxies} == {
            "draining"}
    for cookie in cookies:
        assert once(other.address, fields=cookie).version == "v1"


def test_a_new_session_is_waited_for(rig):
    """Wherever it began a moment ago, and whatever Redis knows of it."""
    c = Cluster(rig)
    time.sleep(4)
    cookie = cookie_of(once(c.followers[0].address))
    c.leader.do("switch", "v2")
    c.leader.do("drain", "v1", "--mode", "keep", "--grace", "60s")
    c.redis.do("DEL", "segue:s:sso:web:v1:0")
    for _ in range(4):
        time.sleep(1)
        assert c.leader.admin.pool("v1")["state"] == "draining"
        assert once(c.followers[1].address, fields=cookie).version == "v1"


def test_sessions_are_counted_once_over_proxies(rig):
    """Whichever proxies see them, and wherever they are last."""
    c = Cluster(rig)
    cookies = [cookie_of(once(c.proxies[i % 3].address)) for i in range(9)]
    for s in c.proxies:
        for cookie in cookies:
            assert once(s.address, fields=cookie).version == "v1"
    wait_until(lambda: counts(c) == [(9, 0)] * 3, 3, "nine each")
    began = time.monotonic()
    c.followers[0].do("sessions", "evict", "--pool", "v1", "--to", "v2")
    for i, cookie in enumerate(cookies[:5]):
        s = c.proxies[i % 3]
        assert once(s.address, fields=cookie).version == "v2"
    assert time.monotonic() - began < 1, "known to all"
    wait_until(lambda: counts(c) == [(0, 5)] * 3, 3, "five that came back")


def test_who_moved_at_one_proxy_has_left_at_all(rig):
    c = Cluster(rig)
    a, b = c.proxies[0], c.proxies[1]
    cookies = [cookie_of(once(a.address)) for _ in range(4)]
    for cookie in cookies:
        once(b.address, fields=cookie)
    wait_until(lambda: counts(c) == [(4, 0)] * 3, 3, "four")
    a.do("switch", "v2")
    a.do("drain", "v1", "--mode", "keep", "--grace", "60s")
    b.do("sessions", "move", "--pool", "v1")
    for cookie in cookies:
        assert once(a.address, fields=cookie + DOCUMENT).version == "v2"
    wait_until(lambda: a.admin.pool("v1")["state"] == "drained", 9,
               "the drain's end: nobody is there")
    wait_until(lambda: counts(c) == [(0, 4)] * 3, 4, "four elsewhere")


class Staying(threading.Thread):
    """Sessions at one proxy, which are there before we go on; what went
    wrong with them."""

    def __init__(self, s, n):
        super().__init__(daemon=True)
        self.clients = [Client(s.address) for _ in range(n)]
        self.pinned = [c.get().version for c in self.clients]
        self.n, self.failed, self.ended = 0, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            for c, version in zip(self.clients, self.pinned):
                a = c.get()
                self.n += 1
                if (a.status, a.version) != (200, version):
                    self.failed.append((a.status, a.version, version))
            time.sleep(0.005)

    def check(self):
        self.ended.set()
        self.join()
        for c in self.clients:
            c.close()
        assert self.n > 100 and not self.failed, (self.n, self.failed[:5])


def shared(proxies):
    """How often each has found Redis, and told it of its sessions."""
    return [s.log().count("event=sessions_shared") for s in proxies]


# How it begins, how long it lasts, how it ends, and when all is right again.
BAD_DAYS = {
    "killed": (lambda r: r.kill(), 1, lambda r: r.start(), 1),
    "paused": (lambda r: r.pause(), 5, lambda r: r.go_on(), 1),
    "flushed": (lambda r: r.do("FLUSHALL"), 0, lambda r: None, 1)}


@pytest.mark.parametrize("how", BAD_DAYS)
def test_bad_day_of_redis(rig, how):
    """Users stay, others begin, switches are done before and after; and as
    soon as the last proxy has found it the counts are right, within one
    heartbeat.  That it was emptied they see within half a second."""
    begin, lasts, end, seconds = BAD_DAYS[how]
    c = Cluster(rig)
    users = [Staying(s, 3) for s in c.proxies]
    wait_until(lambda: counts(c) == [(9, 0)] * 3, 3, "nine")
    c.followers[0].do("switch", "v2")
    users += [Staying(s, 1) for s in c.proxies]
    wait_until(lambda: counts(c) == [(9, 3)] * 3, 3, "three more")
    before, began = shared(c.proxies), time.monotonic()
    begin(c.redis)
    for s in c.proxies if lasts else ():
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3
    time.sleep(max(0, began + lasts - time.monotonic()))
    end(c.redis)
    wait_until(lambda: not lasts or all(n > m for n, m in zip(
        shared(c.proxies), before)), 10, "all to have found it")
    began = time.monotonic()
    wait_until(lambda: told(c) == 9 and counts(c) == [(9, 6)] * 3,
               seconds * rig.slower, "counts that are right")
    print(f"{how}: right {time.monotonic() - began:.2f} s later")
    c.wait_together()
    c.followers[1].do("switch", "v1")
    c.leader.do("share", "v2", "25%")
    assert [shares(s)["v2"] for s in c.proxies] == [2500] * 3
    assert counts(c) == [(9, 6)] * 3
    for u in users:
        u.check()


def test_who_begins_knows_of_others(rig):
    c = Cluster(rig, n=2)
    for s in c.proxies:
        for _ in range(3):
            once(s.address)
    wait_until(lambda: counts(c) == [(6, 0)] * 2, 2, "six")
    c.proxies[1].stop()
    c.proxies[1].start()
    wait_until(lambda: counts(c) == [(6, 0)] * 2, 1 * rig.slower, "six")


@pytest.mark.waits
def test_commands_for_pinned_requests_are_few(rig):
    """20 commands for 1,000 requests at most, beside those of a cluster
    at rest."""
    c = Cluster(rig, n=2)
    cookies = [cookie_of(once(c.proxies[0].address)) for _ in range(20)]

    def commands():
        text = c.redis.do("INFO", "commandstats").decode()
        return sum(int(x.split("calls=")[1].split(",")[0])
                   for x in text.split() if x.startswith(
                       ("cmdstat_eval:", "cmdstat_set:", "cmdstat_get:")))

    time.sleep(2)
    began, before = time.monotonic(), commands()
    time.sleep(4)
    rest = (commands() - before) / (time.monotonic() - began)
    began, before, n = time.monotonic(), commands(), 0
    with Client(c.proxies[0].address) as a, Client(
            c.proxies[1].address) as b:
        while time.monotonic() - began < 4:
            for cookie in cookies:
                a.get(fields=cookie)
                b.get(fields=cookie)
                n += 2
    more = commands() - before - rest * (time.monotonic() - began)
    print(f"{n} requests, {more:.0f} commands more, {rest:.1f}/s at rest")
    assert more < 20 * n / 1000, (n, more, rest)
