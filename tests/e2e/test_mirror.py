"""A step that copies requests to the new pool: what is copied, what is not,
and what follows from how it is answered."""
from rig import wait_until
from rig.h2scripted import H2Scripted
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client
from test_rollout import DRAIN, rollout, shares, wait_stand

PATHS = ["/.well-known", "/get"]


def mirror(seconds, **more):
    return {"step": "mirror", "for": f"{seconds}s", **more}


def site_of(rig, steps, b=None, **more):
    rig.a = rig.scripted("v1", "a")
    rig.b = b or rig.scripted("v2", "b")
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b], **more),
        drain=DRAIN, mirror=PATHS, rollout={"steps": steps}))


def copied(instance):
    return [r for r in instance.requests if r.field("x-segue-mirror") == "1"]


def test_what_is_copied(rig):
    s = site_of(rig, [mirror(60, requests=1), "promote"])
    with Client(s.address) as c:
        c.get("/.well-known/x")
        s.do("rollout", "start", "--to", "v2")
        wait_until(lambda: rollout(s)["stand"] == "running")
        wait_until(lambda: c.get("/.well-known/go") and copied(rig.b),
                   what="the first copy")
        secret = ("Authorization: Bearer top\r\nCookie: kc=secret\r\n"
                  "Client-Cert: :abc:\r\nX-Custom: private\r\n"
                  "Accept: application/json\r\n")
        c.get("/.well-known/keys?x=1", fields=secret)
        c.ask("/.well-known/head", method="HEAD")
        c.answer()
        c.post("/.well-known/post")
        c.get("/other")
        c.get("/.well-known/..%2fother")
        c.get("/.well-known/last")

        def later():  # copies of the first may still be on their way
            return [r for r in rig.b.requests
                    if r.target != "/.well-known/go"]

        wait_until(lambda: len(later()) >= 3, what="three copies")
        seen = later()
        assert sorted(r.line for r in seen) == [
            "GET /.well-known/keys?x=1 HTTP/1.1",
            "GET /.well-known/last HTTP/1.1",
            "HEAD /.well-known/head HTTP/1.1"], [r.line for r in seen]
        keys = next(r for r in seen if "keys" in r.line)
        text = keys.head.decode().lower()
        for word in ("top", "secret", "abc", "private", "segue="):
            assert word not in text, text
        assert keys.field("accept") == "application/json"
        assert keys.field("host") == s.address
        assert keys.field("x-forwarded-for") == "127.0.0.1"
    s.do("rollout", "abort")
    with Client(s.address) as c:
        c.get("/.well-known/after")
    assert "/.well-known/after" not in [r.target for r in rig.b.requests]
    wait_until(lambda: s.admin.pool("v2")["in_flight"] == 0)


def test_under_load(rig):
    """Nobody sees anything of it, and it is done."""
    site = Site(rig, drain=DRAIN, mirror=PATHS, rollout={"steps": [
        "ready", mirror(2, requests=50), "promote", "drain"]})
    site.start_load()
    site.segued.do("rollout", "start", "--to", "v2", "--wait")
    site.finish()
    told = rollout(site.segued)
    assert told["stand"] == "done", told
    assert "mirror 2s" in site.segued.do("rollout", "report").out


def fails(conn):
    while (r := conn.request()) is not None:
        conn.answer(b"", "500 No")
        del r


def hangs(conn):
    while conn.request() is not None:
        pass


def cuts(conn):
    while conn.request() is not None:
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        conn.close()


def test_what_is_answered_otherwise(rig):
    """The new version is bad in one way or the other; V1's users never know."""
    for bad in (fails, cuts, hangs):
        rig.a = rig.scripted("v1", f"a{bad.__name__}")
        rig.b = rig.scripted("v2", f"b{bad.__name__}", bad)
        s = rig.segued(service(
            pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]),
            drain=DRAIN, mirror=PATHS, rollout={"steps": [
                mirror(60, requests=10), "promote"]}),
            name=f"segued-{bad.__name__}")
        s.do("rollout", "start", "--to", "v2")
        with Client(s.address) as c:
            def asked():
                assert c.get("/get").status == 200
                return rollout(s)["stand"] != "running"

            wait_until(asked, 40, bad.__name__)
        told = wait_stand(s, "rolled_back")
        assert "otherwise (100.0%)" in told["why"], told
        assert shares(s) == {"v1": 10000, "v2": 0}
        wait_until(lambda: s.admin.pool("v2")["in_flight"] == 0, 15,
                   "the copies' end")


def test_too_few(rig):
    s = site_of(rig, [mirror(0.3), "promote"])
    s.do("rollout", "start", "--to", "v2")
    told = wait_stand(s, "paused")
    assert told["why"].startswith("not enough to conclude from"), told


def test_over_http2(rig):
    """Copies of an HTTP/1 request to a pool that speaks HTTP/2."""
    s = site_of(rig, [mirror(60, requests=5), "promote"],
                b=H2Scripted(rig, "v2", "b"), protocol="h2c")
    s.do("rollout", "start", "--to", "v2")
    with Client(s.address) as c:
        wait_until(lambda: c.get("/get").status == 200 and
                   len([r for r in rig.b.requests if r.target == "/get"]) > 9,
                   what="ten copies")
    assert rollout(s)["stand"] == "running"
    s.stop()
