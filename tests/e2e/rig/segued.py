"""segued - the daemon under test, with a configuration and a tmp dir."""
import json
import os
import re
import signal
import subprocess
import time

from rig.admin import Admin

# Quick, so that tests are; each can be overridden.
PROBE = {"path": "/health", "interval": "200ms", "fast_interval": "30ms",
         "timeout": "1s", "rise": 1, "fall": 2, "hold": "0"}


def merge(into, more):
    """A deep update; lists are replaced."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


def pool(name, instances, **more):
    """A pool of nginx or scripted instances, or of addresses."""
    rows = [i if isinstance(i, (str, dict)) else
            {"name": i.name, "address": i.address} for i in instances]
    return merge({"name": name, "instances": rows, "probe": dict(PROBE)},
                 more)


def service(*pools, **more):
    return merge({"name": "web", "pools": list(pools)}, more)


class Cli:
    """What a run of segue came to."""

    def __init__(self, done, took):
        self.code, self.out, self.err = (done.returncode, done.stdout,
                                         done.stderr)
        self.took_us = took

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Segued:
    def __init__(self, rig, services, name="segued", start=True, ready=True,
                 **more):
        """services: of service(); more: other top-level keys."""
        self.rig, self.name = rig, name
        self.place = rig.place
        self.dir = f"{rig.dir}/{name}"
        os.makedirs(f"{self.dir}/state", exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.port = rig.port()
        self.address = self.port.address
        self.config_path = f"{self.dir}/segue.yaml"
        self.socket = f"{self.dir}/admin.sock"
        self.admin = Admin(self.socket)
        self.config = merge({
            "workers": 2,
            "state_dir": f"{self.dir}/state",
            "log": {"file": f"{self.dir}/segue.log"},
            "access_log": {"file": f"{self.dir}/access.log"},
            "admin": {"socket": self.socket},
            "stop": {"deadline": "8s", "linger": "100ms"},
            "listeners": [{"name": "web", "address": self.address}],
            "services": services if isinstance(services, list)
            else [services],
        }, more)
        self.child = None
        self.runs = 0
        self.checked = True  # that the present run ended well
        self.write_config()
        if start:
            self.start(ready=ready)

    # ---- the process ----

    def write_config(self, text=None):
        """JSON is YAML, too."""
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(text if text is not None
                    else json.dumps(self.config, indent=1))

    def command(self, *words):
        return [self.rig.program("src/segued"), *words]

    def spawn(self, words=None):
        self.runs += 1
        with self.rig.at(self.place):
            self.child = self.rig.spawn(
                words or self.command("-c", self.config_path),
                f"{self.name}-out.log",
                env=self.rig.sanitizer_env(self.name))
        self.checked = False

    def start(self, words=None, ready=True, seconds=15):
        """Until it answers, and all its pools are ready."""
        self.spawn(words)
        end = time.monotonic() + seconds
        while not self.is_up(ready):
            code = self.child.poll()
            assert code is None, f"segued ended with {code}: {self.out()}"
            assert time.monotonic() < end, "segued does not become ready"
            time.sleep(0.01)

    def is_up(self, ready=True):
        try:
            code, status = self.admin.json("GET", "/v1/status")
        except OSError:
            return False
        return code == 200 and (not ready or all(
            p["ready"] or p["instances_n"] == 0 or
            p["state"] in ("draining", "drained")
            for s in status["services"] for p in s["pools"]))

    def run_to_end(self, *words, seconds=15):
        """A run that is expected to end by itself."""
        return subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False,
            env=self.rig.sanitizer_env(self.name))

    def send(self, number):
        self.child.send_signal(number)

    def wait_exit(self, seconds=15):
        return self.child.wait(seconds)

    def network_pid(self):
        """The child of the master that carries the traffic; None: none."""
        try:
            with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children",
                      encoding="ascii") as f:
                pids = [int(w) for w in f.read().split()]
            return next((p for p in pids if os.readlink(
                f"/proc/{p}/exe") == os.readlink(
                    f"/proc/{self.child.pid}/exe")), None)
        except OSError:
            return None

    def kill_all(self):
        """SIGKILL to the master and all its children, at once."""
        pids = self.rig.descendants(self.child.pid)
        for pid in [self.child.pid, *pids]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.child.wait()
        self.checked = True
        for pid in pids:
            self.rig.wait_gone(pid)

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Ends it and checks that it ended well."""
        if self.checked or self.child is None:
            return
        self.checked = True
        early = self.child.poll()
        assert early is None, \
            f"segued ended by itself with {early}: {self.out()}"
        self.check_accounting()
        self.child.send_signal(number)
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("segued does not end") from None
        self.rig.check_sanitizers(self.name, self.out())
        assert code == 0, f"segued ended with {code}: {self.out()}"

    def check_accounting(self):
        """Invariant 1: whatever was accepted ended in exactly one way."""
        try:
            a = self.admin.status()["accounting"]
        except OSError:
            return  # the test may have left it without a network process
        assert a["holds"] is True, a
        assert a["accepted"] == sum(
            a[k] for k in ("answered", "ours", "client", "deadline", "fault",
                           "in_flight")), a

    # ---- the command ----

    def segue(self, *words, timeout=30, socket=None, **kw):
        began = time.monotonic_ns()
        done = subprocess.run(
            [self.rig.program("src/segue/segue"), "--socket",
             socket or self.socket, *words], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout, check=False,
            env=self.rig.sanitizer_env(self.name + "-cli"), **kw)
        return Cli(done, (time.monotonic_ns() - began) // 1000)

    def do(self, *words, **kw):
        """A command that must be done."""
        r = self.segue(*words, **kw)
        assert r.code == 0, (words, r)
        return r

    # ---- what it wrote ----

    def out(self):
        return self.rig.text(f"{self.name}-out.log")

    def log(self):
        return self.rig.text(f"{self.name}/segue.log")

    def access(self):
        """The lines of the access log as values."""
        return [json.loads(line) for line in
                self.rig.text(f"{self.name}/access.log").splitlines()]

    def wait_access(self, n, seconds=3):
        """The access log once it has n lines (they are written in batches)."""
        end = time.monotonic() + seconds
        while True:
            rows = self.access()
            if len(rows) >= n:
                return rows
            assert time.monotonic() < end, f"{len(rows)} of {n} lines"
            time.sleep(0.02)

    def log_has(self, pattern):
        return re.search(pattern, self.log()) is not None
