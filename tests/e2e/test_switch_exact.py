"""When exactly: the command's return is a border, and it comes soon."""
import json
import socket
import statistics
import threading
import time

import pytest

from rig import wait_until
from rig.admin import Stream
from rig.load import of_phase, on
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client


def now_us():
    return time.time_ns() // 1000


def switch(admin, pool_name):
    """When the command was sent and when its return came, in us."""
    body = json.dumps({"verb": "switch", "pool": pool_name}).encode()
    head = (f"POST /v1/command HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(admin.path)
        began = now_us()
        s.sendall(head + body)
        answer = s.recv(4096)
        ended = now_us()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return began, ended


def measure_switches(site, series):
    """[(command took, first new answer after)] of several, in us; that no
    session begins on the old version after the return is checked in each."""
    rows = []
    for i in range(8):
        new, old = ("v2", "v1") if i % 2 == 0 else ("v1", "v2")
        name = f"{series}.{i}"
        site.load.phase(name)
        began, ended = switch(site.admin, new)
        wait_until(lambda: on(of_phase(site.load.report(), name),
                              new)["sessions"] > 300, every=0.05)
        p = of_phase(site.load.report(), name)
        late = on(p, old)["last_session_sent_us"] - ended
        assert late < 0, f"a session began on {old} {late} us after"
        rows.append((ended - began, on(p, new)["first_session_us"] - began))
    return rows


@pytest.mark.alone
def test_switch_is_a_border(rig):
    """No session begins on the old version after the command has returned;
    the first answer of the new one comes within 5 ms of its being sent (the
    median; three series, as the machine may be busy).  One client never
    pauses: where timers tick each 4 ms, no session would begin in between."""
    site = Site(rig)
    site.start_load(session=1, think="50ms", eager=1)
    for series in range(3):
        rows = measure_switches(site, series)
        first = statistics.median(f for _, f in rows)
        print(f"commands took {sorted(t for t, _ in rows)} us, "
              f"first new answer after {sorted(f for _, f in rows)} us")
        if first <= 5000 * rig.slower:
            break
    site.finish()
    assert first <= 5000 * rig.slower, rows


def held(rig, drain):
    """V1 answers /held only when it is told to."""
    def script(conn):
        while (r := conn.request()) is not None:
            if r.target == "/held":
                conn.instance.release.wait(20)
            conn.answer()

    v1 = rig.scripted("v1", "a", script)
    v1.release = threading.Event()
    v2 = rig.scripted("v2", "b")
    return v1, rig.segued(service(pool("v1", [v1], share="100%"),
                                  pool("v2", [v2]), drain=drain))


def test_drain_waits_for_the_last_exchange(rig):
    """--wait names what holds it and returns at most 50 ms after the end."""
    v1, segued = held(rig, {"mode": "evict", "requests": "20s"})
    late = []
    for _ in range(5):
        v1.release.clear()
        segued.do("switch", "v1", "--when-ready", "--wait")
        with Client(segued.address) as c:
            c.ask("/held")
            v1.wait_request()
            wait = Stream(segued.admin, "drain", pool="v1", wait=True)
            wait_until(lambda: any(
                e == "progress" and d["in_flight"] == 1 and
                "1 request in flight" in d["holds"]
                for _, e, d in wait.rows), what="what it waits for")
            assert not any(e == "result" for _, e, _ in wait.rows)
            v1.release.set()
            assert c.answer().status == 200
            ended = now_us()
            at, result = wait.result()
        assert result["status"] == 200 and result["result"] == "done", result
        late.append(at - ended)
    print(f"drain returned {sorted(late)} us after the last exchange")
    assert statistics.median(late) <= 50_000 * rig.slower, late


def test_command_waits_as_the_api_does(rig):
    """The same through segue(1), its start and end included."""
    v1, segued = held(rig, {"mode": "evict", "requests": "20s"})
    with Client(segued.address) as c:
        c.ask("/held")
        v1.wait_request()
        done = []
        t = threading.Thread(target=lambda: done.append(
            (segued.segue("drain", "v1", "--wait"), now_us())))
        t.start()
        wait_until(lambda: segued.admin.pool("v1")["state"] == "draining")
        time.sleep(0.2)  # not a synchronisation: it must still wait then
        assert not done
        v1.release.set()
        c.answer()
        ended = now_us()
        t.join(10)
    cli, at = done[0]
    assert cli.code == 0, cli
    assert segued.admin.pool("v1")["state"] == "drained"
    print(f"segue drain --wait ended {at - ended} us after the exchange")
    assert at - ended <= 200_000 * rig.slower


def test_drain_wait_times_out_and_goes_on(rig):
    v1, segued = held(rig, {"mode": "evict", "requests": "20s"})
    with Client(segued.address) as c:
        c.ask("/held")
        v1.wait_request()
        r = segued.segue("drain", "v1", "--wait", "--timeout", "2500ms")
        assert r.code == 4, r
        assert "request" in r.out + r.err, r
        assert segued.admin.pool("v1")["state"] == "draining"
        v1.release.set()
        assert c.answer().status == 200
    wait_until(lambda: segued.admin.pool("v1")["state"] == "drained")


def test_drain_cuts_at_its_deadline(rig):
    """requests: 500ms: what is still under way then is cut, and counted."""
    v1, segued = held(rig, {"mode": "evict", "requests": "500ms"})
    with Client(segued.address) as c:
        c.ask("/held")
        v1.wait_request()
        began = time.monotonic()
        segued.do("drain", "v1", "--wait")
        took = time.monotonic() - began
        assert c.answer().status == 503
    assert 0.4 < took < 2, took
    assert segued.admin.status()["services"][0]["outcomes"]["drain_cut"] == 1
    v1.release.set()
