"""What strangers try: at the front door, at the admin port, from behind."""
import contextlib
import ctypes
import os
import select
import signal
import socket
import threading

from rig import wait_until
from rig.h2wire import END_HEADERS, H2, headers
from rig.segued import pool, service
from rig.wire import Client, Reader, once


def files_of(segued):
    return len(os.listdir(f"/proc/{segued.network_pid()}/fd"))


def connect(port, stack, wait=True):
    s = stack.enter_context(socket.socket())
    s.settimeout(5)
    if not wait:
        s.setblocking(False)
    s.connect_ex((port.host, port.number))
    return s


def test_idle_clients_leave_descriptors_for_others(rig):
    """Whoever is in is served, and operators get in."""
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])), workers=1,
                   start=False)
    s.start(["prlimit", "--nofile=160", *s.command("-c", s.config_path)])
    with Client(s.address) as c, contextlib.ExitStack() as stack:
        crowd = [connect(s.port, stack, wait=False) for _ in range(300)]
        wait_until(lambda: s.log_has("event=accept_paused"), what="a pause")
        assert c.get().status == 200
        assert s.admin.json("GET", "/v1/version")[0] == 200
        assert files_of(s) < 150 and len(crowd) == 300
    assert once(s.address).status == 200


def test_streams_leave_descriptors_for_others(rig):
    """A client of HTTP/2 may want many: what it cannot have is its own
    affair, not the instance's."""
    def tunnel(conn):
        if (r := conn.request()) is None:
            return
        if r.field("upgrade") is None:
            conn.answer(b"well")
            return
        conn.switch(r)
        conn.reader.rest()

    a = rig.scripted("v1", "a", tunnel)
    s = rig.segued(service(pool("v1", [a])), workers=1, start=False)
    s.start(["prlimit", "--nofile=160", *s.command("-c", s.config_path)])
    ask = [(":method", "CONNECT"), (":protocol", "websocket"),
           (":scheme", "http"), (":path", "/ws"), (":authority", "x")]
    said = []
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            c = stack.enter_context(H2(s.address))
            for n in range(1, 160, 2):
                c.send(headers(n, ask, END_HEADERS))
                assert c.until(lambda n=n: n in c.status), c.frames
                said += c.status[n]
        assert 90 < said.count(200) < 145 and set(said) == {200, 503}
        assert files_of(s) < 155
        assert s.admin.json("GET", "/v1/version")[0] == 200
        probes = s.admin.pool("v1")["instances"][0]["probes"]
        wait_until(lambda: s.admin.pool("v1")["instances"][0]["probes"] >
                   probes + 2)
        i = s.admin.pool("v1")["instances"][0]
        assert (i["health"], i["failures"], i["connect_failed"]) == (
            "up", 0, 0)
    assert s.admin.status()["services"][0]["outcomes"]["overload"] == \
        said.count(503)
    assert once(s.address).status == 200


def test_admin_port_is_crowded(rig):
    """Anybody on the machine may connect to it: that costs nobody else."""
    port = rig.port()
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])),
                   admin={"http": port.address})
    before = files_of(s)
    with contextlib.ExitStack() as stack:
        crowd = [connect(port, stack, wait=False) for _ in range(300)]
        wait_until(lambda: files_of(s) >= before + 60, what="the crowd")
        assert s.admin.json("GET", "/v1/version")[0] == 200
        assert once(s.address).status == 200
        assert files_of(s) < before + 80
        assert len(crowd) == 300
    with contextlib.ExitStack() as stack:
        late = connect(port, stack)
        late.sendall(b"GET /v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in Reader(late).head()


def test_events_keep_places_for_operators(rig):
    port = rig.port()
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])),
                   admin={"http": port.address})
    with contextlib.ExitStack() as stack:
        heads = []
        for _ in range(40):
            c = connect(port, stack)
            c.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            heads.append(Reader(c).head())
        assert sum(b" 200 " in h for h in heads) == 32
        assert sum(b" 503 " in h for h in heads) == 8
        mine = stack.enter_context(socket.socket(socket.AF_UNIX))
        mine.settimeout(5)
        mine.connect(s.socket)
        mine.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in Reader(mine).head()


def test_a_rule_is_not_walked_around(rig):
    """Only /realms is shown: no spelling of /admin behind it is."""
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a]), match=[{"path": "/realms"}]))
    assert once(s.address, "/realms/a%2Fb;v=1").status == 200
    for target in ("/admin", "/realms/../admin", "/realms/%2e%2e/admin",
                   "/realms/..%2fadmin", "/realms/..%252fadmin",
                   "/realms/..;/admin", "/realms/..\\admin",
                   "/realms/x%2f..%5c..%2fadmin", "//admin", "/realms;/x"):
        assert once(s.address, target).status in (400, 404), target
    assert [r.target for r in a.requests] == ["/realms/a%2Fb;v=1"]


def test_a_circle_ends(rig):
    """An instance that is our own listener: one request is a few, no more."""
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])), start=False)
    s.config["services"].append(service(
        pool("v1", [s.address], probe={"type": "tcp"}),
        name="circle", match=["circle.example"]))
    s.write_config()
    s.start()
    with Client(s.address) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: circle.example\r\n\r\n")
        assert b" 508 " in c.reader.head()
    assert s.admin.status()["accounting"]["accepted"] < 12


def test_nothing_of_a_pin_is_the_instances(rig):
    """It neither sees pins nor sets any."""
    def script(conn):
        while conn.request() is not None:
            conn.answer(fields="Set-Cookie: segue=evil\r\n"
                               "Set-Cookie: other=1\r\n")
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a])))
    with Client(s.address) as c:
        first = c.get().cookies()
        assert set(first) == {"segue", "other"} and first["segue"] != "evil"
        assert c.get().cookies() == {"other": "1"}
    assert all("segue" not in (r.field("cookie") or "") for r in a.requests)


# ---- a network process that was taken over ----

RELOAD_PLEASE = 11  # src/ipc/frame.h
SYS_PIDFD_GETFD = 438


def link_of(segued):
    """Its end of the frames to the master."""
    pid = segued.network_pid()
    process = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
        s = socket.socket(fileno=ctypes.CDLL(None).syscall(
            SYS_PIDFD_GETFD, process, int(name), 0))
        if s.type & 0xF == socket.SOCK_SEQPACKET:
            os.close(process)
            return s
    raise AssertionError("it has no link")


def test_flood_of_frames(rig):
    """The master hears its signals, and ends it."""
    if os.getuid() != 0:
        return  # one may not take it over
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])))
    over = threading.Event()

    def flood(link):
        while not over.is_set():
            try:
                link.send(bytes([RELOAD_PLEASE]))
            except BlockingIOError:
                select.select([], [link], [], 0.1)
            except OSError:
                return

    crowd = [threading.Thread(target=flood, args=(link_of(s),))
             for _ in range(4)]
    for t in crowd:
        t.start()
    try:
        for n in range(5):
            os.rename(f"{s.dir}/segue.log", f"{s.dir}/segue.log.{n}")
            s.send(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(f"{s.dir}/segue.log"), 2,
                       what="the log, opened anew")
    finally:
        over.set()
        for t in crowd:
            t.join()
