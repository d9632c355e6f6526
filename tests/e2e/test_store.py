"""The store: what one proxy learns, the others and the next start know; and
what happens when it is away, slow, full, read-only, wrong or strange."""
import json
import os
import re
import signal
import statistics
import threading
import time
from urllib.parse import quote

import pytest

from rig import wait_until
from rig.redis import Between, Redis, ReplyError, Sentinel
from rig.segued import pool, service
from rig.wire import Client, once
from test_artifacts import FORM, Op, code_of, flow, post
from test_cluster import are_together, counts, shared
from test_rollout import DRAIN

pytestmark = pytest.mark.alone


class Site:
    """Proxies side by side, before the same two pools that share nothing."""

    def __init__(self, rig, store, n=2, **more):
        self.rig, self.store, self.more = rig, store, more
        self.a, self.b = Op("v1"), Op("v2")
        self.ia = rig.scripted("v1", "a", self.a)
        self.ib = rig.scripted("v2", "b", self.b)
        self.proxies = []
        for _ in range(n):
            self.add()

    def add(self, store=None, **more):
        n = len(self.proxies)
        s = self.rig.segued(
            service(pool("v1", [self.ia], share="50%"),
                    pool("v2", [self.ib], share="50%"), drain=DRAIN,
                    share_key="request", shared_state="none"),
            name=f"segued{n}", key_file=f"{self.rig.dir}/keys",
            store=store or self.store, **{**self.more, **more})
        self.proxies.append(s)
        return s

    def wait_store(self, state="up", seconds=10):
        for s in self.proxies:
            wait_until(lambda s=s: store(s)["state"] == state, seconds,
                       f"a store that is {state}")


def store(s):
    """Before the workers have begun there is none."""
    return s.admin.status()["store"] or {"state": "down", "why": ""}


def of_redis(redis, **more):
    return {"type": "redis", "address": redis.address, **more}


def login(s):
    """A code, and who has issued it."""
    with Client(s.address) as browser:
        a = browser.get("/authorize")
    return code_of(a), a.version


def redeem(s, code):
    return post(s, "/token", {"code": code})


def flow_over(first, second):
    """As flow() of test_artifacts, each call at the other proxy."""
    code, _ = login(first)
    a = redeem(second, code)
    if a.status != 200:
        return "code"
    t = json.loads(a.body)
    bearer = f"Authorization: Bearer {t['access_token']}\r\n"
    if once(first.address, "/userinfo", fields=bearer).status != 200:
        return "userinfo"
    a = post(first, "/token", {"refresh_token": t["refresh_token"]})
    if a.status != 200:
        return "refresh"
    hint = json.loads(a.body)["id_token"]
    if once(second.address,
            f"/logout?id_token_hint={quote(hint)}").status != 200:
        return "logout"
    return None


def fails_by_chance(site):
    """Of 20 flows over two proxies, those that do not find their pool."""
    a, b = site.proxies
    return [f for f in (flow_over(a, b) for _ in range(20)) if f]


# ---- what it is for ----

def test_what_one_learns_the_other_knows(rig):
    redis = Redis(rig)
    site = Site(rig, of_redis(redis))
    site.wait_store()
    assert not fails_by_chance(site)
    keys = redis.keys()
    assert len(keys) > 80 and all(
        k.startswith("segue:a:web:") and len(k) == 12 + 32 for k in keys)
    m = site.proxies[1].admin.metrics()
    assert m['segue_store_asked_total{answer="found"}'] >= 20
    assert m['segue_store_asked_total{answer="late"}'] == 0
    assert m['segue_artifacts_total{service="web",what="unknown"}'] == 0
    assert m['segue_store_threads{state="up"}'] == 2


def test_none_knows_nothing_of_others(rig):
    """The same flows: the side by side that says what the store is for."""
    site = Site(rig, "none")
    assert len(fails_by_chance(site)) > 5


def test_each_value_ends(rig):
    """What was said to live for a minute does; no key stays for ever."""
    redis = Redis(rig)
    site = Site(rig, of_redis(redis), n=1)
    site.wait_store()
    assert flow(site.proxies[0]) is None
    wait_until(lambda: len(redis.keys()) >= 6, 5, "six keys")
    assert all(0 < redis.do("PTTL", k) <= 2592000000 for k in redis.keys())


def test_memory_outlives_a_stop(rig):
    site = Site(rig, "memory", n=1)
    s = site.proxies[0]
    codes = [login(s) for _ in range(20)]
    s.stop()
    assert "store_saved" in s.log()
    s.start()
    wait_until(lambda: "store_loaded values=20" in s.log(), 5, "20 values")
    for code, version in codes:
        a = redeem(s, code)
        assert a.status == 200 and a.version == version


def test_redis_outlives_a_kill(rig):
    site = Site(rig, of_redis(Redis(rig)), n=1)
    site.wait_store()
    s = site.proxies[0]
    codes = [login(s) for _ in range(20)]
    s.kill_all()
    s.start()
    site.wait_store()
    assert all(redeem(s, code).status == 200 for code, _ in codes)


def test_damaged_file(rig):
    """What cannot be read is told, and is no reason not to start."""
    site = Site(rig, "memory", n=1)
    s = site.proxies[0]
    login(s)
    s.stop()
    path = f"{s.dir}/state/store"
    with open(path, "ab") as f:
        f.write(b"\0garbage")
    s.start()
    wait_until(lambda: "store_not_loaded" in s.log(), 5, "a word about it")
    assert "values=1" in s.log() and os.path.exists(path + ".damaged")


# ---- bad days ----

class Load:
    """Pinned users, and applications with tokens, until it is ended."""

    def __init__(self, s):
        self.s, self.failed, self.n, self.waits = s, [], 0, []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]
        for t in self.threads:
            t.start()

    def run(self):
        with Client(self.s.address) as c:
            c.get("/get")
            version = c.get("/get").version
            while not self.ended.is_set():
                began = time.monotonic()
                a = c.get("/get")
                self.waits.append(time.monotonic() - began)
                self.n += 1
                if a.status != 200 or a.version != version:
                    self.failed.append((a.status, a.version, version))
                time.sleep(0.002)

    def end(self):
        self.ended.set()
        for t in self.threads:
            t.join()
        assert self.n > 50 and not self.failed, self.failed[:5]


def test_absent_at_the_start_then_there(rig):
    redis = Redis(rig)
    redis.kill()
    site = Site(rig, of_redis(redis))
    a, b = site.proxies
    assert store(a)["state"] == "down"
    assert store(a)["why"] in ("connecting", "refused", "unreachable")
    codes = [login(a) for _ in range(10)]
    assert all(redeem(a, c).status == 200 for c, _ in codes[:5])
    assert store(a)["queued"] > 0
    assert "store redis down since" in a.do("status").out
    redis.start()
    site.wait_store()
    wait_until(lambda: store(a)["queued"] == 0, 3, "an empty queue")
    assert all(redeem(b, c).status == 200 for c, _ in codes[5:]), \
        "what was learned meanwhile is written"


def test_killed_and_back_under_load(rig):
    redis = Redis(rig)
    site = Site(rig, of_redis(redis))
    site.wait_store()
    a, b = site.proxies
    load = Load(a)
    try:
        for _ in range(3):
            redis.kill()
            wait_until(lambda: store(a)["state"] == "down", 5, "down")
            assert flow(a) is None, "it knows what it has learned itself"
            code, _ = login(a)
            redis.start()
            site.wait_store(seconds=3)
            wait_until(lambda: store(a)["queued"] == 0, 3, "an empty queue")
            assert redeem(b, code).status == 200
    finally:
        load.end()


def test_stopped_for_five_seconds(rig):
    """SIGSTOP: it takes connections and commands and says nothing."""
    redis = Redis(rig)
    site = Site(rig, of_redis(redis), workers=1)  # each finds out by itself
    site.wait_store()
    a, b = site.proxies
    load = Load(a)
    try:
        time.sleep(0.5)
        quick = statistics.quantiles(load.waits, n=100)[98]
        redis.pause()
        load.waits = []
        waits = []
        codes = [login(a)[0] for _ in range(8)]
        for code in codes[:6]:
            began = time.monotonic()
            redeem(b, code)
            waits.append(time.monotonic() - began)
        wait_until(lambda: store(b)["state"] in ("slow", "down"), 3, "slow")
        began = time.monotonic()
        redeem(b, codes[6])
        assert time.monotonic() - began < 0.015, "nobody waits any more"
        assert max(waits) < 0.150 and sum(waits) < 0.5, waits
        time.sleep(4.5)
        slow = statistics.quantiles(load.waits, n=100)[98]
        redis.go_on()
        site.wait_store(seconds=3)
        wait_until(lambda: store(a)["queued"] == 0, 3, "an empty queue")
        assert redeem(b, codes[7]).status == 200
        print(f"p99 of pinned requests: {quick * 1000:.2f} ms with Redis, "
              f"{slow * 1000:.2f} ms while it stands still")
    finally:
        redis.go_on()
        load.end()
    m = b.admin.metrics()
    assert 1 <= m['segue_store_asked_total{answer="late"}'] <= 8


def test_a_second_late(rig):
    redis = Redis(rig)
    slow = Between(redis, f"{rig.dir}/slow.sock", 0)
    site = Site(rig, {"type": "redis", "address": slow.address})
    site.wait_store()
    a, b = site.proxies
    slow.late = 1
    load = Load(a)
    waits = []
    for _ in range(12):
        code, _ = login(a)
        began = time.monotonic()
        redeem(b, code)
        waits.append(time.monotonic() - began)
    load.end()
    assert sum(waits) < 1, waits
    assert store(b)["state"] == "slow"
    slow.late = 0
    site.wait_store(seconds=5)
    assert not fails_by_chance(site)


@pytest.mark.parametrize("late", [0.03, 0.06])
def test_always_a_bit_late(rig, late):
    """Nobody waits for one that is never in time, but now and then."""
    slow = Between(Redis(rig), f"{rig.dir}/slow.sock", 0)
    site = Site(rig, {"type": "redis", "address": slow.address}, n=1,
                workers=1)
    site.wait_store()
    s = site.proxies[0]
    slow.late = late
    for i in range(60):
        redeem(s, f"nobody-knows-{i}")
    assert store(s)["state"] == "slow" and store(s)["why"] == "late"
    m = s.admin.metrics()
    assert m['segue_store_asked_total{answer="late"}'] <= 10
    assert m['segue_store_asked_total{answer="away"}'] >= 50
    assert len(re.findall("event=store_(slow|up)", s.log())) <= 8


def test_far_away(rig):
    """Values are written all the same: nobody waits for that."""
    redis = Redis(rig)
    slow = Between(redis, f"{rig.dir}/slow.sock", 0.15)
    site = Site(rig, {"type": "redis", "address": slow.address}, n=1)
    for _ in range(20):
        login(site.proxies[0])
    wait_until(lambda: len(redis.keys()) == 20, 15, "20 keys")


def test_closes_on_each_value(rig):
    """It greets well and then fails: it is tried ever more slowly."""
    seen = []

    def serve(conn):
        seen.append(conn)
        conn.send(b"+PONG\r\n")
        while b"SET" not in conn.sock.recv(4096):
            pass

    bad = rig.scripted("v1", "bad", serve)
    s = Site(rig, {"type": "redis", "address": bad.address}, n=1,
             workers=1).proxies[0]
    login(s)
    time.sleep(4)
    assert 3 <= len(seen) <= 20, len(seen)
    assert s.log().count("event=store_") < 20


def test_look_ups_are_refused(rig):
    """The operator is told, though the store is up."""
    redis = Redis(rig)
    redis.do("ACL", "SETUSER", "proxy", "on", ">secret", "~*", "+set",
             "+ping")
    path = f"{rig.dir}/password"
    with open(path, "w", encoding="ascii") as f:
        f.write("secret\n")
    site = Site(rig, of_redis(redis, user="proxy", password_file=path))
    site.wait_store()
    a, b = site.proxies
    for _ in range(5):
        redeem(b, login(a)[0])
    assert "may not use these commands" in store(b)["refuses"]
    assert "refuses what it is told or asked" in b.do("status").out
    assert re.search("store_refuses.*NOPERM", b.log())


def test_of_a_redis_cluster(rig):
    redis = Redis(rig, "redis", "--cluster-enabled", "yes",
                  "--cluster-config-file", f"{rig.dir}/nodes.conf")
    site = Site(rig, of_redis(redis), n=1)
    s = site.proxies[0]
    login(s)
    wait_until(lambda: "Redis Cluster" in store(s)["refuses"], 5, "it")


def test_reload_leaves_the_store(rig):
    """Its keys need a restart, also after the network process has died."""
    one, two = Redis(rig, "one"), Redis(rig, "two", password="other")
    site = Site(rig, of_redis(one), n=1)
    site.wait_store()
    s = site.proxies[0]
    s.config["store"] = of_redis(two, password_file="/nonexistent")
    s.write_config()
    assert "store.password_file" in s.segue("reload").err
    s.config["store"] = of_redis(two)
    s.write_config()
    assert "store.address" in s.do("reload").out
    os.kill(s.network_pid(), signal.SIGKILL)
    wait_until(s.is_up, 10, "another network process")
    site.wait_store()
    assert flow(s) is None
    wait_until(lambda: one.keys(), 5, "a key in the first one")


def test_deadline_of_a_lookup(rig):
    """20 ms and not more than 5 beside it, of a request that nobody else
    keeps waiting."""
    redis = Redis(rig)
    site = Site(rig, of_redis(redis), n=1)
    site.wait_store()
    s = site.proxies[0]
    waits = []
    for _ in range(6):
        redis.pause()
        with Client(s.address) as c:
            began = time.monotonic()
            c.post("/token", b"code=nobody-knows", fields=FORM)
            waits.append(1000 * (time.monotonic() - began))
        redis.go_on()
        site.wait_store()
        time.sleep(0.3)
    print("ms waited:", [f"{w:.1f}" for w in waits])
    assert 15 <= statistics.median(waits) <= 25, waits


def test_full(rig):
    """Values are refused, counted and told; requests go on."""
    redis = Redis(rig, "redis", "--maxmemory-policy", "noeviction")
    site = Site(rig, of_redis(redis), n=1)
    site.wait_store()
    s = site.proxies[0]
    redis.do("CONFIG", "SET", "maxmemory", "1")
    for _ in range(5):
        assert flow(s) is None
    m = s.admin.metrics()
    assert m['segue_store_refused_total{reason="full"}'] >= 5
    assert store(s)["refused"] >= 5
    assert s.log().count("event=store_refuses") <= 2, "told once a thread"
    redis.do("CONFIG", "SET", "maxmemory", "0")
    assert flow(s) is None
    wait_until(lambda: redis.keys(), 3, "a key")


def test_read_only_replica(rig):
    """What it does not take waits for the master."""
    redis = Redis(rig, port=True)
    other = Redis(rig, "other", port=True)
    redis.do("REPLICAOF", "127.0.0.1", other.port.number)
    site = Site(rig, of_redis(redis))
    a, b = site.proxies
    codes = [login(a)[0] for _ in range(5)]
    wait_until(lambda: store(a)["why"] == "read_only", 5, "read_only")
    assert flow(a) is None
    redis.do("REPLICAOF", "NO", "ONE")
    site.wait_store()
    wait_until(lambda: store(a)["queued"] == 0, 3, "an empty queue")
    assert all(redeem(b, c).status == 200 for c in codes)


def test_flushed(rig):
    """It is as if nobody had learned, but for who has himself."""
    redis = Redis(rig)
    site = Site(rig, of_redis(redis))
    site.wait_store()
    a, b = site.proxies
    code, _ = login(a)
    redis.do("FLUSHALL")
    assert redeem(a, code).status == 200
    assert not fails_by_chance(site)
    assert store(b)["state"] == "up"


GARBAGE = {
    "list": lambda r, k: r.do("RPUSH", k, "v1"),
    "pool that is none": lambda r, k: r.do("SET", k, "v9"),
    "control characters": lambda r, k: r.do("SET", k, b"\0\r\n\xff" * 9),
    "a megabyte": lambda r, k: r.do("SET", k, b"x" * 1000000),
    "empty": lambda r, k: r.do("SET", k, ""),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_under_our_keys(rig, what):
    redis = Redis(rig)
    site = Site(rig, of_redis(redis))
    site.wait_store()
    a, b = site.proxies
    code, _ = login(a)
    wait_until(lambda: redis.keys(), 3, "a key")
    key = redis.keys()[0]
    redis.do("DEL", key)
    GARBAGE[what](redis, key)
    assert redeem(b, code).status in (200, 400), "asked by share, as unknown"
    assert store(b)["state"] == "up"
    strange = b.admin.metrics()["segue_store_strange_total"]
    assert strange == (what in ("list", "a megabyte")), strange
    assert not fails_by_chance(site)


def test_not_redis(rig):
    """Whoever listens there: it is told, and nothing hangs on it."""
    site = Site(rig, "none", n=1)
    s = site.add({"type": "redis", "address": site.ia.address})
    wait_until(lambda: store(s)["why"] in ("broken", "closed", "no_answer"),
               5, "it")
    assert flow(s) is None


def test_wrong_password(rig):
    redis = Redis(rig, password="right")
    path = f"{rig.dir}/password"
    with open(path, "w", encoding="ascii") as f:
        f.write("wrong-and-secret\n")
    site = Site(rig, of_redis(redis, password_file=path), n=1)
    s = site.proxies[0]
    wait_until(lambda: store(s)["why"] == "auth", 5, "auth")
    assert flow(s) is None
    assert "wrong-and-secret" not in s.log() + s.out()
    assert s.log().count("why=auth") <= 2, "told once a thread"
    with open(path, "w", encoding="ascii") as f:
        f.write("right\n")
    s.stop()
    s.start()
    site.wait_store()


def test_no_password(rig):
    redis = Redis(rig, password="right")
    s = Site(rig, of_redis(redis), n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "auth", 5, "auth")


def test_user_database_and_prefix(rig):
    redis = Redis(rig)
    redis.do("ACL", "SETUSER", "proxy", "on", ">secret", "~mine:*", "+set",
             "+getrange", "+del", "+ping", "+select")
    path = f"{rig.dir}/password"
    with open(path, "w", encoding="ascii") as f:
        f.write("secret\n")
    site = Site(rig, of_redis(redis, user="proxy", password_file=path,
                              database=3, prefix="mine:"))
    site.wait_store()
    assert not fails_by_chance(site)
    assert redis.keys() == [], "they are in database 3"
    assert "db3:keys=" in redis.do("INFO", "keyspace").decode()
    s = site.add(of_redis(redis, user="proxy", password_file=path,
                          database=3, prefix="other:"))
    wait_until(lambda: store(s)["state"] == "up", 5, "up")
    assert flow(s) is None
    m = s.admin.metrics()
    assert m['segue_store_refused_total{reason="denied"}'] > 0


def test_database_that_is_none(rig):
    redis = Redis(rig, "redis", "--databases", "2")
    s = Site(rig, of_redis(redis, database=7), n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "database", 5, "database")


def test_by_name(rig):
    redis = Redis(rig, port=True)
    site = Site(rig, {"type": "redis",
                      "address": f"localhost:{redis.port.number}"})
    site.wait_store()
    assert not fails_by_chance(site)


def test_name_that_is_none(rig):
    s = Site(rig, {"type": "redis", "address": "no.such.invalid:6379"},
             n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "no_name", 10, "no_name")
    assert flow(s) is None


# ---- sentinels ----

def test_sentinels_fail_over(rig):
    """Real ones; the master dies under load, with switches before and after,
    and a replica takes its place: users stay, codes are known, and sessions
    are counted right as soon as both proxies have found it."""
    first = Redis(rig, "first", port=True)
    second = Redis(rig, "second", "--replicaof", "127.0.0.1",
                   str(first.port.number), port=True)
    wait_until(lambda: b"master_link_status:up" in
               second.do("INFO", "replication"), 20, "a replica in step")
    sentinels = [Sentinel(rig, first, f"sentinel{i}", 2) for i in range(3)]

    def know(s):
        try:
            return s.ask("SENTINEL", "MASTER", "main")
        except (OSError, EOFError, ReplyError):
            return []

    def is_ready(s):
        fields = know(s)
        at = dict(zip(fields[::2], fields[1::2]))
        return at.get(b"num-slaves") == b"1" and \
            at.get(b"num-other-sentinels") == b"2"

    for s in sentinels:
        wait_until(lambda s=s: is_ready(s), 30, "sentinels that know all")
    site = Site(rig, {"type": "redis", "master": "main", "sentinels":
                      ["127.0.0.1:1"] + [s.address for s in sentinels]}, n=0)
    a, b = [site.add(cluster={"name": "sso", "member": m}) for m in "ab"]
    site.wait_store()
    wait_until(lambda: are_together(site.proxies), 10, "a cluster")
    assert not fails_by_chance(site)
    load = Load(a)
    try:
        codes = [login(a)[0] for _ in range(5)]
        b.do("switch", "v2")
        time.sleep(2.2)  # until both are told of all
        before, found = counts(site), shared(site.proxies)
        assert before[0] == before[1] and min(before[0]) > 0
        first.kill()
        wait_until(lambda: store(a)["state"] == "down", 5, "down")
        codes += [login(a)[0] for _ in range(5)]
        wait_until(lambda: all(n > m for n, m in zip(
            shared(site.proxies), found)), 20, "both to have found it")
        began, right = time.monotonic(), (before[0][0], before[0][1] + 5)
        wait_until(lambda: counts(site) == [right] * 2, 1 * rig.slower,
                   "counts that are right")
        print(f"right {time.monotonic() - began:.2f} s later")
        site.wait_store(seconds=20)
        wait_until(lambda: are_together(site.proxies), 10, "a cluster")
        a.do("switch", "v1")
        wait_until(lambda: store(a)["queued"] == 0, 3, "an empty queue")
        assert all(redeem(b, c).status == 200 for c in codes)
        assert "role:master" in second.do("INFO", "replication").decode()
    finally:
        load.end()


def test_sentinel_that_knows_an_old_master(rig):
    """Another one is asked."""
    redis = Redis(rig, port=True)

    class Gone:
        port = rig.port()

    old, good = Sentinel(rig, Gone, "old", 1), Sentinel(rig, redis, "good", 1)
    site = Site(rig, {"type": "redis", "master": "main",
                      "sentinels": [old.address, good.address]}, n=1)
    site.wait_store()


def test_sentinels_that_are_gone(rig):
    s = Site(rig, {"type": "redis", "master": "main",
                   "sentinels": ["127.0.0.1:1"]}, n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "no_sentinel", 5, "no_sentinel")


def test_socket_that_is_none(rig):
    s = Site(rig, {"type": "redis", "address": f"unix:{rig.dir}/none"},
             n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "no_file", 5, "no_file")


def test_name_that_sentinels_do_not_know(rig):
    redis = Redis(rig, port=True)
    sentinel = Sentinel(rig, redis, "sentinel", 1)
    s = Site(rig, {"type": "redis", "master": "other",
                   "sentinels": [sentinel.address]}, n=1).proxies[0]
    wait_until(lambda: store(s)["why"] == "no_master", 10, "no_master")
