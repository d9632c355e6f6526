"""A restart must not take an instance that was not asked yet for a dead one."""
import time

from rig.scripted import Scripted
from rig.segued import pool, service
from rig.wire import Client

UP = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nUP"


class SlowHealth(Scripted):
    """Answers probes after delay_s."""

    delay_s = 0

    @property
    def health(self):
        time.sleep(self.delay_s)
        return UP

    @health.setter
    def health(self, _):
        pass


def test_pins_outlive_a_restart(rig):
    a = SlowHealth(rig, "v1", "a")
    rig.closing.append(a)
    b = rig.scripted("v2", "b")
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b])))
    with Client(s.address) as c:
        assert c.get().version == "v1"
        cookies = c.cookies
    s.admin.do("share", pool="v2", share="50%")
    s.stop()
    # V2 has proved itself long before V1's first answer comes.
    a.delay_s = 0.4
    s.start(ready=False)
    with Client(s.address, cookies=cookies) as c:
        assert c.get().version == "v1"
    causes = s.admin.pool("v1")["causes"]
    assert causes["pin"] == 1 and sum(causes.values()) == 1


def test_a_silent_instance_does_not_hold_the_start_for_long(rig):
    a = SlowHealth(rig, "v1", "a")
    rig.closing.append(a)
    a.delay_s = 30
    b = rig.scripted("v1", "b")
    s = rig.segued(service(pool("v1", [a, b], probe={"timeout": "10s"})),
                   start=False)
    began = time.monotonic()
    s.start(ready=False)
    with Client(s.address) as c:
        assert c.get().instance == "b"
    assert 2 < time.monotonic() - began < 8
