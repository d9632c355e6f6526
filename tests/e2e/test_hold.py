"""A service that is held: its requests wait, bounded, and are sent on at a
pace; an upgrade whose versions must not run side by side."""
import os
import threading
import time

from rig import wait_until
from rig.h2wire import H2, headers, request
from rig.load import say
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, once
from test_rollout import DRAIN, rollout, shares, wait_stand
from test_rollout_jobs import job


def held(s):
    return s.admin.status()["services"][0]["hold"]


def site_of(rig, hold=None, workers=2, **more):
    rig.a, rig.b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]), drain=DRAIN,
        hold=hold or {}, share_key="request", **more), workers=workers)


def ask(s, n, path="/x", method="GET", body=b""):
    """So many clients that have asked and wait."""
    clients = [Client(s.address) for _ in range(n)]
    for c in clients:
        c.ask(path, method=method, body=body)
    return clients


def answers(clients):
    found = [c.answer() for c in clients]
    for c in clients:
        c.close()
    return found


# ---- what waits ----

def test_waits_and_goes_to_who_serves_then(rig):
    """Where it goes is decided when it is released."""
    s = site_of(rig)
    r = s.do("hold")
    assert r.out == 'requests wait; "segue release" sends them on\n', r
    clients = ask(s, 20) + ask(s, 5, method="POST", body=b"q" * 1000)
    wait_until(lambda: held(s)["held"] == 25, what="25 to be held")
    assert rig.a.requests == [] and rig.b.requests == []
    shown = s.do("status").out
    assert "all requests wait, for" in shown and "25 of 1,000 at most" \
        in shown, shown
    s.do("switch", "v2")
    s.do("release")
    got = answers(clients)
    assert [a.status for a in got] == [200] * 25
    assert len(rig.b.requests) == 25 and rig.a.requests == []
    h = held(s)
    assert (h["what"], h["held"], h["held_ever"], h["released"]) == \
        ("none", 0, 25, 25), h
    r = s.segue("release")
    assert r.code == 3 and "web is not held" in r.err, r
    assert s.admin.status()["accounting"]["holds"] is True


def test_writes_alone(rig):
    """Reads go on; what is a write is said by method and by path."""
    s = site_of(rig, {"writes": ["/login"], "never": ["/login/health"]})
    s.do("hold", "--writes")
    assert once(s.address, "/x").status == 200
    assert once(s.address, "/login/health").status == 200
    assert once(s.address, "/loginx").status == 200
    clients = ask(s, 1, method="POST") + ask(s, 1, method="DELETE") + \
        ask(s, 1, "/login") + ask(s, 1, "/login/x?y") + \
        ask(s, 1, "/a/../login/x") + ask(s, 1, "/%6cogin") + \
        ask(s, 1, "/login/health/../x")
    wait_until(lambda: held(s)["held"] == len(clients), what="all held")
    # The other class: those that are no writes are held now, too.
    s.do("hold")
    more = ask(s, 3)
    wait_until(lambda: held(s)["held"] == len(clients) + 3, what="more")
    s.do("hold", "--writes")
    assert [a.status for a in answers(more)] == [200] * 3
    assert held(s)["held"] == len(clients)
    s.do("release")
    assert [a.status for a in answers(clients)] == [200] * len(clients)


def test_over_http2(rig):
    s = site_of(rig)
    s.do("hold")
    with H2(s.address) as h:
        ids = list(range(1, 21, 2))
        for i in ids:
            h.send(headers(i, request("/x")))
        wait_until(lambda: held(s)["held"] == 10, what="ten")
        s.do("release")
        for i in ids:
            assert h.answer(i) == 200


def test_copies(rig):
    """Discovery and keys are there for all while nobody could be asked."""
    rig.a = rig.nginx("v1", "a")
    s = rig.segued(service(pool("v1", [rig.a], share="100%"),
                           hold={"copies": ["/get"]}))
    with H2(s.address) as h:
        h.send(headers(1, request("/get")))
        assert h.answer(1) == 200
        for _ in range(20):  # whichever worker has seen it
            assert once(s.address, "/get").body == b"v1 a \n"
        s.do("hold")
        rig.a.stop()
        for i in range(20):
            a = once(s.address, "/get")
            assert a.status == 200 and a.body == b"v1 a \n", a
            assert a.field("content-type") == "text/plain" and a.field("age")
        h.send(headers(3, request("/get")))
        assert h.answer(3) == 200
        waits = Client(s.address)
        waits.ask("/who")
        wait_until(lambda: held(s)["held"] == 1, what="one that waits")
        rig.a.start()
        wait_until(lambda: s.admin.pool("v1")["eligible"], what="v1")
        s.do("release")
        assert waits.answer().status == 200
    a = s.admin.status()["services"][0]
    assert a["outcomes"]["copy"] == 21, a["outcomes"]
    assert a["accounting"]["ours"] == 21 and a["accounting"]["holds"], a


# ---- bounds ----

def test_bounds(rig):
    """More than max, or longer than wait: 503 with Retry-After, counted."""
    s = site_of(rig, {"max": 10, "wait": "2s", "retry_after": "7s"})
    s.do("hold")
    began = time.monotonic()
    clients = ask(s, 10)
    wait_until(lambda: held(s)["held"] == 10, what="ten")
    for _ in range(5):
        a = once(s.address)
        assert a.status == 503 and a.field("retry-after") == "7", a
    late = answers(clients)
    lasted = time.monotonic() - began
    assert [(a.status, a.field("retry-after")) for a in late] == \
        [(503, "7")] * 10
    assert 1.9 < lasted < 2.5 + rig.slower, lasted
    o = s.admin.status()["services"][0]["outcomes"]
    assert (o["hold_full"], o["hold_timeout"]) == (5, 10), o
    assert rig.a.requests == []


def test_who_has_left_is_not_sent_on(rig):
    s = site_of(rig)
    s.do("hold")
    gone, stays = ask(s, 10), ask(s, 5)
    wait_until(lambda: held(s)["held"] == 15, what="fifteen")
    for c in gone:
        c.close()
    time.sleep(0.2)
    s.do("release")
    assert [a.status for a in answers(stays)] == [200] * 5
    wait_until(lambda: held(s)["held"] == 0, what="none")
    assert len(rig.a.requests) == 5
    assert s.admin.status()["services"][0]["outcomes"]["client_left"] == 10


def test_pace(rig):
    """2,000 that wait are sent on, none is lost, and never faster than it
    may be."""
    s = site_of(rig, {"max": 2000, "wait": "60s", "pace": 1000})
    s.do("hold")
    stamps, lock = [], threading.Lock()

    def note(conn):
        while (r := conn.request()) is not None:
            with lock:
                stamps.append(time.monotonic())
            conn.answer(b"ok")
            del r

    rig.b.script = note
    clients = ask(s, 1000)
    wait_until(lambda: held(s)["held"] == 1000, 20, "a thousand")
    clients += ask(s, 1000)
    wait_until(lambda: held(s)["held"] == 2000, 20, "two thousand")
    assert once(s.address).status == 503, "one more than there may be"
    s.do("switch", "v2")
    s.do("release")
    assert [a.status for a in answers(clients)] == [200] * 2000
    assert len(stamps) == 2000 and rig.a.requests == []
    stamps.sort()
    assert stamps[-1] - stamps[0] > 1.9
    o = s.admin.status()["services"][0]
    assert o["hold"]["released"] == 2000 and o["accounting"]["holds"], o


def test_wait_for_those_on_their_way(rig):
    """hold --wait: no write reaches anybody after it has returned."""
    s = site_of(rig)
    rig.a.release = threading.Event()

    def slow(conn):
        while (r := conn.request()) is not None:
            if r.method == "POST":
                conn.instance.release.wait(10)
            conn.answer(b"ok")

    rig.a.script = slow
    under_way = ask(s, 1, method="POST")
    wait_until(lambda: s.admin.pool("v1")["in_flight"] == 1, what="the post")
    r = s.segue("hold", "--writes", "--wait", "--timeout", "500ms")
    assert r.code == 4, r
    assert once(s.address).status == 200, "reads go on"
    rig.a.release.set()
    r = s.do("hold", "--writes", "--wait")
    assert "none of them is on its way any more" in r.out, r
    assert answers(under_way)[0].status == 200
    s.do("release")


# ---- and what else happens ----

def test_killed_and_reloaded(rig):
    """It is held after a crash, too, and other bounds are those of now."""
    s = site_of(rig, {"wait": "60s"})
    s.do("hold")
    s.kill_all()
    s.start(ready=False)
    assert held(s)["what"] == "all"
    clients = ask(s, 3)
    wait_until(lambda: held(s)["held"] == 3, what="three")
    s.config["services"][0]["hold"] = {"max": 4, "wait": "60s"}
    s.write_config()
    s.do("reload")
    clients += ask(s, 1)
    wait_until(lambda: held(s)["held"] == 4, what="four")
    assert once(s.address).status == 503
    s.do("release")
    assert [a.status for a in answers(clients)] == [200] * 4


def test_reload_takes_the_service_away(rig):
    s = site_of(rig, {"wait": "60s"})
    s.do("hold")
    clients = ask(s, 3)
    wait_until(lambda: held(s)["held"] == 3, what="three")
    s.config["services"][0]["name"] = "other"
    s.write_config()
    s.do("reload")
    assert [a.status for a in answers(clients)] == [503] * 3


def test_stop(rig):
    """What is held when we stop is told so in time."""
    s = site_of(rig, {"wait": "2s"})
    s.do("hold")
    clients = ask(s, 3)
    wait_until(lambda: held(s)["held"] == 3, what="three")
    s.stop()
    assert [a.status for a in answers(clients)] == [503] * 3


# ---- recreate ----

RECREATE = [
    {"step": "hold", "for": "30s"},
    {"step": "job", "job": "stop"}, "gone",
    {"step": "job", "job": "start", "no_return": "on"},
    {"step": "ready"}, "promote", "release"]


def switch_over(rig, **more):
    """V1 that a job stops, and V2 that one starts; the jobs ask us to."""
    site = Site(rig, drain=DRAIN, hold={"max": 2000, "wait": "20s"},
                rollout={"steps": RECREATE, "jobs": [
                    job(rig, "touch stop-it; until test -e stopped; do sleep "
                        "0.05; done", "stop"),
                    job(rig, "test ! -e broken || exit 5; touch start-it; "
                        "until test -e started; do sleep 0.05; done",
                        "start")], **more})
    for i in site.v2:
        i.stop()
    wait_until(lambda: not site.admin.pool("v2")["ready"], what="v2 down")

    def obey():
        while not rig.over:
            for word, act in (("stop-it", stop), ("start-it", start)):
                if os.path.exists(f"{rig.dir}/{word}"):
                    act()
            time.sleep(0.05)

    def stop():
        for i in site.v1:
            i.stop()
        done("stop-it", "stopped")

    def start():
        for i in site.v2:
            i.start()
        done("start-it", "started")

    def done(word, said):
        os.unlink(f"{rig.dir}/{word}")
        with open(f"{rig.dir}/{said}", "w", encoding="utf-8"):
            pass

    rig.over = False
    rig.obeys = threading.Thread(target=obey, daemon=True)
    rig.obeys.start()
    return site


def test_recreate_under_load(rig):
    """V1 is gone before V2 starts, and nobody has heard of it."""
    site = switch_over(rig)
    site.start_load()
    r = site.segued.do("rollout", "start", "--to", "v2", "--wait")
    rig.over = True
    site.wait_answers(500)
    final = site.load.stop()
    print(say(final))
    # Each session has lost its version, once; nobody has lost a request.
    assert final["failed"] == 0, final["samples"]
    assert final["bounces"] <= final["sessions"], final["samples"]
    site.check_posts(final)
    now = rollout(site.segued)
    assert now["stand"] == "done", r
    assert now["held_s"] > 0.1 and now["no_return"] == \
        {"step": 3, "passed": True}, now
    assert shares(site.segued) == {"v1": 0, "v2": 10000}


def test_recreate_fails_past_the_point(rig):
    """There is no way back: it stands still, held, and says so."""
    site = switch_over(rig)
    with open(f"{rig.dir}/broken", "w", encoding="utf-8"):
        pass
    s = site.segued
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "paused")
    rig.over = True
    assert r["why"] == "job start: exit status 5; there is no way back " \
        "since step 4, job start", r
    assert held(s)["what"] == "all"
    assert "no way back since step 4" in s.do("status").out
    r = s.segue("rollout", "rollback")
    assert r.code == 3 and "there is no way back since step 4" in r.err, r


def test_held_too_long(rig):
    """Its budget is over before the point: all is as it was."""
    steps = [{"step": "hold", "for": "1s"}, "approve", "promote", "release"]
    s = site_of(rig, rollout={"steps": steps})
    s.do("rollout", "start", "--to", "v2")
    r = wait_stand(s, "rolled_back")
    assert r["why"] == "requests were held for as long as they may be", r
    assert held(s)["what"] == "none" and 1 <= r["held_s"] < 2 + rig.slower, r
    assert once(s.address).status == 200
