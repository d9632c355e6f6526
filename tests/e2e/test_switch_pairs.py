"""The promise for each pair of protocols: a cutover, a stop of the old
version, a rollback and new certificates under load; nothing fails, nobody
bounces, nothing is done twice, and the accounts add up."""
import collections

import pytest

from rig import wait_until
from rig.certs import Authority
from rig.segued import pool, service
from rig.sessions import CLIENTS, Crowd
from rig.site import posts_done_once

EACH = 5  # clients of a kind

# What instances speak: nginx's parameters, and what the pool says of them.
Inside = collections.namedtuple("Inside", "tls http2 pool")
INSTANCES = {
    "h1": Inside(False, False, {}),
    "h1+tls": Inside(True, False, {}),
    "h2c": Inside(False, True, {"protocol": "h2c"}),
    "h2": Inside(True, True, {"protocol": "h2"}),
}


def started(rig, ca, inside, **nginx):
    """segued with a plain listener and one over TLS; where clients go."""
    own, tls = None, "off"
    if inside.tls:
        own, tls = ca.leaf("127.0.0.1"), {"ca": ca.cert}
    nginx.update(tls=own, http2=inside.http2)
    v1, v2 = ([rig.nginx(v, n, **nginx) for n in names]
              for v, names in (("v1", ("a1", "a2")), ("v2", ("b1", "b2"))))
    s = rig.segued(service(
        pool("v1", v1, share="100%", tls=tls, **inside.pool),
        pool("v2", v2, tls=tls, **inside.pool),
        sticky={"idle": "1s"}), start=False)
    secure = rig.port()
    s.config["listeners"].append({
        "name": "tls", "address": secure.address, "tls": {"certificates": [
            ca.leaf("localhost", path=f"{ca.dir}/web").row()]}})
    s.write_config()
    s.start()
    return s, v1, v2, {kind: secure.address if alpn else s.address
                       for kind, (_, alpn) in CLIENTS.items()}


def there(s, crowd, new):
    s.do("switch", new)
    crowd.wait_born()  # each of them may have begun before
    assert crowd.wait_born() == {kind: {new} for kind in crowd.kinds}


@pytest.mark.parametrize("inside", INSTANCES)
def test_switch_under_load(rig, rounds, inside):
    ca = Authority(rig)
    s, v1, v2, where = started(rig, ca, INSTANCES[inside])
    crowd = Crowd(where, ca, EACH)
    try:
        crowd.wait_born()
        for _ in range(rounds):
            there(s, crowd, "v2")
            ca.leaf("localhost", path=f"{ca.dir}/web")
            assert s.admin.reload()[0] == 200
            s.do("drain", "v1", "--wait", "--timeout", "30s")
            for instance in v1:
                instance.stop()
            crowd.wait_born()
            for instance in v1:
                instance.start()
            s.do("undrain", "v1")
            wait_until(lambda: s.admin.pool("v1")["ready"], 10, "v1")
            there(s, crowd, "v1")
    finally:
        answers = crowd.stop()
    posts_done_once(v1 + v2, crowd.posts())
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["in_flight"] == 0, a
    assert a["answered"] == a["accepted"] == answers, a


@pytest.mark.parametrize("inside", ["h2c", "h2"])
def test_connections_that_instances_end(rig, inside):
    """nginx says GOAWAY every twenty requests and does not do what comes then:
    a post is sent again, since it was never begun."""
    ca = Authority(rig)
    s, v1, v2, where = started(rig, ca, INSTANCES[inside], requests=20)
    crowd = Crowd(where, ca, EACH)
    try:
        wait_until(lambda: crowd.failed() or crowd.posts() > 1000, 60,
                   "a thousand posts")
    finally:
        answers = crowd.stop()
    posts_done_once(v1 + v2, crowd.posts())
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["answered"] == answers, a
    assert s.admin.metrics()['segue_retries_total{service="web"}'] > 0
