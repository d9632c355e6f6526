"""Records of sessions: how many there are, where, since when; and what an
operator orders for them."""
import json
import re
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once

DOCUMENT = "Sec-Fetch-Dest: document\r\n"


@pytest.fixture
def s(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(pool("v1", [a], share="100%"),
                              pool("v2", [b]), sticky={"idle": "30s"}))


def sessions(s, name="v1"):
    return s.admin.pool(name)["sessions"]


def records(s, *more):
    return json.loads(s.do("sessions", "list", "--json", *more).out)


def cookie_of(answer):
    return "Cookie: " + answer.field("Set-Cookie").split(";")[0] + "\r\n"


def user(s):
    """A session, as its Cookie line, and its key."""
    cookie = cookie_of(once(s.address))
    return cookie, records(s)["sessions"][0]["key"]


def test_each_is_counted_once(s):
    """Over all connections and workers, and not who has left for another."""
    cookies = [cookie_of(once(s.address)) for _ in range(20)]
    assert sessions(s) == 20
    for c in cookies * 5:
        assert once(s.address, fields=c).version == "v1"
    assert sessions(s) == 20
    s.do("sessions", "move", "--pool", "v1", "--to", "v2")
    for c in cookies[:15]:
        assert once(s.address, fields=c + DOCUMENT).version == "v2"
    assert (sessions(s), sessions(s, "v2")) == (5, 15)
    r = records(s, "--last", "7", "--pool", "v2")
    assert r["n"] == 20 and len(r["sessions"]) == 7
    assert {x["pool"] for x in r["sessions"]} == {"v2"}


def test_ends_when_idle(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b]),
                           sticky={"idle": "2s"}))
    cookie, _ = user(s)
    once(s.address)
    assert sessions(s) == 2
    for _ in range(6):
        once(s.address, fields=cookie)
        time.sleep(0.5)
    wait_until(lambda: sessions(s) == 1, 3, "the end of the other")
    wait_until(lambda: sessions(s) == 0, 6, "the end of both")


def test_ends_with_its_pin(rig):
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a], share="100%"),
                           sticky={"idle": "2s", "max": "3s"}))
    cookie, key = user(s)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        once(s.address, fields=cookie)  # a new session when it has ended
        time.sleep(0.3)
    assert s.segue("sessions", "show", key).code == 1
    assert records(s)["sessions"]


def test_one_is_shown_by_the_key_of_the_access_log(s):
    cookie, key = user(s)
    once(s.address)
    time.sleep(1.1)
    once(s.address, fields=cookie)
    wait_until(lambda: [x.get("session") for x in s.access()].count(key) == 2,
               3, "both lines")
    one, = json.loads(s.do("sessions", "show", key,
                           "--json").out)["sessions"]
    assert one["pool"] == "v1" and one["order"] is None
    assert one["first_seen"] < one["last_seen"] < one["ends"]
    out = s.do("sessions", "show", key).out
    assert re.search(rf"{key} +v1 ", out) and "FIRST SEEN" in out


def test_one_is_moved_at_a_safe_point(s):
    mine, key = user(s)
    other, _ = user(s)
    out = s.do("sessions", "move", key, "--to", "v2").out
    assert f"session {key} goes to v2 at the next safe point" in out
    one, = json.loads(s.do("sessions", "show", key,
                           "--json").out)["sessions"]
    assert (one["order"], one["to"]) == ("move", "v2")
    with Client(s.address) as c:
        assert c.post("/form", b"a=b", fields=mine).version == "v1"
        a = c.get("/page", fields=mine + DOCUMENT)
        assert a.version == "v2"
        moved = cookie_of(a)
        assert c.post("/form", b"a=b", fields=moved).version == "v2"
        assert c.get("/page", fields=moved + DOCUMENT).version == "v2"
    assert once(s.address, fields=other + DOCUMENT).version == "v1"
    causes = s.admin.pool("v2")["causes"]
    assert {k: n for k, n in causes.items() if n} == {"moved_order": 1,
                                                      "pin": 2}
    one, = json.loads(s.do("sessions", "show", key,
                           "--json").out)["sessions"]
    assert (one["pool"], one["order"]) == ("v2", None)


def test_evicted_now_and_after_a_restart(s):
    mine, key = user(s)
    s.do("sessions", "evict", key, "--to", "v2")
    s.stop()
    s.start()
    a = once(s.address, "/form", method="POST", fields=mine)
    assert a.version == "v2" and a.field("Set-Cookie")


def test_evicting_a_pool_empties_it(s):
    cookies = [cookie_of(once(s.address)) for _ in range(5)]
    r = s.segue("sessions", "evict", "--pool", "v1")
    assert r.code == 3 and "--to POOL names another" in r.err, r.err
    s.do("share", "v2", "50%")
    s.do("sessions", "evict", "--pool", "v1", "--to", "v2")
    wait_until(lambda: sessions(s) == 0, 3, "nobody with a pin that is good")
    assert all(once(s.address, fields=c).version == "v2" for c in cookies)
    assert sessions(s, "v2") == 5


def test_all_by_the_shares(s):
    """A canary's users go home, and who began later is not asked."""
    s.do("share", "v2", "100%")
    cookies = [cookie_of(once(s.address)) for _ in range(6)]
    s.do("share", "v1", "100%")
    assert once(s.address, fields=cookies[0] + DOCUMENT).version == "v2"
    s.do("sessions", "move", "--all")
    assert {once(s.address, fields=c + DOCUMENT).version
            for c in cookies} == {"v1"}
    assert (sessions(s), sessions(s, "v2")) == (6, 0)


def test_a_drain_ends_when_the_last_has_moved(s):
    """Nobody waits for the idle time of who is elsewhere."""
    cookies = [cookie_of(once(s.address)) for _ in range(3)]
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "keep", "--grace", "60s")
    assert "3 sessions" in s.admin.pool("v1")["holds"]
    s.do("sessions", "move", "--pool", "v1")
    for c in cookies:
        assert once(s.address, fields=c + DOCUMENT).version == "v2"
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained", 6, "drained")


def page(s, cookie):
    """What a browser has after the next page: its version, its cookie."""
    a = once(s.address, fields=cookie + DOCUMENT)
    return a.version, cookie_of(a) if a.field("Set-Cookie") else cookie


def test_who_may_stay_is_not_meant_again(s):
    """By the shares he is where he belongs; when these grow, nobody who was
    there is placed anew."""
    cookies = [cookie_of(once(s.address)) for _ in range(4)]
    s.do("sessions", "move", "--all")
    later = cookies[2:]
    pages = [page(s, c) for c in cookies[:2]]
    assert {v for v, _ in pages} == {"v1"}
    assert [x["order"] for x in records(s)["sessions"]].count(None) == 2
    s.do("share", "v2", "100%")
    assert {page(s, c)[0] for _, c in pages} == {"v1"}
    assert {page(s, c)[0] for c in later} == {"v1"}, "the order is over"


def test_the_way_back_forgets_orders(s):
    """To a version that was left for bad nobody is led any more."""
    u, w = (cookie_of(once(s.address)) for _ in range(2))
    s.do("switch", "v2")
    s.do("sessions", "move", "--pool", "v1", "--to", "v2")
    v, u = page(s, u)
    assert v == "v2"
    s.do("switch", "v1", "--drain", "--mode", "move")
    assert page(s, w)[0] == "v1"
    assert page(s, u)[0] == "v1"
    r = s.segue("sessions", "move", "--pool", "v1", "--to", "v2")
    assert r.code == 3 and "draining" in r.err


def test_the_last_word_counts(s):
    mine, key = user(s)
    s.do("share", "v2", "50%")
    s.do("sessions", "move", "--pool", "v1", "--to", "v2")
    s.do("sessions", "move", "--pool", "v1", "--to", "v1")
    assert page(s, mine)[0] == "v1", "taken back"
    s.do("sessions", "move", key, "--to", "v1")
    s.do("sessions", "evict", "--pool", "v1", "--to", "v2")
    assert page(s, mine)[0] == "v2"


def test_an_old_cookie_counts_for_nobody(s):
    """Another tab's, or a copy: who has moved has moved."""
    mine, key = user(s)
    s.do("sessions", "move", key, "--to", "v2")
    assert page(s, mine)[0] == "v2"
    once(s.address, "/form", method="POST", fields=mine)
    assert (sessions(s), sessions(s, "v2")) == (0, 1)


def test_a_pool_without_a_share_serves_whom_it_was_given(rig):
    """And is drained like any other."""
    a = rig.scripted("v1", "a")
    b = [rig.scripted("v2", n) for n in ("b", "c")]
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", b)))
    mine, key = user(s)
    s.do("sessions", "move", key, "--to", "v2")
    v, mine = page(s, mine)
    assert (v, s.admin.pool("v2")["state"]) == ("v2", "active")
    b[0].deafen()
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 1, 10, "one of two")
    assert once(s.address, "/f", method="POST", fields=mine).version == "v2"
    assert s.do("drain", "v2", "--mode", "move")
    assert page(s, mine)[0] == "v1"


def test_a_reload_without_the_target_moves_nobody(rig):
    a, b, c = (rig.scripted(f"v{n}", x) for n, x in enumerate("abc", 1))
    three = [pool("v1", [a]), pool("v2", [b]), pool("v3", [c], share="100%")]
    s = rig.segued(service(*three))
    mine, _ = user(s)
    s.do("share", "v1", "100%")
    s.do("sessions", "move", "--pool", "v3", "--to", "v2")
    s.config["services"] = [service(three[0], three[2])]
    s.write_config()
    s.do("reload")
    assert page(s, mine)[0] == "v3"


def test_those_of_one_pool_hide_nothing_of_another(rig):
    """A flood of new ones on v2: v1's drain ends when its last has gone."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b]),
                           sticky={"records": 5, "idle": "20s"}))
    mine, _ = user(s)
    s.do("switch", "v2")
    for _ in range(8):
        once(s.address)
    s.do("drain", "v1", "--mode", "move", "--grace", "60s")
    assert page(s, mine)[0] == "v2"
    once(s.address)
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained", 6, "drained")


def test_bound(rig):
    """More than may be are served as well, and said to be unknown."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b]),
                           sticky={"records": 3, "idle": "3s"}))
    cookies = [cookie_of(once(s.address)) for _ in range(5)]
    assert all(once(s.address, fields=c).version == "v1" for c in cookies)
    r = records(s)
    assert r["n"] == 3 and r["lost"] >= 2
    assert s.admin.metrics()['segue_sessions_lost_total{service="web"}'] >= 2
    s.do("switch", "v2")
    s.do("drain", "v1", "--mode", "keep", "--grace", "30s")
    wait_until(lambda: sessions(s) == 0, 8, "the end of three")
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained", 8, "drained")


WRONG = [
    (["move"], 2, "whose?"),
    (["evict", "--all", "--pool", "v1"], 2, "whose?"),
    (["move", "nonsense", "--to", "v2"], 2, "8c1f00d2a94be673"),
    (["move", "00000000000000ff", "--to", "v9"], 2, "has no pool v9"),
    (["show"], 2, "needs the KEY"),
    (["show", "xyz"], 2, '"xyz" is no key'),
    (["show", "00000000000000ff"], 1, "no such session of web"),
    (["list", "00000000000000ff"], 2, "takes no KEY"),
    (["list", "--to", "v2"], 2, "--to is for sessions move and evict"),
    (["list", "--last", "0"], 2, "1..1000"),
    (["list", "--pool", "v9"], 2, 'no pool "v9"'),
    (["list", "--pool", "v1&pool=v2"], 2, "there is no pool v1&pool=v2"),
    (["show", "00000000000000ff", "--pool", "v1"], 2, "for sessions list"),
    (["--all"], 2, "--all is for sessions move and evict"),
    (["mvoe", "--all"], 2, "did you mean move"),
]


def test_mistakes_are_told(s):
    for words, code, says in WRONG:
        r = s.segue("sessions", *words)
        assert r.code == code and says in r.err + r.out, (words, r)
