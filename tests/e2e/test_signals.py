"""TERM, INT, HUP and USR1."""
import os
import signal
import socket
import threading
import time

from rig import wait_until
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, Closed, once


def slow_site(rig, **stop):
    a = rig.nginx("v1", "a")
    return a, rig.segued(service(pool("v1", [a])), stop={
        "deadline": "8s", "linger": "500ms", **stop})


def test_term_answers_what_is_in_flight(rig):
    a, s = slow_site(rig)
    with Client(s.address) as busy, Client(s.address) as idle:
        assert idle.get().status == 200
        busy.ask("/slow/10")
        wait_until(lambda: s.admin.pool("v1")["in_flight"] == 1)
        s.send(signal.SIGTERM)
        wait_until(lambda: socket.socket().connect_ex(
            (s.port.host, s.port.number)) != 0, what="the closed port")
        # an idle client that asks while we stop is answered, then closed
        late = idle.get()
        assert late.status == 200 and late.field("connection") == "close"
        answer = busy.answer()
        assert answer.status == 200 and answer.field("connection") == "close"
    s.checked = True
    assert s.wait_exit() == 0
    rig.check_sanitizers(s.name, s.out())
    assert not os.path.exists(s.socket)


def test_term_does_not_reset_idle_clients(rig):
    """What is not asked within the linger gets an orderly close."""
    a, s = slow_site(rig, linger="300ms")
    with Client(s.address) as idle:
        assert idle.get().status == 200
        s.send(signal.SIGTERM)
        assert idle.sock.recv(1) == b""  # not ECONNRESET
    s.checked = True
    assert s.wait_exit() == 0


def test_term_cuts_at_its_deadline(rig):
    a, s = slow_site(rig, deadline="700ms", linger="100ms")
    with Client(s.address) as c:
        c.ask("/slow/30")
        wait_until(lambda: s.admin.pool("v1")["in_flight"] == 1)
        began = time.monotonic()
        s.send(signal.SIGTERM)
        assert c.answer().status == 503
    s.checked = True
    assert s.wait_exit() == 0
    assert 0.6 < time.monotonic() - began < 2.5
    assert [r["outcome"] for r in s.access()] == ["stop_cut"]


def test_int_is_fast(rig):
    a, s = slow_site(rig)
    with Client(s.address) as c:
        c.ask("/slow/30")
        wait_until(lambda: s.admin.pool("v1")["in_flight"] == 1)
        began = time.monotonic()
        s.checked = True
        s.send(signal.SIGINT)
        assert s.wait_exit() == 0
        assert time.monotonic() - began < 1.5
    rig.check_sanitizers(s.name, s.out())


def test_term_and_a_start_under_load_loses_nothing(rig):
    """Keep-alive clients that come between get an answer or an orderly close;
    none is reset in the middle."""
    a, s = slow_site(rig, linger="2s")
    rows = []

    def walk():
        try:
            with Client(s.address) as c:
                while True:
                    answer = c.get()
                    rows.append(answer.status)
                    if answer.field("connection") == "close":
                        return
                    time.sleep(0.01)
        except (OSError, Closed) as e:
            rows.append(e)

    threads = [threading.Thread(target=walk) for _ in range(30)]
    for t in threads:
        t.start()
    wait_until(lambda: len(rows) > 100)
    s.check_accounting()
    s.checked = True
    s.send(signal.SIGTERM)
    assert s.wait_exit() == 0
    for t in threads:
        t.join(5)
    assert set(rows) == {200}, [r for r in rows if r != 200]


def test_hup_reloads(rig):
    a, s = slow_site(rig)
    s.config["services"][0]["timeouts"] = {"first_byte": "7s"}
    s.write_config()
    s.send(signal.SIGHUP)
    wait_until(lambda: s.log_has(r"event=reload_changed.*first_byte"))
    code, _, text = s.admin.raw("GET", "/v1/config")
    assert code == 200 and "first_byte: 7s" in text


def test_usr1_reopens_logs(rig):
    """No line is lost, none is written to the moved file afterwards."""
    site = Site(rig)
    s = site.segued
    site.start_load()
    for i in range(3):
        os.rename(f"{s.dir}/access.log", f"{s.dir}/access.log.{i}")
        os.rename(f"{s.dir}/segue.log", f"{s.dir}/segue.log.{i}")
        s.send(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(f"{s.dir}/segue.log") and
                   os.path.exists(f"{s.dir}/access.log"))
        site.wait_answers(500)
    final = site.finish()
    names = ["access.log", *(f"access.log.{i}" for i in range(3))]
    wait_until(lambda: sum(
        rig.text(f"segued/{n}").count("\n") for n in names) ==
        final["requests"], what="one line per request")
    assert rig.text("segued/access.log").count("\n") > 0
    assert "logs_reopened" in rig.text("segued/segue.log")


IGNORE = """import os, signal, sys
for n in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
    signal.signal(n, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])"""


def test_started_with_all_ignored(rig):
    """As by nohup, or a careless supervisor: it is inherited."""
    a = rig.nginx("v1", "a")
    s = rig.segued(service(pool("v1", [a])), start=False)
    s.start(["/usr/bin/python3", "-c", IGNORE,
             *s.command("-c", s.config_path)])
    first = s.network_pid()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: s.network_pid() not in (None, first),
               what="the next process")
    wait_until(s.is_up, what="its service")
    s.stop()
