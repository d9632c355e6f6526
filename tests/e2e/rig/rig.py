"""rig - all that one test starts, and that it leaves nothing behind."""
import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

from rig.h2scripted import H2Scripted, h2_answer_all
from rig.load import Load
from rig.nginx import Nginx
from rig.ports import Port
from rig.scripted import Scripted, answer_all
from rig.segued import Segued

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(f"{HERE}/../../..")
MARK = "SEGUE_E2E_RUN"


@functools.cache
def for_everybody(programs):
    """That directory, or a copy that other users can reach, too.

    Tests become nobody; a clone in /root is only for root.
    """
    path = programs
    while path != "/" and os.stat(path).st_mode & 0o001:
        path = os.path.dirname(path)
    if path == "/" or os.geteuid() != 0:
        return programs
    copy = tempfile.mkdtemp(prefix="segue-e2e-bin-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    for name in ("src/segued", "src/segue/segue", "tests/e2e/e2e-load"):
        if os.path.exists(f"{programs}/{name}"):
            os.makedirs(os.path.dirname(f"{copy}/{name}"), exist_ok=True)
            shutil.copy(f"{programs}/{name}", f"{copy}/{name}")
    return copy


def wait_until(true, seconds=5, what="what was waited for", every=0.01):
    """Until true() is; what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(every)


class Rig:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="segue-e2e-")
        os.chmod(self.dir, 0o755)
        self.bin = for_everybody(os.path.realpath(
            os.environ.get("SEGUE_BIN") or f"{TOP}/build"))
        self.mark = uuid.uuid4().hex
        self.children, self.daemons = [], []
        self.closing = []  # what has a close()
        self.place = None  # of netns; None: where we are

    # ---- what a test asks for ----

    @contextlib.contextmanager
    def at(self, place):
        """Ports, processes and threads of meanwhile are there."""
        was, self.place = self.place, place
        try:
            with place.inside() if place else contextlib.nullcontext():
                yield
        finally:
            self.place = was

    def port(self):
        port = Port(self.place.host if self.place else "127.0.0.1")
        self.closing.append(port)
        return port

    def nginx(self, version, name, **kw):
        return Nginx(self, version, name, **kw)

    def scripted(self, version, name, script=answer_all, **kw):
        instance = Scripted(self, version, name, script, **kw)
        self.closing.append(instance)
        return instance

    def h2(self, version, name, script=h2_answer_all, **kw):
        """The same in HTTP/2."""
        instance = H2Scripted(self, version, name, script, **kw)
        self.closing.append(instance)
        return instance

    def segued(self, services, **kw):
        # noted before it starts, so that a start that fails is ended, too
        daemon = Segued(self, services, start=False, **{
            k: v for k, v in kw.items() if k not in ("start", "ready")})
        self.daemons.append(daemon)
        if kw.get("start", True):
            daemon.start(ready=kw.get("ready", True))
        return daemon

    def load(self, where, **options):
        return Load(self, getattr(where, "address", where), **options)

    # ---- processes ----

    def program(self, name):
        path = f"{self.bin}/{name}"
        assert os.access(path, os.X_OK), \
            f"no {path}: build it, or say where with SEGUE_BIN"
        return path

    def spawn(self, words, log, env=None, stdout=None, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        env = dict(env or os.environ)
        env[MARK] = self.mark
        with open(f"{self.dir}/{log}", "ab") as f:
            child = subprocess.Popen(words, stdout=stdout or f, stderr=f,
                                     env=env, **kw)
        self.children.append(child)
        return child

    def wait_listening(self, port, child, seconds=10):
        end = time.monotonic() + seconds
        while True:
            with socket.socket() as s:
                if s.connect_ex((port.host, port.number)) == 0:
                    return
            assert child.poll() is None, f"it ended: {child.args}"
            assert time.monotonic() < end, f"nobody listens: {child.args}"
            time.sleep(0.005)

    def descendants(self, pid):
        """Children of a process, and theirs."""
        found = []
        try:
            with open(f"/proc/{pid}/task/{pid}/children",
                      encoding="ascii") as f:
                children = [int(w) for w in f.read().split()]
        except OSError:
            return found
        for child in children:
            found += [child, *self.descendants(child)]
        return found

    def wait_gone(self, pid, seconds=5):
        """Until a process has ended and let go of what it held: a zombie
        has, once none of its other threads is left."""
        def gone():
            try:
                with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
                return state == "Z" and \
                    len(os.listdir(f"/proc/{pid}/task")) == 1
            except OSError:
                return True
        wait_until(gone, seconds, f"the end of process {pid}")

    def left_over(self):
        """Processes of this test, whoever is their parent now."""
        word = f"{MARK}={self.mark}".encode()
        pids = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as f:
                    if word in f.read():
                        pids.append(int(name))
            except OSError:
                pass
        return pids

    # ---- sanitizers ----

    @functools.cached_property
    def slower(self):
        """How many times longer a build with sanitizers may take; else 1."""
        with open(self.program("src/segued"), "rb") as f:
            text = f.read()
        return 25 if b"__tsan_init" in text else \
            5 if b"__asan_init" in text else 1

    def sanitizer_env(self, name):
        env = dict(os.environ)
        env[MARK] = self.mark
        for tool in ("ASAN", "TSAN", "UBSAN", "LSAN"):
            key = f"{tool}_OPTIONS"
            more = f"log_path={self.dir}/san-{name}:print_stacktrace=1"
            env[key] = f"{env[key]}:{more}" if env.get(key) else more
        return env

    def check_sanitizers(self, name, out=""):
        reports = [f for f in os.listdir(self.dir)
                   if f.startswith(f"san-{name}")]
        text = "".join(self.text(f) for f in reports)
        assert not reports, text[:8000]
        assert "Sanitizer" not in out and "runtime error:" not in out, out

    # ---- logs ----

    def text(self, name):
        try:
            with open(f"{self.dir}/{name}", encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def logs(self, lines=60):
        """The tails of all logs, for a test that failed."""
        for root, _, names in sorted(os.walk(self.dir)):
            for name in sorted(names):
                path = os.path.relpath(f"{root}/{name}", self.dir)
                if name.endswith(".log") or name.startswith("san-") or \
                        name in ("segue.yaml", "state.json"):
                    text = self.text(path)
                    if text:
                        yield path, "\n".join(text.splitlines()[-lines:])

    # ---- the end ----

    def end(self, check):
        """Ends everything; with check, each daemon must end well."""
        problem = None
        try:
            for daemon in self.daemons:
                if check:
                    daemon.stop()
            for daemon in self.daemons:
                if check:
                    self.check_sanitizers(daemon.name)
        except BaseException as e:  # told once all has been ended
            problem = e
        for thing in self.closing:
            thing.close()
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:
                        pass
        for pid in self.left_over():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if problem is not None:
            raise problem

    def forget(self):
        shutil.rmtree(self.dir, ignore_errors=True)
