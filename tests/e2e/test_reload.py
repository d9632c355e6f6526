"""A new configuration in the running process."""
import os

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once


@pytest.fixture
def s(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    rig.a, rig.b = a, b
    return rig.segued(service(pool("v1", [a], share="100%"),
                              pool("v2", [b])))


def reload(s):
    s.write_config()
    r = s.segue("reload", "--json")
    return r.code, r.json()


def test_what_changed_is_said(s):
    s.config["services"][0]["timeouts"] = {"first_byte": "9s"}
    s.config["log"]["level"] = "warn"
    code, r = reload(s)
    assert code == 0 and r["result"] == "done"
    text = "\n".join(r["changed"])
    assert "first_byte" in text and "log.level" in text, r
    assert r["restart"] == []


def test_nothing_changed(s):
    s.do("share", "v2", "10%")
    before = s.admin.status()
    code, r = reload(s)
    assert code == 0 and r["changed"] == [] and r["restart"] == []
    after = s.admin.status()
    for key in ("generation", "changed_at", "changed_by"):
        assert after[key] == before[key], "who changed what is forgotten"


def test_what_cannot_be_live_is_named(s):
    s.config["workers"] = 1
    s.config["admin"]["mode"] = "0600"
    code, r = reload(s)
    assert code == 0
    text = "\n".join(r["restart"])
    assert "workers" in text and "admin.mode" in text, r
    assert s.admin.status()["workers"] == 2


def test_bad_file_changes_nothing(s):
    before = s.admin.raw("GET", "/v1/config")[2]
    generation = s.admin.status()["generation"]
    s.write_config("wrokers: 3\nlisteners: [ ]\n")
    r = s.segue("reload")
    assert r.code == 1
    assert "segue.yaml:1:1: wrokers: there is no such key" in r.err + r.out
    assert s.admin.raw("GET", "/v1/config")[2] == before
    assert s.admin.status()["generation"] == generation
    assert once(s.address).version == "v1"
    code, r = s.admin.reload()
    assert code == 422 and r["error"] == "config" and r["problems"], r
    told = [e for e in s.admin.events() if e["type"] == "reload"][-1]
    assert "refused: " in told["text"] and "wrokers" in told["text"], told
    assert s.admin.metrics()["segue_reload_ok"] == 0
    s.write_config()
    assert s.admin.reload()[0] == 200
    assert s.admin.metrics()["segue_reload_ok"] == 1


def test_file_gone(s):
    os.unlink(s.config_path)
    r = s.segue("reload")
    assert r.code == 1 and "cannot be read" in r.err + r.out
    assert once(s.address).version == "v1"


def test_no_connection_is_touched(rig, s):
    """Client and instance keep theirs; health and pins stay."""
    with Client(s.address) as c:
        first = c.get()
        pins = dict(c.cookies)
        lines = len(rig.a.connections)
        s.config["services"][0]["retry"] = {"attempts": 1}
        s.config["services"][0]["pools"][0]["probe"]["interval"] = "300ms"
        code, _ = reload(s)
        assert code == 0
        second = c.get()  # on the same connection
        assert second.instance == first.instance
        assert c.cookies == pins
    traffic = [r for r in rig.a.requests]
    assert len(traffic) == 2
    assert s.admin.pool("v1")["eligible"] == 1
    assert lines >= 1


def test_in_flight_goes_on(rig):
    """A request that is under way while its instance is taken out by a reload
    is answered by it."""
    slow = rig.nginx("v1", "slow")
    other = rig.nginx("v1", "other")
    s = rig.segued(service(pool("v1", [slow])))
    rows = s.config["services"][0]["pools"][0]["instances"]
    with Client(s.address) as c:
        c.ask("/slow/10")
        wait_until(lambda: s.admin.pool("v1")["in_flight"] == 1)
        rows.append({"name": "other", "address": other.address})
        assert reload(s)[0] == 0
        wait_until(lambda: s.admin.pool("v1")["eligible"] == 2)
        rows.pop(0)
        code, r = reload(s)
        assert code == 0, r
        wait_until(lambda: once(s.address).instance == "other")
        answer = c.answer()
        assert answer.status == 200 and answer.instance == "slow"
    wait_until(lambda: [i["name"] for i in s.admin.pool("v1")["instances"]]
               == ["other"])


def test_nobody_left_to_serve_is_refused(rig, s):
    """All instances of a pool with a share replaced at once by unknown ones:
    that would be an outage."""
    other = rig.scripted("v1", "other")
    s.config["services"][0]["pools"][0]["instances"] = [
        {"name": "other", "address": other.address}]
    s.write_config()
    r = s.segue("reload")
    assert r.code == 1 and "nothing was changed" in r.err + r.out
    assert once(s.address).instance == "a"


def test_new_pool_and_service(rig, s):
    c = rig.scripted("v3", "c")
    s.config["services"][0]["pools"].append(pool("v3", [c]))
    s.config["services"].append(service(pool("w1", [c]), name="second",
                                        match="second.example.org"))
    code, r = reload(s)
    assert code == 0, r
    wait_until(lambda: s.admin.pool("v3")["state"] == "ready")
    s.do("switch", "v3", "--service", "web")
    assert once(s.address).version == "v3"
    # and away again: with it goes its share, to who can serve
    s.config["services"] = s.config["services"][:1]
    s.config["services"][0]["pools"].pop()
    code, r = reload(s)
    assert code == 0, r
    wait_until(lambda: once(s.address).status == 200)
    assert once(s.address).version in ("v1", "v2")


def test_new_key_is_taken_over(rig):
    """Pins under the old key stay valid while it is in the ring, no longer."""
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    keys = f"{rig.dir}/keys"
    lines = [f"1 {'11' * 32}", f"2 {'22' * 32}"]

    def write(*rows):
        with open(keys + ".new", "w", encoding="ascii") as f:
            f.write("".join(r + "\n" for r in rows))
        os.chmod(keys + ".new", 0o600)
        os.rename(keys + ".new", keys)

    write(lines[0])
    s = rig.segued(service(pool("v1", [a], share="100%"), pool("v2", [b])),
                   key_file=keys)
    with Client(s.address) as c:
        c.get()
        old = dict(c.cookies)
    s.do("switch", "v2")
    write(lines[1], lines[0])
    s.do("reload")
    assert once(s.address, cookies=old).version == "v1"
    with Client(s.address) as c:
        assert c.get().version == "v2"
        new = dict(c.cookies)
    write(lines[1])
    s.do("reload")
    assert once(s.address, cookies=new).version == "v2"
    assert once(s.address, cookies=old).version == "v2", \
        "a pin under a key that is gone still led somewhere"
    # a ring that cannot be read changes nothing
    write("nonsense")
    r = s.segue("reload")
    assert r.code == 1, r
    assert once(s.address, cookies=new).version == "v2"


def test_probe_becomes_another(rig, s):
    rig.b.health = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 0)
    s.config["services"][0]["pools"][1]["probe"] = {
        "type": "tcp", "interval": "100ms", "fast_interval": "30ms",
        "rise": 1, "hold": "0"}
    assert reload(s)[0] == 0
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 1)


def test_reloads_side_by_side(s):
    """Two at once: each is answered, the last file counts."""
    for i in range(10):
        s.config["services"][0]["timeouts"] = {"first_byte": f"{i + 1}s"}
        s.write_config()
        s.send(1)  # HUP
        code, r = s.admin.reload()
        assert code in (200, 503), r
    assert s.admin.reload()[0] == 200
    assert "first_byte: 10s" in s.admin.raw("GET", "/v1/config")[2]
