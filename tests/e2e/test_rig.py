"""The tools themselves: load and nginx, without segued between them."""
from rig import wait_until
from rig.load import of_phase, on
from rig.site import posts_done_once
from rig.wire import Client, once


def test_load_sees_what_nginx_answers(rig):
    a = rig.nginx("v1", "a")
    load = rig.load(a, clients=200, think="5ms", session=5)
    wait_until(lambda: load.report()["answers"] > 2000)
    load.phase("second")
    wait_until(lambda: of_phase(load.report(), "second")["requests"] > 500)
    final = load.stop()
    assert final["failed"] == 0, final["samples"]
    assert final["requests"] == final["answers"]
    assert final["sessions"] > 200 and final["bounces"] == 0
    assert final["posts_answered"] > 0
    posts_done_once([a], final["posts_answered"])
    assert on(of_phase(final, "second"), "v1")["sessions"] > 0


def test_load_counts_failures_and_bounces(rig):
    """A driver that finds nothing proves nothing."""
    a = rig.nginx("v1", "a", arrivals=True)
    load = rig.load(a, clients=50, think="2ms", session=1000)
    wait_until(lambda: load.report()["posts_answered"] > 200)
    a.kill()
    wait_until(lambda: load.report()["failed"] > 100)
    a.version = "v2"
    a.start()
    wait_until(lambda: load.report()["answers"] > 1000)
    final = load.stop()
    assert final["failures_safe"].get("not_connected", 0) > 0
    assert len(final["posts_lost"]) == sum(final["failures_unsafe"].values())
    assert set(a.answered_ids()) <= set(a.arrived_ids())
    assert load.child.returncode == 1


def test_load_notices_a_bounce(rig):
    """Two versions by turns on one connection."""
    turn = iter(range(10**9))

    def script(conn):
        while (r := conn.request()) is not None:
            conn.instance.version = f"v{next(turn) % 2 + 1}"
            conn.answer(fields=f"X-Echo: {r.target.split('id=')[-1]}\r\n")

    a = rig.scripted("v1", "a", script)
    load = rig.load(a, clients=4, think="5ms", session=50)
    wait_until(lambda: load.report()["bounces"] > 10)
    final = load.stop()
    assert final["failed"] == 0 and "bounce" in final["samples"][0]


def test_nginx_locations(rig):
    a = rig.nginx("v1", "a")
    with Client(a.address) as c:
        assert c.get("/get?id=7").field("x-echo") == "7"
        assert c.post("/post?id=8", body=b"y" * 100000).status == 200
        assert len(c.get("/big").body) == 256 * 1024
        assert c.get("/slow/1").status == 200
        assert c.get("/health").status == 200
        a.set_ready(False)
        assert c.get("/health").status == 503
    assert once(a.address, "/nowhere").status == 404
    assert a.answered_ids() == ["8"]
