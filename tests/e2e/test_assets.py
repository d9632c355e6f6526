"""Files of one version's pages, asked for while the other serves."""
import collections
import http.client
import time

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once

TAGS = {"v1": "aaaaa", "v2": "bbbbb"}


def themed(version):
    """As Keycloak does it: what is under another's tag is elsewhere, or here
    by a redirection; a name with a hash is there or not."""
    def script(conn):
        while (r := conn.request()) is not None:
            parts = r.target.split("/")
            if parts[1] != "resources":
                conn.answer(version.encode())
            elif parts[2] == TAGS[version]:
                conn.answer(f"{version} {parts[3]}".encode())
            elif parts[3].startswith("hashed") or parts[2] == "zzzzz":
                conn.answer(b"", "404 Not Found")
            else:
                conn.answer(b"", "307 Temporary Redirect",
                            f"Location: /resources/{TAGS[version]}/"
                            f"{parts[3]}\r\n")
    return script


def site_of(rig, **more):
    rig.a = rig.scripted("v1", "a", themed("v1"))
    rig.b = rig.scripted("v2", "b", themed("v2"))
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]),
        assets=["/resources"], **more))


def targets(instance):
    return [r.target for r in instance.requests]


def test_pages_have_their_files(rig):
    """Of both versions, for sessions of either, and none of them moves."""
    s = site_of(rig)
    s.do("share", "v2", "50%")
    cookies = {v: dict([s.do("pin", v).out.split(";")[0].split("=", 1)])
               for v in TAGS}
    for of in TAGS:
        for session in TAGS:
            with Client(s.address, cookies=cookies[session]) as c:
                for name in ("main.css", "hashed-7.js"):
                    a = c.get(f"/resources/{TAGS[of]}/{name}")
                    assert a.status == 200 and \
                        a.body == f"{of} {name}".encode(), (of, session, a)
                    assert a.field("set-cookie") is None, a.head
                assert c.get("/").body == session.encode()
    # Each pool was asked for what it lacks once, and then no more.
    assert len([t for t in targets(rig.a) if "bbbbb" in t]) == 1
    assert len([t for t in targets(rig.b) if "aaaaa" in t]) == 1
    assert s.admin.pool("v1")["causes"]["asset"] == 2
    assert s.admin.pool("v2")["causes"]["asset"] == 2
    assert s.admin.metrics()['segue_retries_total{service="web"}'] == 2


def broken(conn):
    while (r := conn.request()) is not None:
        conn.answer(b"", "500 No")
        del r


def test_who_has_no_users_gets_none(rig):
    """A pool that is not in use yet is asked for no file, but by who tries
    it; one that fails is not asked again."""
    s = site_of(rig)
    with Client(s.address) as c:
        assert c.get("/resources/bbbbb/main.css").status == 307
    assert targets(rig.b) == []
    cookie = s.do("pin", "v1").out.split(";")[0]
    with Client(s.address) as c:
        a = c.get("/resources/bbbbb/main.css", fields=f"Cookie: {cookie}\r\n")
        assert a.status == 200
    s.do("share", "v2", "1%")
    rig.b.script = broken
    for conn in rig.b.connections:
        conn.close()
    with Client(s.address, cookies=dict([cookie.split("=", 1)])) as c:
        for _ in range(3):
            assert c.get("/resources/bbbbb/main.css").status == 307
    assert len([t for t in targets(rig.b) if "bbbbb" in t]) <= 3


def test_one_file_of_a_version_is_missing(rig):
    """That its pool lacks one file says nothing of the others."""
    def some(have):
        def script(conn):
            while (r := conn.request()) is not None:
                name = r.target.rsplit("/", 1)[-1]
                if name in have:
                    conn.answer(name.encode())
                else:
                    conn.answer(b"", "404 Not Found")
        return script

    rig.a = rig.scripted("v1", "a", some(["one", "both"]))
    rig.b = rig.scripted("v2", "b", some(["two", "both"]))
    s = rig.segued(service(
        pool("v1", [rig.a], share="50%"), pool("v2", [rig.b], share="50%"),
        assets=["/img"]))
    cookie = dict([s.do("pin", "v1").out.split(";")[0].split("=", 1)])
    with Client(s.address, cookies=cookie) as c:
        assert c.get("/img/t/two").status == 200    # by the other
        assert c.get("/img/t/one").status == 200    # and back home
        assert c.get("/img/t/both").status == 200
        assert c.get("/img/t/none").status == 404
        assert c.get("/img/t/one").status == 200


def test_all_places_are_taken(rig):
    """One that has to wait for a place at the pool that has it gets it."""
    s = site_of(rig)
    pools = s.config["services"][0]["pools"]
    pools[1]["max_requests"] = 1
    pools[1]["queue"] = {"max": 10, "timeout": "5s"}
    s.write_config()
    s.do("reload")
    s.do("share", "v2", "50%")
    cookies = {v: dict([s.do("pin", v).out.split(";")[0].split("=", 1)])
               for v in TAGS}
    slow = themed("v2")

    def once_slow(conn):
        time.sleep(0.3)
        slow(conn)

    rig.b.script = once_slow
    for conn in rig.b.connections:
        conn.close()
    clients = [Client(s.address, cookies=cookies["v1"]) for _ in range(4)]
    for c in clients:
        c.ask("/resources/bbbbb/main.css")
    assert [c.answer().status for c in clients] == [200] * 4


def test_what_nobody_has(rig):
    s = site_of(rig)
    cookies = dict([s.do("pin", "v1").out.split(";")[0].split("=", 1)])
    s.do("share", "v2", "1%")
    for _ in range(5):
        assert once(s.address, "/resources/zzzzz/x",
                    cookies=cookies).status == 404
    # asked at both, then for a while at the session's own alone
    assert len(targets(rig.b)) == 1 and len(targets(rig.a)) == 5
    # Who changes something is not asked elsewhere; nor is anything beside it.
    with Client(s.address, cookies=cookies) as c:
        assert c.post("/resources/bbbbb/x").status == 307
        assert c.get("/resourcesx/bbbbb").body == b"v1"
    assert len(targets(rig.b)) == 1


def test_through_a_cutover(rig):
    """Pages of V1 that are still open are whole until V1 is gone; then V2
    says what it says."""
    s = site_of(rig, drain={"flows": "1s", "requests": "1s", "mode": "move"})
    seen = collections.Counter()

    def look():
        conn = http.client.HTTPConnection(s.address, timeout=10)
        conn.request("GET", "/resources/aaaaa/main.css")
        seen[conn.getresponse().status] += 1
        conn.close()

    s.do("share", "v2", "50%")
    for _ in range(40):
        look()
    s.do("switch", "v2")
    for _ in range(40):
        look()
    assert seen == {200: 80}, seen
    s.do("drain", "v1")
    wait_until(lambda: s.admin.pool("v1")["state"] == "drained", 20, "v1")
    look()
    assert seen == {200: 80, 307: 1}, seen
