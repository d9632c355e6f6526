"""Time that nobody looked at: a stopped process, and what it makes of it.

That the wall clock is set is tested with a clock of our own
(tests/unit/rollout/test_clock.c): no test may set that of the machine.
"""
import os
import signal
import time

from rig import wait_until
from rig.segued import PROBE, pool, service


def test_a_stopped_process_blames_nobody(rig):
    """SIGSTOP for longer than every timeout of the probes."""
    probe = {**PROBE, "timeout": "300ms", "fall": 1, "interval": "50ms"}
    more = [rig.scripted("v2", f"b{n}") for n in range(20)]
    s = rig.segued(service(
        pool("v1", [rig.nginx("v1", "a")], share="100%", probe=probe),
        pool("v2", more, probe=probe)))
    load = rig.load(s, clients=20, think="25ms", session=12)
    wait_until(lambda: load.report()["answers"] > 100)
    for _ in range(4):
        pid = s.network_pid()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.7)  # what is tested: time that passes
        os.kill(pid, signal.SIGCONT)
        n = load.report()["answers"]
        wait_until(lambda n=n: load.report()["answers"] > n + 100)
        rows = [i for p in ("v1", "v2")
                for i in s.admin.pool(p)["instances"]]
        assert [(i["name"], i["reason"]) for i in rows
                if i["health"] != "up" or i["probes_failed"]] == []
    assert load.stop()["failed"] == 0
