"""Logins that are counted: a version at which fewer users get in, though all
its answers are well."""
import re
import time

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client
from test_rollout import DRAIN, rollout, shares, wait_stand

AUTH = "/realms/x/protocol/openid-connect/auth"
LOGINS = {"begin": ["/protocol/openid-connect/auth"], "cookie": "session",
          "within": "1s"}


def realm(*ends):
    """A login: its page, then an answer to what was sent; the last of ends
    goes on."""
    left = list(ends)

    def script(conn):
        while (r := conn.request()) is not None:
            if r.target.startswith(AUTH):
                conn.answer(b"<form>")
            elif r.line.startswith("POST /login"):
                status, fields = left.pop(0) if len(left) > 1 else left[0]
                conn.answer(b"", status, fields)
            else:
                conn.answer()
    return script


FOUND = "302 Found"
CODE = (FOUND, "Location: https://app.test/cb?state=1&code=abc\r\n")
AGAIN = ("200 OK", "")  # the form once more: a login that failed
ALL_WELL = [
    CODE,
    ("303 See Other", "Location: https://app.test/#state=1&id_token=e30\r\n"),
    (FOUND, "Location: https://sp.test/acs?SAMLResponse=PHNh\r\n"),
    (FOUND, "Location: https://app.test/?response=e30\r\n"),
    ("200 OK", "Set-Cookie: a=b\r\nSet-Cookie: session=1; Path=/\r\n"),
]
NOT_DONE = [
    (FOUND, "Location: https://app.test/cb?error=access_denied&code=\r\n"),
    (FOUND, "Location: /more?session_code=1&response_type=code\r\n"),
    (FOUND, "Location: /more?next=/cb?code=1\r\n"),
    ("200 OK", "Location: /cb?code=1\r\n"),
    ("200 OK", "Set-Cookie: session=; Max-Age=0\r\n"),
    ("200 OK", "Set-Cookie: sessions=1\r\n"),
    AGAIN,
]


def site_of(rig, v1, v2, steps):
    return rig.segued(service(
        pool("v1", [rig.scripted("v1", "a", v1)], share="100%"),
        pool("v2", [rig.scripted("v2", "b", v2)]), drain=DRAIN,
        share_key="request", logins=LOGINS, rollout={"steps": steps}))


def log_in(c, cookies=None):
    """One user who comes for the first time, or with those cookies."""
    c.cookies = dict(cookies or {})
    c.get(AUTH + "?response_type=code")
    return c.post("/login?session_code=1")


def counted(s):
    m = s.admin.metrics()
    return {(p, point): m["segue_pool_logins_total"
                          f'{{service="web",pool="{p}",point="{point}"}}']
            for p in ("v1", "v2") for point in ("begun", "done")}


def test_what_is_one(rig):
    s = site_of(rig, realm(*ALL_WELL, *NOT_DONE), realm(AGAIN), ["promote"])
    with Client(s.address) as c:
        for _ in ALL_WELL + NOT_DONE:
            log_in(c)
    n = len(ALL_WELL)
    assert counted(s) == {
        ("v1", "begun"): n + len(NOT_DONE), ("v1", "done"): n,
        ("v2", "begun"): 0, ("v2", "done"): 0}


def test_what_is_none(rig):
    """Nobody who only looks, has a session, keeps no cookie, is late, or
    tries a pool."""
    s = site_of(rig, realm(CODE), realm(CODE), ["promote"])
    pin = dict([s.do("pin", "v2").out.split(";")[0].split("=", 1)])
    with Client(s.address) as c:
        log_in(c, pin)
        c.cookies = {}
        c.get(AUTH)
        c.get(AUTH)
        c.cookies = {}
        c.get("/x?a=/protocol/openid-connect/auth")
        c.post("/login")
        for _ in range(3):
            c.cookies = {}
            c.get(AUTH)
            c.cookies = {}
            c.post("/login")
        c.cookies = {}
        c.get(AUTH)
        time.sleep(2.1)
        c.post("/login")
    assert not any(counted(s).values()), counted(s)


def test_each_counts_once(rig):
    """A form that is sent twice, and a second login of the session."""
    s = site_of(rig, realm(AGAIN, CODE, CODE), realm(CODE), ["promote"])
    with Client(s.address) as c:
        c.get(AUTH)
        assert not c.post("/login").field("location")
        assert c.post("/login").field("location")
        c.get(AUTH)
        assert c.post("/login").field("location")
    n = counted(s)
    assert n["v1", "begun"] == n["v1", "done"] == 1, n


def test_who_is_being_moved_gets_no_old_pin(rig):
    """What comes late from the pool that sessions leave sets no cookie."""
    s = site_of(rig, realm(AGAIN), realm(CODE), ["promote"])
    with Client(s.address) as c:
        c.get(AUTH)
        s.do("switch", "v2", "--drain", "--mode", "move")
        a = c.post("/login")
        assert (a.version, a.set_cookie()) == ("v1", ""), a.head
        assert c.get(AUTH).version == "v2"
    assert counted(s)["v1", "begun"] == 0


ANALYZE = [{"step": "share", "share": "50%"},
           {"step": "analyze", "for": "7s", "logins": "20%", "requests": 1},
           "promote"]


def go(s, users, first="running"):
    """Users log in until the rollout goes on no more."""
    s.do("rollout", "start", "--to", "v2")
    with Client(s.address) as c:
        def ended():
            for _ in range(20):
                users(c)
            return rollout(s)["stand"] != first

        wait_until(ended, 40, "the end of it")
    return counted(s)


def test_fewer_get_in(rig):
    """Every answer of V2 is 200; nobody gets past its form."""
    s = site_of(rig, realm(CODE), realm(AGAIN), ANALYZE)
    n = go(s, log_in)
    assert n["v2", "begun"] > 20 < n["v1", "begun"] and not n["v2", "done"]
    r = wait_stand(s, "rolled_back")
    assert re.fullmatch(r"of \d+ logins that began at v2 0 came to their end "
                        r"\(0%\), elsewhere 100%", r["why"]), r
    assert shares(s) == {"v1": 10000, "v2": 0}
    assert s.admin.pool("v2")["status"].get("5xx", 0) == 0


def test_as_many_get_in(rig):
    """Users who come back are at V1 alone, and get in at once."""
    s = site_of(rig, realm(CODE), realm(CODE, AGAIN, CODE), ANALYZE)
    old = dict([s.do("pin", "v1").out.split(";")[0].split("=", 1)])

    def users(c):
        for _ in range(3):
            c.cookies = dict(old)
            c.post("/login")
        log_in(c)

    n = go(s, users)
    assert n["v2", "begun"] > 20 < n["v1", "begun"], n
    assert rollout(s)["stand"] == "done", rollout(s)


def test_too_few_get_that_far(rig):
    """A form that nobody can send: there is nothing to compare."""
    s = site_of(rig, realm(CODE), realm(CODE), ANALYZE)

    def users(c):
        c.cookies = {}
        if c.get(AUTH).version == "v1":
            c.post("/login")

    go(s, users)
    r = wait_stand(s, "paused")
    assert r["why"].startswith("not enough to conclude from: 0 logins began "
                               "at v2, "), r
