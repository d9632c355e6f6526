"""measure - what a tree of processes costs: CPU, system calls, memory."""
import os
import re
import shutil
import signal
import subprocess
import tempfile


def tree(pid):
    """pid and all its descendants."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children",
                          encoding="ascii") as f:
                    todo += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def cpu_us(pid):
    """CPU time the tree has used so far, from the scheduler's own clock."""
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/schedstat",
                          encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1000


def pss_kib(pid):
    """Proportional resident memory of the tree."""
    total = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])
        except (OSError, TypeError):
            pass
    return total


class PerfCounter:
    """System calls of a tree between begin() and end(), by perf stat.

    end() gives how many there were, and how many of them were epoll_wait.
    """

    def __init__(self, pid):
        self.out = tempfile.NamedTemporaryFile("r")
        read_end, self.ctl = os.pipe()
        self.ack, write_end = os.pipe()
        pids = ",".join(str(p) for p in tree(pid))
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.out.name, "-D", "-1",
             "-e", "raw_syscalls:sys_enter,syscalls:sys_enter_epoll_wait",
             "-p", pids,
             "--control", f"fd:{read_end},{write_end}"],
            pass_fds=(read_end, write_end), stderr=subprocess.DEVNULL)
        os.close(read_end)
        os.close(write_end)

    def _say(self, word):
        os.write(self.ctl, word + b"\n")
        os.read(self.ack, 16)

    def begin(self):
        self._say(b"enable")

    def end(self):
        self._say(b"disable")
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        os.close(self.ctl)
        os.close(self.ack)
        counts = {}
        for line in self.out.read().splitlines():
            fields = line.split(",")
            if len(fields) > 2 and fields[0].isdigit():
                counts[fields[2]] = int(fields[0])
        return (counts.get("raw_syscalls:sys_enter"),
                counts.get("syscalls:sys_enter_epoll_wait"))


def strace_counts(text):
    """What strace -c says: calls by name."""
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        if (len(fields) >= 5 and fields[3].isdigit()
                and fields[-1] != "total"):
            calls[fields[-1]] = int(fields[3])
    return calls


class StraceCounter:
    """The same by strace: exact as well, but it slows what it watches."""

    def __init__(self, pid):
        self.out = tempfile.NamedTemporaryFile("r")
        self.command = ["strace", "-c", "-f", "-q", "-o", self.out.name]
        for p in tree(pid):
            self.command += ["-p", str(p)]
        self.process = None

    def begin(self):
        self.process = subprocess.Popen(self.command,
                                        stderr=subprocess.DEVNULL)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        calls = strace_counts(self.out.read())
        return sum(calls.values()) if calls else None, calls.get("epoll_wait")


def _perf_works():
    if shutil.which("perf") is None:
        return False
    return subprocess.run(
        ["perf", "stat", "-e",
         "raw_syscalls:sys_enter,syscalls:sys_enter_epoll_wait", "true"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def syscall_counter():
    """The class to count with, or None."""
    if _perf_works():
        return PerfCounter
    return StraceCounter if shutil.which("strace") else None
