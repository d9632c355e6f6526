"""What can stop a start: a sentence that says how to go on, and no half start.
"""
import os
import re
import socket
import subprocess

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import once


@pytest.fixture
def s(rig):
    a = rig.scripted("v1", "a")
    return rig.segued(service(pool("v1", [a])), start=False)


def must_not_start(s, pattern, code=1):
    s.write_config()
    done = s.run_to_end("-c", s.config_path)
    said = done.stderr + done.stdout
    assert done.returncode == code, done
    assert re.search(pattern, said), said
    assert not os.path.exists(s.socket), "the admin socket was left"
    assert s.rig.left_over() == [], "a process was left"
    return said


def test_port_in_use(s):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        taken = other.getsockname()[1]
        s.config["listeners"].append(f"127.0.0.1:{taken}")
        must_not_start(s, rf"127\.0\.0\.1:{taken}.*already in use")


def test_admin_socket_in_use(s):
    other = socket.socket(socket.AF_UNIX)
    other.bind(s.socket)
    other.listen(1)
    s.write_config()
    done = s.run_to_end("-c", s.config_path)
    assert done.returncode == 1 and "admin.socket" in done.stderr, done
    assert os.path.exists(s.socket), "another's socket was removed"
    other.close()


def test_stale_admin_socket_is_replaced(s):
    other = socket.socket(socket.AF_UNIX)
    other.bind(s.socket)
    other.close()
    s.start()
    assert s.admin.status()["services"]


def test_configuration_unreadable(s):
    done = s.run_to_end("-c", f"{s.dir}/nowhere.yaml")
    assert done.returncode == 1
    assert "nowhere.yaml: cannot be read: does not exist" in done.stderr
    assert "--listen" not in done.stderr
    if not os.path.exists("/etc/segue/segue.yaml"):
        done = s.run_to_end("-t")
        assert done.returncode == 1 and "--listen and --pool" in done.stderr
    done = s.run_to_end("-c", s.dir)
    assert done.returncode == 1 and "cannot be read" in done.stderr


def test_key_file_unreadable(s):
    s.config["key_file"] = f"{s.dir}/keys"
    with open(s.config["key_file"], "w", encoding="ascii") as f:
        f.write("1 nothex\n")
    os.chmod(s.config["key_file"], 0o600)
    must_not_start(s, r"keys:1: ")
    done = s.run_to_end("-t", "-c", s.config_path)
    assert done.returncode == 1 and "key_file: " in done.stderr, done
    os.remove(s.config["key_file"])
    assert s.run_to_end("-t", "-c", s.config_path).returncode == 0
    assert not os.path.exists(s.config["key_file"])


def test_key_file_open_to_all(s):
    s.config["key_file"] = f"{s.dir}/keys"
    with open(s.config["key_file"], "w", encoding="ascii") as f:
        f.write("1 " + "ab" * 32 + "\n")
    os.chmod(s.config["key_file"], 0o644)
    must_not_start(s, r"keys: mode 0644 .*0600")


def test_state_dir_is_a_file(s):
    s.config["state_dir"] = f"{s.dir}/file"
    open(s.config["state_dir"], "w", encoding="ascii").close()
    must_not_start(s, r"state_dir: .*no directory")


def test_state_dir_in_a_missing_one(s):
    s.config["state_dir"] = f"{s.dir}/no/such"
    must_not_start(s, r"state_dir: .*cannot be made: the directory above it")


def test_state_dir_not_writable(s):
    """As root only where nobody can write: a read-only /proc will do."""
    s.config["state_dir"] = "/proc/self"
    must_not_start(s, r"/proc/self")


def test_state_dir_in_use(s):
    s.start()
    other = s.rig.segued(s.config["services"], name="other", start=False)
    other.config["state_dir"] = s.config["state_dir"]
    other.write_config()
    done = other.run_to_end("-c", other.config_path)
    assert done.returncode == 1
    assert "in use by another segued" in done.stderr


def test_log_file_not_writable(s):
    s.config["log"]["file"] = f"{s.dir}/no/such/log"
    must_not_start(s, r"log\.file: .*does not exist")


def test_name_that_does_not_resolve(s):
    s.config["services"][0]["pools"][0]["instances"][0]["address"] = \
        "no-such-name.invalid:80"
    must_not_start(s, r"no-such-name\.invalid")


def test_unknown_user(s):
    s.config["user"] = "nobody-of-that-name"
    must_not_start(s, r"there is no user nobody-of-that-name")


def damage(s, change):
    path = f"{s.dir}/state/state.json"
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(change(data))


@pytest.mark.parametrize("why,change", [
    ("cut", lambda d: d[:-20]),
    ("one bit", lambda d: d[:-30] + bytes([d[-30] ^ 1]) + d[-29:]),
    ("empty", lambda d: b""),
    ("something else", lambda d: b"hello\n"),
    ("a later format", lambda d: d.replace(b"segue-state 1", b"segue-state 9")),
], ids=lambda v: v if isinstance(v, str) else "")
def test_damaged_state(s, why, change):
    """It is not guessed who serves; following the advice helps."""
    s.start()
    s.stop()
    damage(s, change)
    said = must_not_start(s, r"mv \S+ \S+")
    mv = re.search(r"mv (\S+) (\S+)", said)
    os.rename(mv.group(1), mv.group(2).rstrip(".,\"'"))
    s.start()
    assert s.admin.pool("v1")["state"] == "active"


def test_no_instance(s):
    """Who shall serve and has nobody for it does not start."""
    s.config["services"][0]["pools"][0]["instances"] = []
    must_not_start(s, r"there is no instance; a pool with a share of 100%")


def test_pool_without_instances_gets_some(rig):
    """Beside one that serves a pool may be empty, and filled later."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [])))
    checked = s.run_to_end("-t", "-c", s.config_path)
    assert "warning: services[0].pools[1]" in checked.stderr and \
        "there is no instance" in checked.stderr
    assert s.segue("switch", "v2").code == 3
    s.do("add-instance", "v2", b.address)
    s.do("switch", "v2", "--when-ready", "--wait")
    assert once(s.address).version == "v2"


def test_without_a_file(rig):
    """segued --listen ... --pool ... serves; the state is where it may be."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [])), start=False)
    dump = s.run_to_end("-T", "--listen", s.address, "--pool",
                        f"v1={a.address}", "--pool", f"v2={b.address}")
    assert dump.returncode == 0, dump
    assert a.address in dump.stdout and s.address in dump.stdout


def test_without_a_file_as_a_user(rig):
    """Whoever is not root has places of their own, and segue finds them."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another")
    user, home = 65534, f"{rig.dir}/home"
    os.mkdir(home)
    os.chown(home, user, user)
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [])), start=False)
    env = {**rig.sanitizer_env("user"), "HOME": home, "XDG_RUNTIME_DIR": home,
           "PATH": "/usr/bin:/bin"}
    env.pop("XDG_STATE_HOME", None)
    env.pop("SEGUE_SOCKET", None)

    def segue(*words):
        return subprocess.run(
            [rig.program("src/segue/segue"), *words], user=user, group=user,
            extra_groups=[], env=env, capture_output=True, text=True,
            timeout=15, check=False)

    assert "/run/segue/admin.sock" in segue("status").stderr
    child = rig.spawn(
        s.command("--listen", s.address, "--pool", f"v1={a.address}"),
        "user.log", user=user, group=user, extra_groups=[], env=env)
    wait_until(lambda: segue("status").returncode == 0)
    assert os.stat(f"{home}/segue/admin.sock").st_uid == user
    assert os.stat(f"{home}/segue").st_mode & 0o777 == 0o700
    assert os.stat(f"{home}/.local/state/segue/keys").st_uid == user
    wait_until(lambda: once(s.address).status == 200)
    child.terminate()
    assert child.wait(15) == 0
    assert not os.path.exists(f"{home}/segue/admin.sock")
