"""node - clients and instances in Node, with packages of npm.

What is needed stands in tests/e2e/node/package.json and its lock file, which
names no registry: npm's own setting does.  "npm ci" runs once per checkout
and again when the lock file has changed.  Who lacks node, npm or the registry
is told so; nothing is skipped.
"""
import fcntl
import functools
import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
DIR = os.path.realpath(f"{HERE}/../node")


SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"


def trusting_as_the_system():
    """Node has a list of its own; a registry may be of the machine's owner."""
    env = dict(os.environ)
    if os.path.exists(SYSTEM_CAS):
        env.setdefault("NODE_EXTRA_CA_CERTS", SYSTEM_CAS)
    return env


def install():
    """npm ci, unless what is there is of this lock file; why it failed."""
    with open(f"{DIR}/package-lock.json", encoding="ascii") as f:
        wanted = f.read()
    stamp = f"{DIR}/node_modules/.segue-lock.json"
    try:
        with open(stamp, encoding="ascii") as f:
            if f.read() == wanted:
                return None
    except FileNotFoundError:
        pass
    words = ["npm", "ci", "--ignore-scripts"]
    try:
        done = subprocess.run(
            words, cwd=DIR, timeout=300, check=False, text=True,
            env=trusting_as_the_system(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return "npm ci in tests/e2e/node does not end; is its registry there?"
    if done.returncode != 0:
        return "npm ci failed in tests/e2e/node; is its registry there?\n" + \
            done.stdout
    with open(stamp, "w", encoding="ascii") as f:
        f.write(wanted)
    return None


@functools.cache
def found():
    """(the program, None), or (None, why not): once, whoever asks."""
    path = shutil.which("node") or shutil.which("nodejs")
    if path is None or shutil.which("npm") is None:
        return None, "node or npm is missing: ./bootstrap check installs them"
    with open(f"{DIR}/package.json", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several pytests may begin at once
        why = install()
    return (path, None) if why is None else (None, why)


def node():
    """The program, with its packages installed."""
    path, why = found()
    assert path is not None, why
    return path


def script(name, *words):
    """The words that run a program of tests/e2e/node."""
    return [node(), f"{DIR}/{name}", *(str(w) for w in words)]


def run(name, *words, seconds=60):
    """To its end, which must be good; its output."""
    done = subprocess.run(
        script(name, *words), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{name} {words}: {done.stderr}"
    return done.stdout


class NodeInstance:
    """An instance in Node: a program that takes HOST PORT NAME, and more."""

    def __init__(self, rig, program, version, *words, name=None):
        self.version, self.name = version, name or version
        self.port = rig.port()
        self.address = self.port.address
        self.child = rig.spawn(
            script(program, self.port.host, self.port.number, self.name,
                   *words),
            f"{self.name}-out.log")
        rig.wait_listening(self.port, self.child)

    def kill(self):
        self.child.kill()
        self.child.wait()


class Talk:
    """A program that is asked by lines and answers by lines of JSON."""

    def __init__(self, rig, program, *words, env=None):
        """env: what its environment has besides ours."""
        self.child = rig.spawn(script(program, *words), f"{program}.log",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={**os.environ, **(env or {})}, text=True)

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def hear(self):
        line = self.child.stdout.readline()
        assert line, "it ended without a word; see its log"
        return json.loads(line)

    def ask(self, line):
        self.tell(line)
        return self.hear()
