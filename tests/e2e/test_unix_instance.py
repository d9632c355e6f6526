"""An instance on a Unix socket: probes, requests, a socket file without
anybody behind it, and one that is new."""
import os
import socket
import threading

from rig import wait_until
from rig.scripted import Connection, Scripted
from rig.segued import pool, service
from rig.wire import Client, once


class OnUnix(Scripted):
    def __init__(self, rig, version, name):
        self.path = f"{rig.dir}/{name}.sock"
        super().__init__(rig, version, name)
        self.address = f"unix:{self.path}"

    def listen(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(self.path)
        os.chmod(self.path, 0o777)
        s.listen(512)
        self.socks.append(s)
        threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            conn = Connection(self, sock)
            self.connections.append(conn)
            threading.Thread(target=self.serve, args=(conn,),
                             daemon=True).start()


def why(s):
    i = s.admin.instance("a")
    return i["health"], i["reason"]


def test_life(rig):
    a = OnUnix(rig, "v1", "a")
    rig.closing.append(a)
    s = rig.segued(service(pool("v1", [a], probe={"path": "/ready"})))
    assert a.requests[0].field("Host") == "localhost"
    assert s.admin.instance("a")["address"] == f"unix:{a.path}"
    with Client(s.address) as c:
        for _ in range(3):
            assert c.get("/x").version == "v1"
    asked = [r for r in a.requests if r.target == "/x"]
    assert len(asked) == 3
    assert all(r.field("Host") == s.address for r in asked)
    assert s.admin.instance("a")["requests"] == 3

    a.deafen()  # its file stays
    for conn in a.connections:
        conn.close()
    assert os.path.exists(a.path)
    wait_until(lambda: why(s) == ("down", "connection refused"))
    assert once(s.address, "/x").status == 503
    a.listen()
    wait_until(lambda: why(s)[0] == "up")
    assert once(s.address, "/x").version == "v1"

    a.deafen()
    os.unlink(a.path)
    wait_until(lambda: why(s) == ("down", "address unreachable"))


def test_beside_others_and_by_command(rig):
    a, b = OnUnix(rig, "v1", "a"), rig.scripted("v1", "b")
    rig.closing.append(a)
    s = rig.segued(service(pool("v1", [b])))
    s.do("add-instance", "v1", a.address, "--name", "a")
    wait_until(lambda: why(s)[0] == "up")
    s.do("instance", "b", "maint")
    assert once(s.address, "/x").status == 200
    assert [r.target for r in a.requests] == ["/x"] and not b.requests
    s.do("instance", "b", "in")
    s.do("remove-instance", "a", "--pool", "v1")
    assert once(s.address, "/y").status == 200
    assert [r.target for r in b.requests] == ["/y"]
