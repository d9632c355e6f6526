"""Each file of conf/examples does what it says, with stand-ins for the servers
and programs that it names: under load, with each job failing, and back."""
import os
import random
import re
import signal
import threading
import time

import pytest

from rig import wait_until
from rig.load import say
from rig.mimics import MIMICS, Mimics
from test_rollout import rollout, shares, wait_stand


class Run:
    """An example, its stand-ins and load."""

    def __init__(self, rig, mimics, first, **load):
        self.mimics = mimics
        self.s = mimics.segued(first)
        self.load = rig.load(self.s, clients=60, think="20ms", session=12,
                             **load)
        self.wait_answers(200)

    def wait_answers(self, more):
        n = self.load.report()["answers"] + more
        wait_until(lambda: self.load.report()["answers"] >= n, 30,
                   f"answer {n}", every=0.05)

    def go(self, to):
        return self.s.segue("rollout", "start", "--to", to, "--wait",
                            timeout=40)

    def finish(self, *pools):
        """Nothing failed, and each post was done once in these databases."""
        self.wait_answers(200)
        final = self.load.stop()
        print(say(final))
        assert final["failed"] == 0, (final["failures_safe"],
                                      final["failures_unsafe"],
                                      final["samples"])
        for pool in pools:
            done = self.mimics.writes(pool)
            assert len(done) == len(set(done)) == final["posts_answered"], \
                (len(done), len(set(done)), final["posts_answered"])
        assert self.mimics.faults() == []
        assert self.s.admin.status()["accounting"]["holds"] is True
        report = rollout(self.s)["report"]
        assert report["holds"] is True and report["whole"] is True, report
        assert report["accepted"] > 0 and report["fault"] == 0, report
        assert "0 lost: each of" in self.s.do("rollout", "report").out
        return final

    def fail(self, name, to, first, stand="rolled_back"):
        """That job fails, and users see nothing of it."""
        self.mimics.set(f"fail-{name}")
        r = self.go(to)
        assert r.code == 3, r
        now = rollout(self.s)
        assert now["stand"] == stand and \
            re.match(f"job {name}: (whether it is needed: )?exit status 9: "
                     f"{name} is to fail", now["why"]), now
        self.mimics.unset(f"fail-{name}")
        if stand == "rolled_back":
            assert shares(self.s)[first] == 10000
            self.wait_answers(100)
            self.rest(to)

    def fail_last(self, to):
        """What fails when all users are there already stands still, and is
        done again."""
        self.fail("stop-old", to, None, "paused")
        assert shares(self.s)[to] == 10000
        self.s.do("rollout", "retry")
        wait_stand(self.s, "done", 30)

    def rest(self, to):
        """Until the new pool drains no more; it is stopped then."""
        wait_until(lambda: self.s.admin.pool(to)["state"] != "draining", 20,
                   f"{to} to be drained")
        self.mimics.systemctl("stop", to)


# ---- Keycloak ----

def keycloak(rig, new):
    m = Mimics(rig, "keycloak", {"v1": ("26.6.1", 11, "kc"),
                                 "v2": (new, 21, "kc")}, 8080, 9000,
               {"keycloak-backup": "echo saved"})
    m.schema("v1", "26.6")
    for version in ("26.6.1", new):
        os.makedirs(f"{m.dir}/opt/keycloak-{version}/bin")
        os.symlink(f"{MIMICS}/kc.sh",
                   f"{m.dir}/opt/keycloak-{version}/bin/kc.sh")
    text = m.text

    def changed(directory):
        return text(directory).replace('"26.6.2"', f'"{new}"')

    m.text = changed
    return m


def rolling(rig):
    m = Mimics(rig, "keycloak", {"main": ("26.6.1", 11, "kc")}, 8080, 9000,
               {}, file="rolling")
    m.add_unit("main", 3, "26.6.1", f"{m.net}13", 9000)
    m.write_units()
    m.schema("main", "26.6")
    return m


class Outs:
    """How many instances of a pool were taken out at once, at most."""

    def __init__(self, s, pool):
        self.s, self.pool, self.most, self.going = s, pool, 0, True
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while self.going:
            out = [i for i in self.s.admin.pool(self.pool)["instances"]
                   if i["admin"] != "in"]
            self.most = max(self.most, len(out))
            time.sleep(0.01)

    def end(self):
        self.going = False
        self.thread.join()
        return self.most


def test_keycloak_node_by_node(rig):
    """A patch in one pool: never more than one node is out, nothing fails."""
    r = Run(rig, rolling(rig), "main", moved_ok=True)
    m = r.mimics
    m.install("26.6.2")
    outs = Outs(r.s, "main")
    # The first that is restarted fails: it stands still there, and goes on.
    m.set("fail-restart")
    done = r.go("main")
    assert done.code == 3, done
    now = rollout(r.s)
    assert now["stand"] == "paused" and "at main-1, paused" in now["where"]
    assert [i["admin"] for i in r.s.admin.pool("main")["instances"]] == \
        ["maint", "in", "in"]
    m.unset("fail-restart")
    r.s.do("rollout", "retry")
    wait_stand(r.s, "done", 40)
    assert outs.end() == 1
    r.finish("main")
    assert [i["admin"] for i in r.s.admin.pool("main")["instances"]] == \
        ["in"] * 3
    assert renewed(m) == ["main-1", "main-2", "main-3"]
    versions = [x.split()[0] for x in m.lines("main", "served")]
    assert versions == ["26.6.1"] * 3 + ["26.6.2"] * 3, versions
    assert shares(r.s)["main"] == 10000
    log = r.s.log()
    for n in (1, 2, 3):
        assert f"roll restart at main-{n}" in log


def renewed(m):
    with open(f"{m.dir}/jobs", encoding="utf-8") as f:
        return [x.split()[-1] for x in f]


def test_killed_while_it_goes_node_by_node(rig):
    """Whatever dies when: no node is left out, none is restarted twice but
    where nobody knows how that ended."""
    m = rolling(rig)
    s = m.segued("main")
    s.do("rollout", "start", "--to", "main")
    for _ in range(4):
        time.sleep(random.uniform(0, 0.8))
        os.kill(s.network_pid(), signal.SIGKILL)
        wait_until(lambda: s.is_up(ready=False), 15, "the next process")
    wait_stand(s, "done", 60)
    assert renewed(m) == ["main-1", "main-2", "main-3"]

    # Both, while the second is being restarted: it was not, then.
    m.program("systemctl", "sleep 1; exec "
              f'{MIMICS}/systemctl.py {m.dir}/units.json "$@"')
    s.do("rollout", "start", "--to", "main")
    wait_until(lambda: len(renewed(m)) == 5, 60, "the second to be restarted")
    network = s.network_pid()
    os.kill(s.child.pid, signal.SIGKILL)
    os.kill(network, signal.SIGKILL)
    s.child.wait()
    s.checked = True
    rig.wait_gone(network)
    s.start(ready=False)
    now = rollout(s)
    assert now["stand"] == "paused" and "nobody knows how job restart ended" \
        in now["why"], now
    assert [i["admin"] for i in s.admin.pool("main")["instances"]] == \
        ["in", "maint", "in"]
    s.do("rollout", "retry")
    wait_stand(s, "done", 60)
    assert renewed(m)[3:] == ["main-1", "main-2", "main-2", "main-3"]
    assert [i["admin"] for i in s.admin.pool("main")["instances"]] == \
        ["in"] * 3


def conditions(s):
    return {c["type"]: (c["status"], c["message"])
            for c in s.admin.status()["services"][0]["conditions"]}


def test_keycloak_patch(rig):
    """A patch may run beside the version before: a canary."""
    r = Run(rig, keycloak(rig, "26.6.2"), "v1", moved_ok=True)
    assert conditions(r.s)["RecreateUpdateUsed"] == ("Unknown", "")
    assert "\nwho has the Account or the Admin Console open may have to " \
        "reload it\n" in r.s.do("plan", "--to", "v2").out
    r.fail("start-all", "v2", "v1")
    r.fail_last("v2")
    assert conditions(r.s)["RecreateUpdateUsed"] == (
        "False", "job compat: exit status 0: [OK] Rolling Update is "
        "available.")
    r.finish("v1")
    how = [x["skipped"] for x in rollout(r.s)["steps"]]
    assert how == [False] + [True] * 5 + [False] * 5 + [True] + [False] * 2
    assert rollout(r.s)["held_s"] == 0
    assert set(r.mimics.jobs()) == {"start-all", "stop-old"}


def test_keycloak_minor(rig):
    """A minor release must not: requests wait, one node migrates alone."""
    r = Run(rig, keycloak(rig, "26.7.0"), "v1", moved_ok=True)
    for name in ("backup", "stop-old"):
        r.fail(name, "v2", "v1")
        assert r.s.admin.status()["services"][0]["hold"]["what"] == "none"
    # Past the point of no return it stands still; mended, it goes on.
    r.fail("start-first", "v2", "v1", "paused")
    assert "no way back since step 6" in rollout(r.s)["where"]
    r.mimics.set("fail-start-all")
    r.s.do("rollout", "retry")
    wait_until(lambda: rollout(r.s)["why"].startswith(
        "job start-all: exit status 9"), 30, "the next that fails")
    assert rollout(r.s)["stand"] == "paused"
    r.mimics.unset("fail-start-all")
    r.s.do("rollout", "retry")
    wait_stand(r.s, "done", 30)
    kind, why = conditions(r.s)["RecreateUpdateUsed"]
    assert kind == "True" and "Old: 26.6.1, New: 26.7.0" in why, why
    r.finish("v1")
    assert rollout(r.s)["held_s"] > 0
    assert r.mimics.lines("v1", "schema") == ["26.7"]


@pytest.mark.parametrize("by,old,new,used", [
    ("revision", "7", "7", "False"), ("revision", "7", "8", "True"),
    ("version", None, None, "True")])
def test_keycloak_operator(rig, by, old, new, used):
    """Its strategies Explicit and RecreateOnImageChange."""
    m = keycloak(rig, "26.6.2")
    text = m.text

    def changed(directory):
        found = text(directory).replace("{ step: check, job: compat }",
                                        f"{{ step: check, by: {by} }}")
        for pool, revision in (("v1", old), ("v2", new)):
            if revision:
                found = found.replace(
                    f"- name: {pool}\n",
                    f"- name: {pool}\n        revision: '{revision}'\n")
        return found

    m.text = changed
    r = Run(rig, m, "v1", moved_ok=True)
    done = r.go("v2")
    assert done.code == 0, done
    assert conditions(r.s)["RecreateUpdateUsed"][0] == used
    assert (rollout(r.s)["held_s"] > 0) == (used == "True")
    r.finish("v1")


def test_keycloak_check_cannot_run(rig):
    """Never a way to downtime: it asks."""
    m = keycloak(rig, "26.7.0")
    r = Run(rig, m, "v1", moved_ok=True)
    os.unlink(f"{m.dir}/opt/keycloak-26.6.1/bin/kc.sh")
    assert r.go("v2").code == 3
    now = rollout(r.s)
    assert now["stand"] == "paused" and "exit status 1" in now["why"], now
    assert shares(r.s)["v1"] == 10000 and m.jobs() == []
    r.s.do("rollout", "abort")
    r.finish("v1")


def test_keycloak_rolled_back(rig):
    """In the middle of the canary an operator takes it back."""
    r = Run(rig, keycloak(rig, "26.6.2"), "v1", moved_ok=True)
    r.s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(r.s)["steps"][rollout(r.s)["at"]]["step"] ==
               "analyze", 30, "the analysis")
    r.s.do("rollout", "rollback")
    assert shares(r.s) == {"v1": 10000, "v2": 0}
    r.finish("v1")


# ---- ZITADEL ----

def zitadel(rig):
    m = Mimics(rig, "zitadel", {"v1": ("4.1.0", 11, "id"),
                                "v2": ("4.2.0", 21, "id")}, 8080, 0, {})
    m.schema("v1", "4.1.0")
    m.program("zitadel", 'case "$1" in init) exit 0 ;; esac\n' +
              m.identity("migrate", "zitadel", "4.2.0", m.dbs["v1"]))
    return m


def test_zitadel(rig):
    """init once for all, setup once per version, then a canary."""
    r = Run(rig, zitadel(rig), "v1", moved_ok=True)
    for name in ("init", "setup", "start"):
        r.fail(name, "v2", "v1")
    assert r.mimics.jobs() == ["init", "setup"], "init is not done twice"
    r.fail_last("v2")
    assert r.mimics.jobs() == ["init", "setup", "start", "stop-old"]
    r.finish("v1")
    assert shares(r.s) == {"v1": 0, "v2": 10000}


# ---- Nevis ----

def test_nevis(rig):
    """The shift as soon as it is ready, and one version between two."""
    m = Mimics(rig, "nevis", {"v1": ("8.2405", 11, "db"),
                              "v1-5": ("8.2411", 21, "db"),
                              "v2": ("8.2505", 31, "db")}, 8080, 8997,
               {"nevis-migrate": "case \"$1\" in --needed) test \"$SEGUE_TO\" "
                "= v2 ;; esac"})
    r = Run(rig, m, "v1", moved_ok=True)
    no = r.go("v2")
    assert no.code == 3 and "v2 follows v1-5 alone, and v1 is still in use" \
        in no.err, no
    r.fail("start", "v1-5", "v1")
    r.fail_last("v1-5")
    r.fail("migrate", "v2", "v1-5")
    done = r.go("v2")
    assert done.code == 0, done
    r.finish("v1")
    # when: asked each time, and it was needed once
    assert m.jobs().count("migrate") == 3, m.jobs()
    assert shares(r.s) == {"v1": 0, "v1-5": 0, "v2": 10000}


# ---- Ory ----

@pytest.mark.parametrize("kind", ["kratos", "hydra"])
def test_ory(rig, kind):
    """Writes wait while the last of them is copied; none is lost."""
    m = Mimics(rig, kind, {"blue": ("1.3.0", 11, "blue"),
                           "green": ("26.2.0", 21, "green")},
               *((4433, 4434) if kind == "kratos" else (4444, 4445)),
               {f"{kind}-backup": "echo saved"})
    blue, green = m.dbs["blue"], m.dbs["green"]
    m.schema("blue", "1.3.0")
    m.schema("green", "1.3.0")
    m.program(kind, m.identity("migrate", kind, "26.2.0", green))
    # It lags behind twice; a copy is made each time.
    m.program(f"{kind}-sync", 'case "$1" in --compare) ' +
              m.identity("lag", blue, green) + " ;; --lag) echo >> "
              f"{m.dir}/looks; test $(wc -l < {m.dir}/looks) -ge 3 || exit 1 "
              ";; esac\n" + m.identity("copy", blue, green))
    r = Run(rig, m, "blue", moved_ok=True)
    for name in ("backup", "synced", "copy-rest", "verify", "migrate",
                 "start"):
        r.fail(name, "green", "blue")
        assert r.s.admin.status()["services"][0]["hold"]["what"] == "none"
    done = r.go("green")
    assert done.code == 0, done
    r.finish("green")
    now = rollout(r.s)
    assert 0 < now["held_s"] < 20, now
    assert now["no_return"]["passed"] is True
    no = r.s.segue("rollout", "rollback")
    assert no.code == 3, no



def test_keycloak_unchecked_file(rig):
    """The vendor's check does not look into the file of the caches: when it
    has changed, an operator says that this is known."""
    m = keycloak(rig, "26.6.2")
    path = f"{m.dir}/cache-ispn.xml"
    seen = f"{m.dir}/seen.json"
    text = m.text
    files = f'{rig.program("src/segue/segue")}, compat, files, --seen, ' \
        f'{seen}, {path}'

    def changed(directory):
        return text(directory).replace("      jobs:\n", f"""\
      jobs:
        - name: unchecked
          command: [ {files} ]
          ask: [ 5 ]
        - name: notify
          command: [ {files}, --record ]
""").replace("      steps:\n", """\
      steps:
        - { step: job, job: unchecked }
""").replace("        - { step: job, job: stop-old, only: rolling }\n", """\
        - { step: job, job: stop-old, only: rolling }
        - { step: notify, job: notify }
""")

    def write(what):
        with open(path, "w", encoding="utf-8") as f:
            f.write(what)

    m.text = changed
    write("<infinispan/>")
    r = Run(rig, m, "v1", moved_ok=True)
    for to, what in (("v2", "never seen before"), ("v1", "changed")):
        assert r.go(to).code == 3
        now = rollout(r.s)
        assert now["stand"] == "paused" and "exit status 5" in now["why"], now
        r.s.do("rollout", "skip")
        wait_stand(r.s, "done", 30)
        write(what)
    r.finish("v1")
