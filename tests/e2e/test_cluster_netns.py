"""Several proxies and one Redis, each in a network of its own: what is cut
loses packets, and no connection is told."""
import json
import math
import os
import re
import threading
import time
from datetime import datetime

import pytest

from rig import wait_until
from rig.admin import UnixConnection
from rig.netns import Place, Switch
from rig.redis import Redis
from rig.wire import once
from test_cluster import Cluster, Users, cluster, serves, shares
from test_rollout import rollout
from test_rollout_jobs import lines, script

pytestmark = [pytest.mark.alone, pytest.mark.waits, pytest.mark.skipif(
    os.geteuid() != 0, reason="only root makes networks")]


class Nets:
    """Redis and the proxies see each other over one switch; the proxies,
    instances and clients over another one."""

    def __init__(self, rig):
        self.store, self.front = Switch(), Switch()
        self.web = Place("10.78.0.2")
        self.redis = Place("10.77.0.2")
        self.front.plug(self.web, self.web.host)
        self.redis_wire = self.store.plug(self.redis, self.redis.host)
        self.of, self.wires = {}, {}
        for i in range(3):
            p = Place(f"10.78.0.{10 + i}")
            self.front.plug(p, p.host)
            self.wires[f"p{i}"] = self.store.plug(p, f"10.77.0.{10 + i}")
            self.of[f"p{i}"] = p
        rig.closing += [self.store, self.front, self.web, self.redis,
                        *self.of.values()]


class Apart(Cluster):
    def __init__(self, rig, nets, **more):
        self.nets = nets
        with rig.at(nets.redis):
            redis = Redis(rig, port=True)
        super().__init__(rig, redis=redis, **more)

    def add(self, name, **more):
        with self.rig.at(self.nets.of[name]):
            return super().add(name, **more)

    def wire(self, s):
        return self.nets.wires[s.name]


@pytest.fixture
def nets(rig):
    """We are where clients and instances are."""
    n = Nets(rig)
    with rig.at(n.web):
        yield n


class Newcomers(threading.Thread):
    """New sessions at one proxy: when each was asked for, and its pool."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.rows, self.ended = s, [], threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            began = time.monotonic()
            a = once(self.s.address, "/")
            self.rows.append((began, time.monotonic(), a.status, a.version))
            time.sleep(0.005)

    def end(self):
        self.ended.set()
        self.join()
        assert len(self.rows) > 5
        assert {r[2] for r in self.rows} == {200}
        return self.rows


def stand(s):
    """What all must have alike."""
    web = s.admin.status()["services"][0]
    return (web["epoch"], web["hold"]["what"],
            [(p["name"], p["share_bp"]) for p in web["pools"]],
            [p["state"] == "draining" for p in web["pools"]])


def told(c, s, verb, **args):
    """A command: ms, and when it had returned; all have it then."""
    began = time.monotonic()
    s.admin.do(verb, service="web", **args)
    now = time.monotonic()
    assert len({str(stand(p)) for p in c.proxies}) == 1
    return 1000 * (now - began), now


@pytest.mark.parametrize("verb", ["switch", "share", "hold", "drain"])
def test_agree_in_100_ms(rig, nets, verb):
    """Commanded on each; what begins after it goes by it, wherever."""
    c = Apart(rig, nets)
    load = [Newcomers(s) for s in c.proxies]
    took, spans = [], []  # of a span: from, to, the pool
    for i in range(6):
        s, to = c.proxies[i % 3], ("v2", "v1")[i % 2]
        if verb == "hold":
            ms, at = told(c, s, "hold")
            time.sleep(0.1)
            spans.append((at, time.monotonic(), None))
            took += [ms, told(c, c.proxies[(i + 1) % 3], "release")[0]]
            time.sleep(0.2)
            continue
        more = {"share": "100%"} if verb == "share" else {}
        ms, at = told(c, s, "share" if more else "switch", pool=to, **more)
        if verb == "drain":
            other = {"v1": "v2", "v2": "v1"}[to]
            ms, at = told(c, s, "drain", pool=other)
        took.append(ms)
        time.sleep(0.1)
        spans.append((at, time.monotonic(), to))
    print("ms until all three agreed:", [f"{t:.0f}" for t in took])
    for rows in [n.end() for n in load]:
        for since, until, to in spans:
            for sent, got, _, version in rows:
                if since < sent < until:
                    assert version == to if to else got > until
    assert sorted(took)[len(took) // 2] < 100, took


class Heard(threading.Thread):
    """What a proxy tells of steps and shares, as {(rollouts that had ended,
    pool, text): when}, by the clock that all have here."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.at, self.ended = {}, 0
        conn = UnixConnection(s.socket, 60)
        conn.request("GET", "/v1/events?last=1")
        self.answer = conn.getresponse()
        self.answer.readline()  # it has begun
        self.start()

    def run(self):
        for line in self.answer:
            e = json.loads(line[5:]) if line.startswith(b"data:") else {}
            if e.get("type") in ("rollout", "pool"):
                self.hear(e["pool"], e["text"], datetime.fromisoformat(
                    e["time"].replace("Z", "+00:00")).timestamp())

    def hear(self, name, text, at):
        """Of pools only shares: each finds out for itself who is ready."""
        share = re.search(r"share \d.* -> .*%", text)
        if share or text.startswith("to "):
            self.at[self.ended, name, share[0] if share else text] = at
        self.ended += text.endswith(": done")

    def spans(self):
        """From when until when it may give new sessions to which pools."""
        since, at = 0, "v1"
        for n, to in enumerate(WAY):
            half, whole = (self.at[n, to, f"share {share}"] for share in (
                "0% -> 50%", "50% -> 100%"))
            yield since, half, {at}
            yield half, whole, {"v1", "v2"}
            since, at = whole, to
        yield since, math.inf, {at}

    def check(self, sessions):
        """Those that began here: (sent, answered, pool)."""
        for since, until, pools in self.spans():
            got = [v for sent, answered, v in sessions
                   if since + TURN_S < sent and answered < until]
            assert set(got) == pools, (since, until, pools, got)
            assert len(pools) == 1 or \
                0.2 < got.count("v1") / len(got) < 0.8, got


WAY = ["v2", "v1", "v2"]
STEPS = ["ready", {"step": "share", "share": "50%"},
         {"step": "pause", "for": "500ms"},
         {"step": "share", "share": "100%"}, "promote", "drain"]
TURN_S = 0.02  # from telling it to a worker's next turn, and milliseconds


def test_rollouts_agree_in_100_ms(rig, nets):
    """Whole ones, commanded on each: all tell each step within 100 ms, and
    from then on each session that begins goes by it, wherever."""
    c = Apart(rig, nets, drain={"flows": "300ms", "requests": "1s"},
              jobs={"share_key": "request", "rollout": {"steps": STEPS}})
    heard = [Heard(s) for s in c.proxies]
    load = [Newcomers(s) for s in c.proxies]
    time.sleep(0.3)
    for n, (s, to) in enumerate(zip([c.leader, *c.followers], WAY), 1):
        s.do("rollout", "start", "--to", to, "--wait", timeout=30)
        wait_until(lambda n=n: all(h.ended == n for h in heard), 5,
                   "all to have told its end")
        time.sleep(0.3)
    to_wall = time.time() - time.monotonic()
    sessions = [[(r[0] + to_wall, r[1] + to_wall, r[3]) for r in n.end()]
                for n in load]
    told = set.intersection(*(set(h.at) for h in heard))
    # one that is told of two at a time passes over a step, and no share
    missed = set.union(*(set(h.at) for h in heard)) - told
    assert len(missed) < 6 and all("step" in x for *_, x in missed), missed
    took = sorted(max(h.at[x] for h in heard) - min(h.at[x] for h in heard)
                  for x in told)
    print(f"{len(told)} changes, ms until all three had told: median "
          f"{1000 * took[len(took) // 2]:.0f}, at most {1000 * took[-1]:.0f}; "
          f"{len(missed)} passed over; {sum(map(len, sessions))} sessions")
    assert len(told) >= 27 and took[-1] < 0.1, took
    for h, of in zip(heard, sessions):
        h.check(of)


def cut(c, s, how):
    if how == "killed":
        s.kill_all()
    else:
        c.wire(s).cut()


def come_back(c, s, how):
    if how == "killed":
        s.start()
    else:
        c.wire(s).mend()
    c.wait_together(seconds=20)


def check(users):
    for u in users:
        u.check()


@pytest.mark.parametrize("how", ["killed", "cut"])
@pytest.mark.parametrize("who", ["leader", "told", "other"])
def test_one_goes_in_a_switch(rig, nets, how, who):
    """It is so at all that are left, or at none; the next one is done."""
    c = Apart(rig, nets)
    told_one, other = c.followers
    gone = {"leader": c.leader, "told": told_one, "other": other}[who]
    rest = [s for s in c.proxies if s is not gone]
    users = [Users(s) for s in (rest if how == "killed" else c.proxies)]
    time.sleep(0.3)
    codes = []
    t = threading.Thread(target=lambda: codes.append(
        told_one.segue("switch", "v2").code))
    t.start()
    time.sleep(0.008)
    cut(c, gone, how)
    t.join()
    print(f"{who} {how}: the command ended with {codes}")
    wait_until(lambda: len({serves(s) for s in rest}) == 1, 1, "one mind")
    if codes == [0]:
        assert [serves(s) for s in rest] == ["v2"] * 2
    if how == "cut":
        wait_until(lambda: cluster(gone)["role"] == "alone", 10, "alone")
        had = shares(gone)
        assert gone.segue("switch", "v2").code == 3
        assert "alone; changes are refused" in gone.do("status").out
        assert once(gone.address).status == 200
    wait_until(lambda: rest[0].segue("switch", "v1").code == 0, 15,
               "a switch")
    wait_until(lambda: rest[0].segue("switch", "v2").code == 0, 15,
               "a switch")
    assert [serves(s) for s in rest] == ["v2"] * 2
    if how == "cut":
        assert shares(gone) == had
    come_back(c, gone, how)
    assert serves(gone) == "v2", "it has caught up"
    check(users)


@pytest.mark.parametrize("how", ["killed", "cut"])
@pytest.mark.parametrize("who", ["leader", "told", "other"])
def test_one_goes_in_a_job(rig, nets, how, who):
    """The job runs once; without its leader an operator has to say."""
    job = script(rig, "work", "echo ran >> ran; sleep 4")
    c = Apart(rig, nets, jobs={"rollout": {
        "jobs": [{"name": "work", "command": [job]}],
        "steps": ["ready", {"step": "share", "share": "50%"},
                  {"step": "job", "job": "work"}, "promote"]}})
    told_one, other = c.followers
    gone = {"leader": c.leader, "told": told_one, "other": other}[who]
    rest = [s for s in c.proxies if s is not gone]
    users = [Users(s) for s in (rest if how == "killed" else c.proxies)]
    told_one.do("rollout", "start", "--to", "v2")
    wait_until(lambda: lines(rig, "ran") == ["ran"], 10, "the job")
    cut(c, gone, how)
    if who == "leader":
        for s in rest:
            wait_until(lambda s=s: rollout(s)["stand"] == "paused", 15,
                       "a pause")
        rest[0].do("rollout", "skip")
    for s in rest:
        wait_until(lambda s=s: rollout(s)["stand"] == "done", 15, "its end")
    come_back(c, gone, how)
    assert serves(gone) == "v2" and rollout(gone)["stand"] == "done"
    assert lines(rig, "ran") == ["ran"]
    check(users)


@pytest.mark.parametrize("how", ["cut", "down"])
def test_redis_is_cut_off(rig, nets, how):
    """Five seconds: nobody notices but who wants a change."""
    c = Apart(rig, nets)
    c.leader.do("share", "v2", "50%")
    users = [Users(s) for s in c.proxies]
    wire = nets.redis_wire
    getattr(wire, how)()
    ends = time.monotonic() + 5
    for s in c.proxies:
        wait_until(lambda s=s: cluster(s)["role"] == "alone", 10, "alone")
        r = s.segue("switch", "v2")
        assert r.code == 3 and "cannot be reached" in r.err, r
    time.sleep(max(0, ends - time.monotonic()))
    getattr(wire, {"cut": "mend", "down": "up"}[how])()
    began = time.monotonic()
    c.wait_together(seconds=15)
    print(f"together again after {time.monotonic() - began:.1f} s")
    c.followers[0].do("switch", "v2")
    assert [serves(s) for s in c.proxies] == ["v2"] * 3
    check(users)


def test_what_was_given_up_does_not_come_late(rig, nets):
    """A command that was in the cable when it was cut is not carried out
    once its caller has been told that nobody knows."""
    c = Apart(rig, nets)
    gone = c.followers[0]
    c.wire(gone).cut()
    r = gone.segue("switch", "v2")
    assert r.code in (1, 3), r
    c.wire(gone).mend()
    c.wait_together(seconds=15)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert [serves(s) for s in c.proxies] == ["v1"] * 3
        time.sleep(0.1)
