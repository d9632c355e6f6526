"""segue(1): every command, its exit codes, --json."""
import json
import re
import subprocess
import threading

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once


@pytest.fixture
def s(rig):
    rig.a1, rig.a2 = rig.scripted("v1", "a1"), rig.scripted("v1", "a2")
    rig.b = rig.scripted("v2", "b")
    return rig.segued(service(pool("v1", [rig.a1, rig.a2], share="100%"),
                              pool("v2", [rig.b])))


def test_looking(s):
    """What each shows to people has the names in it; --json is JSON."""
    with Client(s.address) as c:
        c.get()
    for words, wanted in (
            (["status"], ["web", "v1", "v2", "active"]),
            (["pools"], ["v1", "v2", "100%", "active", "ready"]),
            (["instances"], ["a1", "a2", "b", "up"]),
            (["sessions"], ["v1", "1"]),
            (["version"], ["0.1.0"])):
        r = s.do(*words)
        for w in wanted:
            assert w in r.out, (words, w, r)
        assert r.err == "" and "\033" not in r.out
        assert isinstance(s.do(*words, "--json").json(), (dict, list)), words
    assert "services:" in s.do("config").out
    assert s.do("status", "--json").json()["services"][0]["name"] == "web"


def test_share_switch_drain_undrain(s):
    assert s.do("share", "v2", "12.5%", "--json").json()["result"] == "done"
    assert s.admin.pool("v2")["share_bp"] == 1250
    s.do("switch", "v2")
    assert once(s.address).version == "v2"
    s.do("drain", "v1", "--mode", "evict", "--wait")
    assert s.admin.pool("v1")["state"] == "drained"
    s.do("undrain", "v1")
    wait_until(lambda: s.admin.pool("v1")["state"] == "ready")
    s.do("switch", "v1", "--drain", "--mode", "evict", "--wait")
    assert s.admin.pool("v2")["state"] == "drained"


def test_instances_come_and_go(rig, s):
    s.do("instance", "a1", "maint")
    assert {once(s.address).instance for _ in range(10)} == {"a2"}
    s.do("instance", "a1", "in")
    extra = rig.scripted("v1", "extra")
    s.do("add-instance", "v1", extra.address, "--name", "x", "--weight", "5")
    wait_until(lambda: s.admin.instance("x")["health"] == "up")
    assert "extra" in {once(s.address).instance for _ in range(40)}
    s.do("remove-instance", "x")
    assert "extra" not in {once(s.address).instance for _ in range(20)}


def test_added_instances_survive(rig, s):
    extra = rig.scripted("v1", "extra")
    s.do("add-instance", "v1", extra.address, "--name", "x")
    s.do("instance", "a2", "drain")
    s.stop()
    s.start()
    assert s.admin.instance("x")["address"] == extra.address
    assert s.admin.instance("a2")["admin"] == "drain"


REFUSED = [
    (["switch", "v2"], "not ready"),
    (["share", "v2", "10%"], "not ready"),
    (["undrain", "v1"], "not draining"),
    (["drain", "v1"], ""),
]


def test_exit_3_refused(rig, s):
    rig.b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 0)
    generation = s.admin.status()["generation"]
    for words, said in REFUSED:
        r = s.segue(*words)
        assert r.code == 3 and said in r.err and r.err, (words, r)
        j = s.segue(*words, "--json")
        assert j.code == 3
        value = json.loads(j.out or j.err)
        assert value["error"] and value["message"], (words, value)
    s.do("instance", "a1", "drain")
    r = s.segue("instance", "a2", "drain")
    assert r.code == 3 and "--force" in r.err
    assert s.admin.status()["generation"] == generation + 1
    s.do("instance", "a2", "drain", "--force")


@pytest.mark.parametrize("words", [
    [], ["fly"], ["switch"], ["switch", "v2", "v3"], ["share", "v2"],
    ["share", "v2", "110%"], ["share", "v2", "much"], ["switch", "--nope"],
    ["drain", "v1", "--mode", "gently"], ["drain", "v1", "--grace", "soon"],
    ["instance", "a1", "gone"], ["switch", "v9"], ["instance", "zz", "in"],
    ["status", "--service", "nope"], ["add-instance", "v1", "nowhere"]],
    ids=" ".join)
def test_exit_2_usage(s, words):
    r = s.segue(*words)
    assert r.code == 2 and r.err, r


def test_near_misses_are_named(s):
    assert "switch" in s.segue("swich", "v2").err
    assert "--when-ready" in s.segue("switch", "v2", "--when-redy").err


def test_exit_1_failed(s):
    s.write_config("nonsense: 1\n")
    r = s.segue("reload")
    assert r.code == 1 and "nonsense" in r.err + r.out


def test_exit_4_timed_out(rig, s):
    rig.b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 0)
    r = s.segue("switch", "v2", "--when-ready", "--wait", "--timeout",
                "400ms")
    assert r.code == 4, r
    assert 300_000 < r.took_us < 3_000_000
    assert once(s.address).version == "v1"
    # the action itself goes on
    rig.b.health = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: once(s.address).version == "v2")


def test_exit_5_unreachable(s):
    r = s.segue("status", socket=f"{s.dir}/nowhere.sock")
    assert r.code == 5 and "nowhere.sock" in r.err
    s.stop()
    assert s.segue("status").code == 5


def test_socket_from_the_environment(rig, s):
    env = rig.sanitizer_env(s.name)
    env["SEGUE_SOCKET"] = s.socket
    done = subprocess.run([rig.program("src/segue/segue"), "version"],
                          env=env, capture_output=True, text=True,
                          timeout=10, check=False)
    assert done.returncode == 0 and "0.1.0" in done.stdout


def test_when_ready_waits_and_says_for_what(rig, s):
    rig.b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 0)
    done = []
    t = threading.Thread(target=lambda: done.append(
        s.segue("switch", "v2", "--when-ready", "--wait")))
    t.start()
    wait_until(lambda: "v2 is not ready" in s.admin.pool("v2")["holds"])
    rig.b.health = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    t.join(10)
    assert done[0].code == 0
    assert "not ready" in done[0].out + done[0].err
    assert once(s.address).version == "v2"


def test_superseded_wait(rig, s):
    """A later command takes a waiting switch's place: exit 3."""
    rig.b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: s.admin.pool("v2")["eligible"] == 0)
    done = []
    t = threading.Thread(target=lambda: done.append(
        s.segue("switch", "v2", "--when-ready", "--wait")))
    t.start()
    wait_until(lambda: s.admin.status()["services"][0]["pending"])
    s.do("switch", "v1")
    t.join(10)
    assert done[0].code == 3, done[0]


def test_interrupted_wait_leaves_the_action(rig, s):
    """^C ends the waiting, not the drain."""
    with Client(s.address) as c:
        c.get()
        child = rig.spawn([rig.program("src/segue/segue"), "--socket",
                           s.socket, "drain", "v1", "--grace", "60s",
                           "--wait"], "cli.log")
        wait_until(lambda: s.admin.pool("v1")["state"] == "draining")
        child.send_signal(2)
        child.wait(5)
        assert s.admin.pool("v1")["state"] == "draining"
        assert child.returncode not in (0, 3)


def test_events(rig, s):
    s.do("share", "v2", "10%")
    r = s.do("events", "--last", "50")
    assert "share" in r.out and "v2" in r.out
    rows = [json.loads(x) for x in
            s.do("events", "--json").out.splitlines() if x]
    assert {"id", "time", "type", "text"} <= set(rows[-1])
    assert [x["id"] for x in rows] == sorted(x["id"] for x in rows)


def test_events_follow(rig, s):
    child = rig.spawn([rig.program("src/segue/segue"), "--socket", s.socket,
                       "events", "-f", "--json"], "events.log",
                      stdout=subprocess.PIPE, text=True)
    s.do("share", "v2", "33%")
    seen = []
    t = threading.Thread(target=lambda: seen.extend(
        iter(child.stdout.readline, "")))
    t.start()
    wait_until(lambda: any("33%" in x for x in seen), what="the event")
    assert child.poll() is None
    child.terminate()
    t.join(5)


def test_help_names_every_command(s):
    text = s.do("help").out
    for word in ("status", "pools", "instances", "share", "switch", "drain",
                 "undrain", "instance", "add-instance", "remove-instance",
                 "sessions", "events", "reload", "config", "version"):
        assert re.search(rf"^ +{word}\b", text, re.M), (word, text)
        assert word in s.do("help", word).out


def test_two_services_need_a_name(rig):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    pools = [pool("v1", [a], share="100%"), pool("v2", [b])]
    s = rig.segued([service(*pools, name="one", match="one.example.org"),
                    service(*pools, name="two", match="two.example.org")])
    r = s.segue("switch", "v2")
    assert r.code == 2 and "--service" in r.err, r
    s.do("switch", "v2", "--service", "two")
    assert s.admin.pool("v2", "two")["share_bp"] == 10000
    assert s.admin.pool("v2", "one")["share_bp"] == 0
    r = s.segue("instance", "a", "drain", "--service", "one", "--pool", "v1",
                "--force")
    assert r.code == 0, r


def test_many_at_once(s):
    """Commands side by side: each is done or refused, none is lost."""
    codes = []

    def one(i):
        codes.append(s.segue("share", "v2", f"{i}%").code)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(1, 17)]
    before = s.admin.status()["generation"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert codes == [0] * 16
    assert s.admin.status()["generation"] == before + 16
