"""One of four instances goes bad while its probe passes, under load: what is
safe does not fail, it is ejected, and it comes back when it is well again."""
import threading
import time
from urllib.parse import parse_qsl

import pytest

from rig import wait_until
from rig.load import of_phase, say
from rig.segued import pool, service
from rig.wire import Client, once

QUICK = {"time": "1s", "max_time": "2s"}


def echo(request):
    """The field by which the load knows whose answer it has."""
    _, _, query = request.target.partition("?")
    return f"X-Echo: {dict(parse_qsl(query)).get('id', '')}\r\n"


class Patient:
    """A script whose instance falls ill and gets well."""

    def __init__(self, kind):
        self.kind, self.ill, self.well = kind, False, threading.Event()
        self.n = 0

    def __call__(self, conn):
        while (r := conn.request()) is not None:
            if not self.ill:
                conn.answer(b"ok", fields=echo(r))
            elif not getattr(self, self.kind)(conn, r):
                return

    def fall_ill(self, instance):
        self.ill = True
        if self.kind == "refuse":
            instance.deafen()
            for conn in instance.connections:
                conn.close()

    def recover(self, instance):
        self.ill = False
        self.well.set()
        if self.kind == "refuse":
            instance.listen()

    # ---- the illnesses; true: the connection goes on ----

    def hang(self, *_):
        self.well.wait(30)

    def reset(self, conn, _):
        conn.reset()

    def close(self, *_):
        pass

    refuse = close

    def half(self, conn, request):
        conn.send(f"HTTP/1.1 200 OK\r\nX-Version: v1\r\nX-Instance: bad\r\n"
                  f"{echo(request)}Content-Length: 100\r\n\r\nhalf".encode())

    def trickle(self, conn, request):
        conn.send(f"HTTP/1.1 200 OK\r\nX-Version: v1\r\nX-Instance: bad\r\n"
                  f"{echo(request)}Content-Length: 2\r\n\r\n".encode())
        for _ in range(2):
            self.well.wait(1)
            conn.send(b"x")
        return True

    def some_5xx(self, conn, request):
        self.n += 1
        if self.n % 100:
            conn.answer(b"ok", fields=echo(request))
        else:
            conn.answer(b"sorry", status="500 Internal Server Error")
        return True


def four(rig, kind, eject=None, **more):
    patient = Patient(kind)
    bad = rig.scripted("v1", "bad", patient)
    well = [rig.nginx("v1", f"a{i}") for i in range(3)]
    beside = rig.scripted("v1", "beside")  # answers the probes of all
    pool_keys = {k: more.pop(k) for k in ("balance",) if k in more}
    s = rig.segued(service(pool(
        "v1", [*well, bad], eject={**QUICK, **(eject or {})},
        # only what exchanges meet says that it is ill
        probe={"port": beside.port.number}, **pool_keys), **more))
    return patient, bad, s


def start(rig, s, bad, **options):
    load = rig.load(s, **{"clients": 40, "think": "5ms", "posts": 0,
                          **options})
    wait_until(lambda: len(bad.requests) > 20, what="its first requests")
    return load


def wait_ejected(s):
    def ejected():
        i = s.admin.instance("bad")
        assert i["health"] == "up", i
        return i["ejections"] > 0
    wait_until(ejected, 15, "its ejection")


def wait_back(s, bad):
    """It is in, and has traffic again."""
    wait_until(lambda: s.admin.instance("bad")["ejected_s"] == 0, 10)
    n = len(bad.requests)
    wait_until(lambda: len(bad.requests) > n + 20, 10, "traffic again")


def check_events(s):
    """It was told, to who watches and in the log."""
    told = s.do("events", "--last", "200").out
    for what in ("ejected for 1s: ", "in again after its ejection"):
        assert what in told, told
        assert s.log_has(f'instance=bad change="{what}'), what


HIDDEN = ["hang", "reset", "close", "refuse"]


@pytest.mark.parametrize("kind", HIDDEN)
def test_nobody_notices(rig, kind):
    patient, bad, s = four(rig, kind, timeouts={"first_byte": "300ms"})
    load = start(rig, s, bad)
    patient.fall_ill(bad)
    wait_ejected(s)
    patient.recover(bad)
    wait_back(s, bad)
    final = load.stop()
    print(say(final), s.admin.instance("bad"))
    assert final["failed"] == 0, (final["failures_safe"], final["samples"])
    assert final["answers"] == final["requests"]
    check_events(s)


def test_half_an_answer_is_seen_by_few(rig):
    """What went to the client cannot be taken back: ejection bounds it."""
    patient, bad, s = four(rig, "half", eject={"time": "30s",
                                               "max_time": "30s"})
    load = start(rig, s, bad)
    patient.fall_ill(bad)
    wait_ejected(s)
    n = s.admin.instance("bad")["requests"]
    wait_until(lambda: s.admin.instance("bad")["in_flight"] == 0)
    # what was cut until now has reached its clients
    cut = s.admin.status()["accounting"]["fault"]
    wait_until(lambda: load.report()["failed"] >= cut, what="all that was cut")
    load.phase("after")
    answers = load.report()["answers"] + 1000
    wait_until(lambda: load.report()["answers"] > answers, 20)
    final = load.stop()
    print(say(final), n)
    assert final["failed"] == cut
    assert set(final["failures_safe"]) == {"cut_within_answer"}, final["failures_safe"]
    assert of_phase(final, "after")["failures_safe"] == 0, final["phases"]
    # five, and what the others of 40 clients asked until all had heard
    assert 5 <= final["failed"] <= 60


def test_a_byte_a_second_is_slow_for_few(rig):
    """Ejected when one asks for it, by comparison with the others."""
    patient, bad, s = four(rig, "trickle", balance="round_robin", eject={
        "slow": 5, "window": "2s", "volume": 5})
    load = start(rig, s, bad)
    patient.fall_ill(bad)
    wait_ejected(s)
    assert s.admin.instance("bad")["ejected_why"] in (
        "slower than the others", "")
    patient.recover(bad)
    wait_back(s, bad)
    final = load.stop()
    assert final["failed"] == 0, (final["failures_safe"], final["samples"])


def test_one_5xx_in_a_hundred(rig):
    """Asked elsewhere when one says so; nobody is ejected for it."""
    patient, bad, s = four(rig, "some_5xx", retry={"statuses": [500]})
    load = start(rig, s, bad)
    patient.fall_ill(bad)
    wait_until(lambda: patient.n > 500, 20, "500 answers of it")
    final = load.stop()
    i = s.admin.instance("bad")
    assert final["failed"] == 0, (final["failures_safe"], final["samples"])
    assert i["status"]["5xx"] >= 4 and i["ejections"] == 0, i
    assert s.admin.status()["services"][0]["retries"] >= 4


def test_all_go_bad_and_some_stay(rig):
    """A pool is never emptied: half of it goes on, as bad as it is."""
    patients = [Patient("close") for _ in range(4)]
    bad = [rig.scripted("v1", f"bad{i}", p) for i, p in enumerate(patients)]
    s = rig.segued(service(pool("v1", bad, eject={"time": "1s"})))
    for p in patients:
        p.ill = True
    for _ in range(30):
        assert once(s.address).status == 502
    # asks on: who is ejected for a second may be back before one looks
    wait_until(lambda: once(s.address).status == 502 and
               sum(s.admin.instance(b.name)["ejected_s"] > 0
                   for b in bad) == 2)
    assert s.admin.pool("v1")["eligible"] == 4  # the probes' word
    m = s.admin.metrics()
    assert sum(v for k, v in m.items()
               if k.startswith("segue_instance_ejected{")) <= 2
    for p in patients:
        p.ill = False
    wait_until(lambda: all(s.admin.instance(b.name)["ejected_s"] == 0
                           for b in bad), 5)
    assert once(s.address).status == 200


def test_a_bound_holds_and_the_queue_is_seen(rig):
    """Never more at an instance than its bound; the others wait, in order,
    and are answered."""
    lock, state = threading.Lock(), {"now": 0, "most": 0}

    def script(conn):
        while (r := conn.request()) is not None:
            with lock:
                state["now"] += 1
                state["most"] = max(state["most"], state["now"])
            time.sleep(0.02)  # its work
            with lock:
                state["now"] -= 1
            conn.answer(b"ok", fields=echo(r))

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a], max_requests=4)))
    load = rig.load(s, clients=40, think="1ms", posts=20)
    seen = []
    wait_until(lambda: seen.append(s.admin.pool("v1")["queued"]) or
               len(a.requests) > 300, 20)
    final = load.stop()
    print(say(final), max(seen), state)
    assert final["failed"] == 0, final["samples"]
    assert max(seen) > 10
    assert state["most"] <= 4
    assert s.admin.pool("v1")["queued"] == 0
    assert s.admin.metrics()[
        'segue_pool_queued_total{service="web",pool="v1"}'] > 100


def test_a_queue_has_an_end(rig):
    """One is served, one waits, one is refused; who waits too long, too."""
    hold = threading.Event()

    def script(conn):
        while conn.request() is not None:
            hold.wait(20)
            conn.answer(b"ok")

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a], max_requests=1, queue={
        "max": 1, "timeout": "1s"})), workers=1)
    with Client(s.address) as c1, Client(s.address) as c2, \
            Client(s.address) as c3:
        c1.ask("/1")
        a.wait_request()
        c2.ask("/2")
        wait_until(lambda: s.admin.pool("v1")["queued"] == 1)
        c3.ask("/3")
        refused = c3.answer()
        assert refused.status == 503 and refused.field("retry-after")
        assert c2.answer().status == 503
        hold.set()
        assert c1.answer().status == 200
        assert c2.get("/4").status == 200  # its connection goes on
    outcomes = s.admin.status()["services"][0]["outcomes"]
    assert outcomes["queue_full"] == 1 and outcomes["queue_timeout"] == 1


def test_hash_leads_a_client_to_one_instance(rig):
    """And when that one dies to another, and to no third."""
    nginx = [rig.nginx("v1", f"a{i}") for i in range(4)]
    s = rig.segued(service(pool("v1", nginx, balance="hash"),
                           share_key="header:X-User",
                           sticky={"scope": "none"}))

    def who(user):
        names = {once(s.address, fields=f"X-User: {user}\r\n").instance
                 for _ in range(3)}
        assert len(names) == 1, names
        return names.pop()
    before = {u: who(u) for u in range(30)}
    assert len(set(before.values())) == 4
    nginx[0].kill()
    wait_until(lambda: s.admin.instance("a0")["health"] == "down")
    for u, was in before.items():
        now = who(u)
        assert now == was or was == "a0"
