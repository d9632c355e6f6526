"""The promise over TLS: a cutover, a rollback and new certificates under load;
nothing fails, nobody bounces."""
import ssl
import threading

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient
from rig.segued import pool, service

CLIENTS = 16


class TlsLoad:
    """Clients that live through sessions of a dozen requests, some of them on
    one connection, some on a new one each (resumed where that can be)."""

    def __init__(self, s, ca):
        self.s, self.ca = s, ca
        self.stopping = threading.Event()
        self.failed, self.answers = [], 0
        self.born = []  # versions of sessions, in their order
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.live, args=(i,))
                        for i in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def live(self, i):
        v = ssl.TLSVersion.TLSv1_2 if i % 4 == 0 else ssl.TLSVersion.TLSv1_3
        context = self.ca.trusting(minimum_version=v, maximum_version=v)
        while not self.stopping.is_set():
            try:
                self.session(context, fresh=i % 2 == 0)
            except (OSError, AssertionError, ssl.SSLError) as e:
                self.failed.append(repr(e))

    def session(self, context, fresh):
        cookies, kept, version = {}, None, None
        c = TlsClient(self.s.address, context)
        try:
            for n in range(12):
                if fresh and n > 0:
                    kept = c.sock.session
                    c.close()
                    c = TlsClient(self.s.address, context, session=kept,
                                  cookies=cookies)
                a = c.post(body=b"x" * 3000) if n % 3 == 2 else c.get()
                cookies = c.cookies
                assert a.status == 200, a.head
                assert version in (None, a.version), \
                    f"bounced from {version} to {a.version}"
                version = a.version
                with self.lock:
                    self.answers += 1
                    if n == 0:
                        self.born.append(version)
        finally:
            c.close()

    def wait_born(self, n):
        n += len(self.born)
        wait_until(lambda: len(self.born) >= n or self.failed, 30,
                   f"{n} sessions")

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()
        assert not self.failed, self.failed[:5]


@pytest.mark.parametrize("inside", ["plain", "tls"])
def test_switch_under_load(rig, rounds, inside):
    ca = Authority(rig)
    leaf = ca.leaf("localhost", path=f"{ca.dir}/web")
    own, tls = None, "off"
    if inside == "tls":
        own, tls = ca.leaf("127.0.0.1"), {"ca": ca.cert}
    v1 = [rig.nginx("v1", n, tls=own) for n in ("a1", "a2")]
    v2 = [rig.nginx("v2", n, tls=own) for n in ("b1", "b2")]
    s = rig.segued(service(pool("v1", v1, share="100%", tls=tls),
                           pool("v2", v2, tls=tls),
                           drain={"flows": "4s"}),
                   start=False)
    s.config["listeners"][0]["tls"] = {"certificates": [leaf.row()]}
    s.write_config()
    s.start()
    load = TlsLoad(s, ca)
    try:
        load.wait_born(CLIENTS)
        for _ in range(rounds):
            s.do("switch", "v2")
            load.wait_born(CLIENTS)
            at = len(load.born)
            load.wait_born(CLIENTS)
            assert set(load.born[at:]) == {"v2"}
            ca.leaf("localhost", path=f"{ca.dir}/web")
            assert s.admin.reload()[0] == 200
            s.do("switch", "v1")
            load.wait_born(CLIENTS)
            s.do("drain", "v2", "--wait", "--timeout", "30s")
            load.wait_born(CLIENTS)
            s.do("undrain", "v2")
    finally:
        load.stop()
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["in_flight"] == 0, a
    assert a["answered"] == a["accepted"] == load.answers, a
