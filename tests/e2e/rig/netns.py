"""netns - networks that are apart, and wires between them that can be cut.

Namespaces have no names: each is there as long as somebody holds it, be it a
killed run's last process.  They have only wires among themselves.
"""
import contextlib
import ctypes
import os
import subprocess

NEWNET = 0x40000000  # CLONE_NEWNET
PRESENT = "/proc/thread-self/ns/net"

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def ip(*lines):
    """Commands of ip(8), in the present namespace."""
    r = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n",
                       text=True, capture_output=True, check=False)
    assert r.returncode == 0, (lines, r.stderr)


class Place:
    """A namespace; what is begun inside, as threads and children, is there."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        with self.back_after():
            check(libc.unshare(NEWNET))
            self.fd = os.open(PRESENT, os.O_RDONLY)
            ip("link set lo up")

    @staticmethod
    @contextlib.contextmanager
    def back_after():
        was = os.open(PRESENT, os.O_RDONLY)
        try:
            yield
        finally:
            check(libc.setns(was, NEWNET))
            os.close(was)

    @contextlib.contextmanager
    def inside(self):
        with self.back_after():
            check(libc.setns(self.fd, NEWNET))
            yield

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self):
        os.close(self.fd)


class Switch(Place):
    """A bridge; what is plugged in sees the others that are."""

    def __init__(self):
        super().__init__()
        self.wires = 0
        with self.inside():
            ip("link add name hub type bridge", "link set hub up")

    def plug(self, place, address):
        self.wires += 1
        near, far = f"port{self.wires}", f"s{id(self) % 99999}"
        with self.inside():
            ip(f"link add name {near} type veth peer name {far} "
               f"netns {place.path}",
               f"link set {near} master hub", f"link set {near} up")
        with place.inside():
            ip(f"addr add {address}/24 dev {far}", f"link set {far} up")
        return Wire(self, near)


class Wire:
    def __init__(self, switch, port):
        self.switch, self.port = switch, port

    def cut(self):
        """Packets are lost, both ways, and nobody is told."""
        self.tell("nomaster")

    def mend(self):
        self.tell("master hub")

    def down(self):
        """The same, and the other end sees that its cable is out."""
        self.tell("down")

    def up(self):
        self.tell("up")

    def tell(self, words):
        with self.switch.inside():
            ip(f"link set {self.port} {words}")
