"""mimics - the files of conf/examples, run: with addresses of this machine,
short times, and stand-ins (tests/mimics) for the programs that they name.

All ports stay as the file has them: each of its hosts is a loopback address.
"""
import json
import os
import random
import re
import signal
import socket
import subprocess

from rig.rig import wait_until

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(f"{HERE}/../../..")
MIMICS = f"{TOP}/tests/mimics"

# What takes its time in a file for people takes none here.
TIMES = [(r"hold: 2s }", "hold: 100ms, interval: 200ms, fast_interval: 30ms, "
          "rise: 1, fall: 2 }"),
         (r"(step: analyze, for): \S+m\b", r"\1: 2s"),
         # so few that a machine with much else to do has them, too
         (r"errors: 1%", "errors: 1%, requests: 6"),
         (r"every: 10s", "every: 50ms"),
         (r"(?m)^( +profile: \w+)$",
          r"\1\n    drain: { flows: 1s, streams: 1s }")]

DAEMON = """\
workers: 2
state_dir: {dir}/state
log: {{ file: {dir}/segue.log }}
access_log: {{ file: {dir}/access.log }}
admin: {{ socket: {dir}/admin.sock }}
stop: {{ deadline: 8s, linger: 100ms }}
"""

WRAPPER = """\
#!/bin/sh
test ! -e {dir}/fail-$SEGUE_JOB || {{ echo "$SEGUE_JOB is to fail"; exit 9; }}
echo "$SEGUE_JOB $SEGUE_FROM $SEGUE_TO $SEGUE_INSTANCE" >> {dir}/jobs
{what}
"""


def loopback():
    """The beginning of addresses that nobody else uses."""
    while True:
        net = f"127.{random.randint(50, 250)}.{random.randint(1, 250)}."
        with socket.socket() as s:
            if s.connect_ex((net + "11", 8080)) != 0:
                return net


class Mimics:
    """kind: of identity.js; file: in conf/examples.  units: name of each
    pool -> (version, last number of the address of its first instance)."""

    def __init__(self, rig, kind, units, port, management, programs,
                 file=None):
        self.rig, self.kind, self.port = rig, kind, port
        self.file = file or kind
        self.dir = f"{rig.dir}/mimics"
        os.makedirs(f"{self.dir}/bin")
        os.chmod(rig.dir, 0o777)
        os.chmod(self.dir, 0o777)
        self.net = loopback()
        self.address = f"{self.net}1:{port}"
        self.units = {}
        self.dbs = {}
        for pool, (version, first, db) in units.items():
            self.dbs[pool] = f"{self.dir}/db-{db}"
            os.makedirs(self.dbs[pool], exist_ok=True)
            os.chmod(self.dbs[pool], 0o777)
            for i in (0, 1):
                self.add_unit(pool, i + 1, version, f"{self.net}{first + i}",
                              management)
        self.write_units()
        self.program("systemctl", f"exec {MIMICS}/systemctl.py "
                     f'{self.dir}/units.json "$@"')
        for name, what in programs.items():
            self.program(name, what)
        rig.closing.append(self)

    def add_unit(self, pool, n, version, host, management):
        self.units[f"{self.kind}-{pool}-{n}"] = {
            "words": ["/usr/bin/env", "node", f"{MIMICS}/identity.js",
                      "serve", self.kind, version, f"{pool}-{n}", host,
                      str(self.port), str(management), self.dbs[pool]],
            "address": f"{host}:{self.port}",
            "ready": f"http://{host}:{management}/health/ready"
                     if self.kind == "keycloak" else None,
            "log": f"{self.dir}/{pool}-{n}.log"}

    def write_units(self):
        with open(f"{self.dir}/units.json", "w", encoding="utf-8") as f:
            json.dump(self.units, f)

    def install(self, version):
        """What is started from now on is of that version."""
        for unit in self.units.values():
            unit["words"][5] = version
        self.write_units()

    def program(self, name, what):
        path = f"{self.dir}/bin/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(WRAPPER.format(dir=self.dir, what=what))
        os.chmod(path, 0o755)

    def identity(self, *words):
        """A command of identity.js, for a wrapper."""
        return " ".join(["exec", "/usr/bin/env", "node",
                         f"{MIMICS}/identity.js", *words])

    # ---- what is seen ----

    def lines(self, pool, name):
        try:
            with open(f"{self.dbs[pool]}/{name}", encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def faults(self):
        return [x for db in set(self.dbs.values())
                for pool in self.dbs if self.dbs[pool] == db
                for x in self.lines(pool, "faults")]

    def writes(self, pool):
        return [x.split()[0] for x in self.lines(pool, "writes")]

    def jobs(self):
        try:
            with open(f"{self.dir}/jobs", encoding="utf-8") as f:
                return [x.split()[0] for x in f]
        except FileNotFoundError:
            return []

    def set(self, name):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8"):
            pass

    def unset(self, name):
        os.unlink(f"{self.dir}/{name}")

    # ---- the pools ----

    def systemctl(self, word, pool):
        subprocess.run(
            [f"{MIMICS}/systemctl.py", f"{self.dir}/units.json", word,
             *(u for u in self.units if u.startswith(f"{self.kind}-{pool}-"))],
            check=True, timeout=60, stdin=subprocess.DEVNULL)

    def schema(self, pool, version):
        with open(f"{self.dbs[pool]}/schema", "w", encoding="ascii") as f:
            f.write(version + "\n")

    def close(self):
        for unit in self.units:
            try:
                with open(f"{self.dir}/{unit}.pid", encoding="ascii") as f:
                    os.kill(int(f.read()), signal.SIGKILL)
            except (OSError, ValueError):
                pass

    # ---- the daemon ----

    def text(self, directory):
        with open(f"{TOP}/conf/examples/{self.file}.yaml",
                  encoding="utf-8") as f:
            text = f.read()
        for was, now in TIMES:
            text = re.sub(was, now, text)
        if os.getuid() != 0:
            text = text.replace("user: root", "")
        return DAEMON.format(dir=directory) + \
            text.replace("10.0.0.", self.net) \
                .replace("/usr/bin/systemctl", f"{self.dir}/bin/systemctl") \
                .replace("/usr/local/bin/", f"{self.dir}/bin/") \
                .replace("/opt/keycloak-", f"{self.dir}/opt/keycloak-")

    def segued(self, first):
        """It serves, and all of new sessions are on that pool."""
        s = self.rig.segued([], start=False)
        s.address = self.address
        s.write_config(self.text(s.dir))
        self.systemctl("start", first)
        s.start(ready=False)
        wait_until(lambda: s.admin.pool(first)["ready"], 20, f"{first} ready")
        return s
