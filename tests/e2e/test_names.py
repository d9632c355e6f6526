"""Instances whose addresses are names, while what these resolve to changes.

The daemon sees a hosts file of the test, in a mount namespace of its own.
"""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from rig import wait_until
from rig.scripted import Scripted
from rig.segued import pool, service
from rig.wire import Client, Closed, once

CAN = subprocess.run(["unshare", "-m", "true"], capture_output=True,
                     check=False).returncode == 0
pytestmark = pytest.mark.skipif(not CAN, reason="needs a mount namespace")


class At(Scripted):
    """On another address of this machine, at a port that is given."""

    def __init__(self, rig, version, name, host, number):
        self.where = (host, number)
        super().__init__(rig, version, name)
        self.address = f"{host}:{number}"
        rig.closing.append(self)

    def listen(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(self.where)
        s.listen(512)
        self.socks.append(s)
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()


class Stage:
    def __init__(self, rig):
        self.hosts = f"{rig.dir}/hosts"
        self.rig = rig
        self.number = rig.port().number
        self.a = self.at("a", "127.0.0.1")
        self.resolves("127.0.0.1")
        with open(f"{rig.dir}/resolv.conf", "w", encoding="ascii") as f:
            f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.s = rig.segued(service(pool("v1", [
            {"name": "i", "address": f"idp.test:{self.number}"}])),
            resolve={"interval": "100ms", "hold": "300ms"}, start=False)
        self.start()

    def at(self, name, host):
        return At(self.rig, "v1", name, host, self.number)

    def resolves(self, *addresses):
        """In place: the file is mounted."""
        with open(self.hosts, "w", encoding="ascii") as f:
            for a in addresses:
                f.write(f"{a} idp.test\n")

    def start(self, **kw):
        self.s.start(words=[
            "unshare", "-m", "sh", "-c",
            'mount --bind "$1" /etc/hosts && '
            'mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"',
            "sh", self.hosts, f"{self.rig.dir}/resolv.conf",
            *self.s.command("-c", self.s.config_path)], **kw)

    def instance(self):
        return self.s.admin.instance("i")

    def wait_failed(self):
        n = self.instance()["resolve_failed"]
        wait_until(lambda: self.instance()["resolve_failed"] > n, 10)


@pytest.fixture
def st(rig):
    return Stage(rig)


class Asker(threading.Thread):
    """Asks all the time; who answered, and what went wrong?"""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.by, self.wrong = address, [], []
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                answer = once(self.address, "/")
                self.by.append(answer.instance)
                if answer.status != 200:
                    self.wrong.append(answer.status)
            except (OSError, Closed) as e:
                self.wrong.append(e)
            time.sleep(0.005)

    def end(self):
        self.ended.set()
        self.join(10)
        assert not self.wrong, self.wrong[:5]


def test_a_name_that_changes(st):
    s, asker = st.s, Asker(st.s.address)
    assert st.instance()["address"] == f"127.0.0.1:{st.number}"
    assert st.instance()["resolves"] == f"idp.test:{st.number}"
    assert st.instance()["resolved_s"] < 5

    st.resolves()  # gone
    st.wait_failed()
    assert st.instance()["health"] == "up"
    assert 'segue_instance_resolve_failed_total{service="web",pool="v1",' \
        'instance="i"} 0' not in s.admin.raw("GET", "/metrics")[2]
    assert s.log_has("event=name_not_resolved")
    assert s.admin.reload()[0] == 200  # nor does a reload need it

    st.resolves("127.0.0.2")  # where nobody listens
    wait_until(lambda: s.log_has("event=address_differs"), 10)
    time.sleep(0.3)  # probes there find nobody
    assert st.instance()["address"] == f"127.0.0.1:{st.number}"
    assert s.admin.pool("v1")["eligible"] == 1

    b = st.at("b", "127.0.0.2")
    wait_until(lambda: st.instance()["address"] ==
               f"127.0.0.2:{st.number}", 10)
    n = len(asker.by)
    wait_until(lambda: len(asker.by) > n + 20)
    assert set(asker.by[n + 3:]) == {"b"}, "it went on to the old address"
    st.resolves("127.0.0.1", "127.0.0.2")
    time.sleep(1.5)  # two rounds: an address among the answers is kept
    assert s.admin.reload()[0] == 200
    assert st.instance()["address"] == f"127.0.0.2:{st.number}"
    asker.end()
    assert b.requests


def test_a_dead_address_is_left_at_once(st):
    st.a.deafen()
    for conn in st.a.connections:
        conn.close()
    wait_until(lambda: st.instance()["health"] == "down")
    st.at("b", "127.0.0.2")
    st.resolves("127.0.0.2")
    wait_until(lambda: st.instance()["health"] == "up", 10)
    assert once(st.s.address, "/").instance == "b"


def test_a_crash_while_names_do_not_resolve(st):
    st.resolves()
    st.wait_failed()
    pid = st.s.network_pid()
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: st.s.network_pid() not in (None, pid))
    with Client(st.s.address, timeout=10) as c:
        assert c.get().version == "v1"
    took = time.monotonic() - began
    print(f"served again after {took * 1000:.0f} ms")
    assert took < 1 * st.rig.slower, "it waited for a name"
    # the very first start has nothing to go on with
    st.s.stop()
    done = subprocess.run(
        st.s.command("-c", st.s.config_path), capture_output=True, text=True,
        timeout=30, check=False, env=st.rig.sanitizer_env("first"))
    assert done.returncode == 1
    assert "idp.test" in done.stderr + done.stdout
