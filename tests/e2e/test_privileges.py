"""Started as root, the process that meets strangers is nobody, and can start
nothing."""
import os
import pwd
import signal

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import once

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {k: v.strip() for k, _, v in
                (line.partition(":") for line in f)}


@pytest.fixture
def s(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    d = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b])),
                   start=False, user="nobody")
    # the daemon makes its own state directory, for whom it becomes
    os.rmdir(f"{d.dir}/state")
    d.start()
    return d


def test_network_process_is_nobody(rig, s):
    nobody = pwd.getpwnam("nobody")
    net = status_of(s.network_pid())
    assert set(net["Uid"].split()) == {str(nobody.pw_uid)}
    assert set(net["Gid"].split()) == {str(nobody.pw_gid)}
    assert net["Groups"].split() in ([], [str(nobody.pw_gid)])
    assert int(net["CapEff"], 16) == 0 and int(net["CapPrm"], 16) == 0
    assert set(status_of(s.child.pid)["Uid"].split()) == {"0"}


def test_network_process_cannot_fork(rig, s):
    if rig.slower > 1:
        pytest.skip("sanitizers need processes")
    net = status_of(s.network_pid())
    assert net["Seccomp"] == "2" and net["NoNewPrivs"] == "1"


def test_all_goes_on_without_privileges(rig, s):
    """State, logs, reload and a new network process need none."""
    s.do("switch", "v2")
    assert once(s.address).version == "v2"
    assert os.stat(f"{s.dir}/state/state.json").st_uid == \
        pwd.getpwnam("nobody").pw_uid
    s.config["services"][0]["timeouts"] = {"first_byte": "9s"}
    s.write_config()
    os.chmod(s.config_path, 0o600)  # only the master may read it
    s.do("reload")
    os.rename(f"{s.dir}/segue.log", f"{s.dir}/segue.log.1")
    os.rename(f"{s.dir}/access.log", f"{s.dir}/access.log.1")
    s.send(signal.SIGUSR1)
    wait_until(lambda: s.log_has("logs_reopened"))
    s.do("switch", "v1")
    assert s.log_has("switch"), "the network process writes the old log"
    assert once(s.address).version == "v1"
    s.wait_access(1)
    pid = s.network_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: s.network_pid() not in (None, pid))
    assert once(s.address).version == "v1"
    assert status_of(s.network_pid())["Uid"].split()[0] != "0"


def test_keys_are_for_nobody_else(s):
    assert os.stat(f"{s.dir}/state/keys").st_mode & 0o077 == 0


def test_port_below_1024(rig):
    """The master opens it before."""
    a = rig.scripted("v1", "a")
    d = rig.segued(service(pool("v1", [a])), start=False, user="nobody")
    os.rmdir(f"{d.dir}/state")
    d.config["listeners"] = ["127.0.9.1:81"]
    d.write_config()
    d.start()
    assert once("127.0.9.1:81").version == "v1"
