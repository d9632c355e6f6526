"""freeze - stops one thread of a process, as a disk that hangs stops it.

A signal stops all threads; ptrace(2) stops one.  All calls must come from the
thread that made it.
"""
import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def thread_named(pid, name):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if f.read().strip() == name:
                return int(tid)
    raise KeyError(name)


def ptrace(what, tid):
    if libc.ptrace(ctypes.c_long(what), ctypes.c_long(tid), None, None) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Frozen:
    """A thread that does not go on before thaw(), or the end of "with"."""

    def __init__(self, pid, name):
        self.tid = thread_named(pid, name)
        ptrace(SEIZE, self.tid)
        ptrace(INTERRUPT, self.tid)
        os.waitpid(self.tid, WALL)

    def thaw(self):
        if self.tid is not None:
            ptrace(DETACH, self.tid)
        self.tid = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thaw()
