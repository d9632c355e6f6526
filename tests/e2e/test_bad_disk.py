"""Disks that are full, gone, slow or hang: traffic does not feel it, changes of
state are refused with the reason, nothing is torn, and it mends by itself."""
import json
import os
import resource
import signal
import subprocess
import threading
import time

import pytest

from rig import wait_until
from rig.freeze import Frozen
from rig.segued import pool, service
from rig.site import Site


def limit_files(pid, size):
    """Files of that process may not grow beyond it: its disk is full."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE,
                     (hard if size is None else size, hard))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def lines_of(path):
    """All of them whole, each a JSON object."""
    text = read(path)
    assert text == b"" or text.endswith(b"\n"), text[-200:]
    return [json.loads(line) for line in text.splitlines()]


class Full:
    """No room: for the state, the log and the access log."""

    def __init__(self, s):
        self.pid = s.network_pid()

    def begin(self):
        limit_files(self.pid, 10)

    def end(self):
        limit_files(self.pid, None)


class Gone:
    """The state directory is not where it was; it can also not be written."""

    def __init__(self, s):
        self.path = f"{s.dir}/state"

    def begin(self):
        os.rename(self.path, self.path + ".away")

    def end(self):
        os.rename(self.path + ".away", self.path)


class ReadOnly:
    """Mounted again so that nobody writes, as after an error of the disk."""

    def __init__(self, s):
        self.path, self.mounted = f"{s.dir}/state", False
        s.rig.closing.append(self)

    def begin(self):
        if os.geteuid() != 0 or self.call("mount", "--bind", self.path,
                                          self.path) != 0:
            pytest.skip("needs to mount")
        self.mounted = True
        assert self.call("mount", "-o", "remount,bind,ro", self.path) == 0

    def end(self):
        assert self.call("umount", self.path) == 0
        self.mounted = False

    def close(self):
        if self.mounted:
            self.call("umount", "-l", self.path)

    @staticmethod
    def call(*words):
        return subprocess.run(words, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False).returncode


class Small:
    """A disk of 1 MiB."""

    def __init__(self, path, rig):
        self.path = path
        if os.geteuid() != 0 or ReadOnly.call(
                "mount", "-t", "tmpfs", "-o", "size=1m", "none", path) != 0:
            pytest.skip("needs to mount")
        rig.closing.append(self)

    def fill(self):
        with open(f"{self.path}/filler", "wb", buffering=0) as f:
            with pytest.raises(OSError):
                while True:
                    f.write(bytes(4096))

    def clear(self):
        os.remove(f"{self.path}/filler")

    def close(self):
        ReadOnly.call("umount", "-l", self.path)


@pytest.mark.parametrize("kind", [Full, Gone, ReadOnly])
def test_no_room_for_the_state(rig, kind):
    site = Site(rig)
    s, admin = site.segued, site.admin
    path = f"{s.dir}/state/state.json"
    site.start_load()
    before, generation = read(path), admin.status()["generation"]
    trouble = kind(s)
    trouble.begin()
    for _ in range(3):
        code, value = admin.command("share", pool="v2", share="20%")
        assert code == 500 and value["error"] == "disk", value
        assert "nothing was changed" in value["message"], value
        assert "could not be written" in value["message"], value
        site.wait_answers(200)
    status = admin.status()
    assert status["generation"] == generation
    assert status["state_disk"]["failed"] >= 3
    assert status["state_disk"]["saved"] is False
    assert admin.pool("v2")["share_bp"] == 0
    assert admin.metrics()["segue_state_saves_failed_total"] >= 3
    site.wait_answers(1000)
    trouble.end()
    assert read(path).split(b"\n", 1)[1] == before.split(b"\n", 1)[1]
    wait_until(lambda: admin.status()["state_disk"]["saved"],
               what="the state on disk, by itself")
    assert {*os.listdir(f"{s.dir}/state"), "state.json.journal"} == {
        "keys", "state.json", "state.json.journal"}
    admin.do("share", pool="v2", share="20%")
    site.wait_answers(300)
    final = site.finish()
    # of the log: what was lost is told; of the access log nothing was
    s.stop()
    if kind is Full:
        assert "event=log_lines_lost lines=" in rig.text("segued/segue.log")
        log = rig.text("segued/segue.log")
        assert all(line.startswith("ts=") for line in log.splitlines()
                   if line), "a torn line"
        assert "event=access_log_back lines_lost=" in log
    lines = lines_of(f"{s.dir}/access.log")
    assert len(lines) <= final["answers"]
    if kind is not Full:
        assert len(lines) == final["answers"]


def test_a_full_disk_takes_switches(rig):
    """No room for a new file: the journal has its room, so an operator can go
    back, whatever has filled the disk; and that outlives kill -9."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b])),
                   start=False)
    state = f"{s.dir}/state"
    os.makedirs(state, exist_ok=True)
    disk = Small(state, rig)
    s.start()
    journal = f"{state}/state.json.journal"
    wait_until(lambda: os.path.exists(journal) and
               os.path.getsize(journal) >= 2 * 65536, what="the journal")
    wait_until(lambda: s.admin.instance("b")["health"] == "up")
    disk.fill()
    for n in range(6):
        s.admin.do("switch", pool=("v2", "v1")[n % 2])
        if n == 2:  # quiet enough for the file, which has no room
            wait_until(lambda: "event=state_not_settled" in
                       rig.text("segued/segue.log"))
    s.admin.do("share", pool="v2", share="37%")
    assert s.admin.status()["state_disk"]["saved"] is True
    s.kill_all()
    s.start()
    assert s.admin.pool("v2")["share_bp"] == 3700
    s.admin.do("share", pool="v2", share="36%")
    s.stop()
    s.start()
    assert s.admin.pool("v2")["share_bp"] == 3600
    s.admin.do("share", pool="v2", share="35%")
    disk.clear()
    s.admin.do("share", pool="v2", share="38%")
    wait_until(lambda: b'"share_bp":3800' in read(f"{state}/state.json"),
               what="the file itself")
    s.stop()


def test_one_that_hangs(rig):
    """A save that does not come back: all but changes goes on."""
    b = rig.scripted("v3", "b")
    s = rig.segued(service(pool("v1", [rig.nginx("v1", "a")], share="100%"),
                           pool("v2", [rig.nginx("v2", "c")]),
                           pool("v3", [b])))
    load = rig.load(s, clients=20, think="25ms", session=12)
    first = {}

    def ask():
        first["code"], first["value"] = s.admin.command(
            "share", pool="v2", share="10%", wait=True)

    with Frozen(s.network_pid(), "disk") as disk:
        asker = threading.Thread(target=ask)
        asker.start()
        wait_until(lambda: s.admin.status()["state_disk"]["pending_s"] > 0,
                   what="the save")
        # probes, and the views that follow from them
        b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
        wait_until(lambda: s.admin.instance("b")["health"] == "down")
        b.health = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        wait_until(lambda: s.admin.instance("b")["health"] == "up")
        began = time.monotonic()
        code, value = s.admin.command("share", pool="v2", share="20%")
        assert (code, value["error"]) == (500, "disk"), value
        assert "the disk has not answered for" in value["message"], value
        assert time.monotonic() - began < 15 * rig.slower
        began = time.monotonic()
        code, value = s.admin.reload()
        assert code == 500 and value["error"] == "disk", value
        took = time.monotonic() - began
        assert took < 3 * rig.slower, "at once, now that it is known"
        assert asker.is_alive() and s.admin.pool("v2")["share_bp"] == 0
        assert s.admin.metrics()["segue_state_save_pending_seconds"] >= 5
        disk.thaw()
    asker.join(10)
    assert first["code"] == 200, first
    assert s.admin.pool("v2")["share_bp"] == 1000
    s.admin.do("share", pool="v2", share="20%")
    final = load.stop()
    assert final["failed"] == 0 and final["answers"] > 100, final
    log = rig.text("segued/segue.log")
    assert "event=disk_hangs" in log and "event=disk_answers" in log


def test_stop_while_it_hangs(rig):
    """A stop waits for the disk as long as its deadline allows, and the next
    start finds the old state or the new one."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b])))
    with Frozen(s.network_pid(), "disk") as disk:
        asker = threading.Thread(target=lambda: s.segue("share", "v2", "10%"))
        asker.start()
        wait_until(lambda: s.admin.status()["state_disk"]["pending_s"] > 0)
        s.send(signal.SIGTERM)
        wait_until(lambda: "event=stopping" in rig.text("segued/segue.log"))
        disk.thaw()
    assert s.wait_exit() == 0
    s.checked = True
    asker.join(10)
    s.start()
    assert s.admin.pool("v2")["share_bp"] == 1000


def drain_of(fd, text):
    """What a hanging reader gets when it hangs no more."""
    try:
        while (part := os.read(fd, 65536)):
            text.append(part)
    except BlockingIOError:
        pass
    return text


@pytest.mark.parametrize("where", ["file", "stdout"])
def test_a_reader_of_the_access_log_that_hangs(rig, where):
    """No worker waits for it; whole lines come when it reads again."""
    a = rig.nginx("v1", "a")
    path = f"{rig.dir}/pipe"
    os.mkfifo(path, 0o600)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    s = rig.segued(service(pool("v1", [a], share="100%")), start=False,
                   workers=2, access_log={
                       "file": path if where == "file" else "-"})
    if where == "stdout":
        del s.config["access_log"]["file"]
        s.write_config()
        out = os.open(path, os.O_WRONLY)
        s.runs += 1
        s.child = rig.spawn(s.command("-c", s.config_path), "segued-out.log",
                            env=rig.sanitizer_env(s.name), stdout=out)
        s.checked = False
        os.close(out)
        wait_until(s.is_up)
    else:
        s.start()
    load = rig.load(s, clients=50, think="1ms", session=12)
    wait_until(lambda: "event=access_log_failed" in
               rig.text("segued/segue.log"), 60, "a full pipe")
    n = load.report()["answers"]
    wait_until(lambda: load.report()["answers"] > n + 3000, 60,
               "traffic that goes on", every=0.05)
    final = load.stop()
    text = []
    end = time.monotonic() + 30
    while rig.text("segued/segue.log").count("event=access_log_back") < \
            rig.text("segued/segue.log").count("event=access_log_failed"):
        drain_of(reader, text)
        assert time.monotonic() < end, "it does not come back"
        time.sleep(0.01)
    s.stop()
    drain_of(reader, text)
    os.close(reader)
    assert final["failed"] == 0, final
    lines = b"".join(text).splitlines()
    for line in lines:
        assert json.loads(line)["service"] == "web", line
    log = rig.text("segued/segue.log")
    lost = sum(int(line.rsplit("=", 1)[1]) for line in log.splitlines()
               if "lines_lost=" in line)
    assert len(lines) + lost == final["answers"], (len(lines), lost)


def test_logs_are_removed(rig):
    """Nothing minds, and the signal of log rotation makes new ones."""
    a = rig.nginx("v1", "a")
    s = rig.segued(service(pool("v1", [a], share="100%")))
    load = rig.load(s, clients=20, think="10ms", session=12)
    wait_until(lambda: load.report()["answers"] > 100)
    os.remove(f"{s.dir}/access.log")
    os.remove(f"{s.dir}/segue.log")
    n = load.report()["answers"]
    wait_until(lambda: load.report()["answers"] > n + 200)
    s.send(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(f"{s.dir}/access.log") and
               lines_of(f"{s.dir}/access.log"), what="new lines")
    s.do("share", "v1", "100%")
    wait_until(lambda: "audit=command" in rig.text("segued/segue.log"))
    assert load.stop()["failed"] == 0
