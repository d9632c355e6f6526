"""watch - a client that must not notice, and what segued uses meanwhile."""
import contextlib
import resource
import threading
import time

from rig.rig import wait_until
from rig.wire import Client, Closed, once

MIB = 1 << 20
# The formula of segue.yaml(5): bytes for each.
CLIENT, EXCHANGE, UPCONN, SLAB, LARGE = 700, 5300, 520, 16384, 73728
H2, TLS, SHAKE = 8192, 16384, 24576  # of a connection, besides
KEPT = 256  # spare exchanges, and free buffers, of a worker


class Steady(threading.Thread):
    """A client that asks without a pause and counts what it gets."""

    def __init__(self, address, fresh=50, connect=None):
        """connect: opens a connection; else one of HTTP/1 to the address."""
        super().__init__(daemon=True)
        self.connect = connect or (lambda: Client(address))
        self.fresh = fresh
        self.asked = self.served = 0
        self.worst_s = 0.0
        self.why = []
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                with contextlib.closing(self.connect()) as c:
                    for _ in range(self.fresh):
                        if self.ended.is_set():
                            return
                        self.ask(c)
            except (OSError, Closed) as e:
                self.why.append(repr(e))

    def ask(self, c):
        began = time.monotonic()
        self.asked += 1
        a = c.get() if self.asked % 10 else c.post(body=b"x" * 1000)
        self.served += a.status == 200
        self.worst_s = max(self.worst_s, time.monotonic() - began)
        time.sleep(0.002)

    def check(self, least=100):
        """Once it has asked so often, which a busy machine may delay."""
        wait_until(lambda: self.asked >= least, 60, f"{least} requests")
        self.ended.set()
        self.join(10)
        assert self.served >= 0.999 * self.asked, \
            (self.asked, self.served, self.why)
        assert not self.why or self.served >= 0.999 * (
            self.asked + len(self.why)), self.why


class Watch:
    """What segued uses, compared with its start."""

    def __init__(self, segued, workers=2):
        self.s, self.workers = segued, workers
        for _ in range(4):
            once(segued.address)
        self.rss = self.resident()
        self.fds = self.files()

    def load(self):
        return self.s.admin.status()["load"]

    def resident(self):
        with open(f"/proc/{self.s.network_pid()}/statm",
                  encoding="ascii") as f:
            return int(f.read().split()[1]) * resource.getpagesize()

    def files(self):
        return int(self.metric("process_open_fds"))

    def metric(self, name):
        text = self.s.admin.raw("GET", "/metrics")[2]
        return next(line.split()[1] for line in text.splitlines()
                    if line.startswith(name + " "))

    def slack(self):
        """What is kept for reuse, and what is not counted."""
        return self.workers * KEPT * (EXCHANGE + SLAB) + 4 * MIB

    def check_bound(self, clients=0, exchanges=0, slabs=0, large=0, h2=0,
                    tls=0, shaking=0):
        """Is it within the formula, as counted and as the system sees it?"""
        counted = self.load()["memory_bytes"]
        bound = (clients + 8) * CLIENT + (exchanges + 8) * (
            EXCHANGE + UPCONN) + (slabs + 8) * SLAB + large * LARGE + \
            h2 * H2 + tls * TLS + shaking * SHAKE + \
            self.workers * KEPT * EXCHANGE
        assert counted <= bound, (counted, bound)
        # libevent and the loop know each descriptor, too
        grown = self.resident() - self.rss
        most = bound + clients * 300 + self.slack()
        if self.s.rig.slower == 1:
            assert grown <= most, (grown, most)

    def check_back(self, seconds=10):
        """Back to its start: nothing is held that was not before."""
        def back():
            load = self.load()
            return load["clients"] <= 2 and load["state"] == "normal" and \
                load["memory_bytes"] <= 10 * CLIENT + self.workers * KEPT * \
                EXCHANGE + 64 * UPCONN and self.files() <= self.fds + 64
        wait_until(back, seconds, "what it was at its start", 0.1)
        if self.s.rig.slower == 1:
            wait_until(lambda: self.resident() - self.rss <= self.slack(),
                       seconds, "its memory back", 0.1)
