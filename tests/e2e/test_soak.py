"""All that an operator does, and what he fears, again and again under load:
nothing is lost, the accounts add up, and nothing grows.

    SEGUE_SOAK_MINUTES=30 python3 -m pytest -s tests/e2e/test_soak.py
"""
import os
import signal
import statistics
import time

from rig import wait_until
from rig.load import say
from rig.site import Site

MINUTES = float(os.environ.get("SEGUE_SOAK_MINUTES", "0.2"))
MIB = 1 << 20
# In less, connections and buffers are still on their way to what is kept.
MINUTES_FLAT = 1
# Of connections, slabs and exchanges that one round has more than another.
SLACK_BYTES, SLACK_FILES = 2 * MIB, 40


class Soak:
    def __init__(self, site):
        self.site, self.segued = site, site.segued
        self.rounds = 0
        self.seen = []  # (resident bytes, descriptors) at each round's end
        self.pid = self.segued.network_pid()

    def sessions(self, name):
        return self.site.admin.pool(name)["causes"]["share"]

    def serves(self, name):
        """Until sessions begin there."""
        n = self.sessions(name) + 20
        wait_until(lambda: self.sessions(name) >= n, 20,
                   f"sessions on {name}", every=0.05)

    # ---- what is done ----

    def switch(self, name):
        self.segued.do("switch", name, "--when-ready", "--wait")
        self.serves(name)

    def steps(self):
        for pct in (10, 50, 0):
            self.segued.do("share", "v2", f"{pct}%")
            self.site.wait_answers(100)

    def reload(self):
        service = self.segued.config["services"][0]
        service["timeouts"] = {"first_byte": f"{20 + self.rounds % 20}s"}
        service["pools"][0]["instances"][0]["weight"] = 1 + self.rounds % 3
        self.segued.write_config()
        self.segued.do("reload")

    def rotate_logs(self):
        path = f"{self.segued.dir}/access.log"
        os.replace(path, path + ".1")
        self.segued.send(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(path), what="a new access log")

    def drain_one(self):
        self.segued.do("instance", "a2", "drain")
        self.site.wait_answers(100)
        self.segued.do("instance", "a2", "in")

    def kill_one(self):
        victim = self.site.instances[self.rounds % 4]
        victim.kill()
        self.site.wait_answers(200)
        victim.start()
        wait_until(lambda: self.site.admin.instance(victim.name)["health"] ==
                   "up", 10, "the instance's return")

    def go_round(self):
        self.switch("v2")
        self.kill_one()
        self.reload()
        self.switch("v1")
        self.drain_one()
        self.steps()
        self.rotate_logs()
        self.rounds += 1
        self.seen.append((self.resident(), self.files()))

    # ---- what it takes ----

    def resident(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def check_flat(self):
        """The last third of the rounds to the one before."""
        n = max(1, len(self.seen) // 3)
        for i, slack in ((0, SLACK_BYTES), (1, SLACK_FILES)):
            row = [s[i] for s in self.seen]
            before = statistics.median(row[-2 * n:-n])
            last = statistics.median(row[-n:])
            print(f"{('resident bytes', 'descriptors')[i]}: second third "
                  f"{before:,.0f}, last third {last:,.0f}, most {max(row):,}")
            assert MINUTES < MINUTES_FLAT or last <= before * 1.05 + slack, row


def test_soak(rig):
    site = Site(rig, arrivals=True)
    site.start_load(clients=100, think="40ms", posts=10, session=20)
    soak = Soak(site)
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end or soak.rounds < 2:
        soak.go_round()
        a = site.admin.status()["accounting"]
        assert a["holds"] is True, (soak.rounds, a)
        assert site.load.report()["failures_safe"] == {}, soak.rounds
    final = site.load.stop()
    print(f"{soak.rounds} rounds:", say(final), final["failures_unsafe"])
    assert soak.segued.network_pid() == soak.pid, "it was restarted"
    assert final["failures_safe"] == {} and final["bounces"] == 0, \
        final["samples"]
    assert final["answers"] + final["failed"] == final["requests"]
    # Arrivals: who is killed between an answer and its log line has not logged.
    ids = [i for n in site.instances for i in n.arrived_ids()]
    assert len(ids) == len(set(ids)), "a post reached two instances"
    assert final["posts_answered"] <= len(ids) <= \
        final["posts_answered"] + len(final["posts_lost"])
    soak.check_flat()
