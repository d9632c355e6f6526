"""redis - a real redis-server: a Unix socket, nothing on disk, no port."""
import socket

from rig.rig import wait_until


class Redis:
    def __init__(self, rig, name="redis"):
        self.socket = f"{rig.dir}/{name}.sock"
        self.child = rig.spawn(
            ["redis-server", "--port", "0", "--unixsocket", self.socket,
             "--save", "", "--appendonly", "no", "--dir", rig.dir],
            f"{name}-out.log")
        wait_until(self.answers, 20, "an answer of redis-server")

    def answers(self):
        assert self.child.poll() is None, "redis-server ended"
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.socket)
                s.sendall(b"PING\r\n")
                return s.recv(16) == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self):
        self.child.kill()
        self.child.wait()
