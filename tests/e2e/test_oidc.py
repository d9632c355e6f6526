"""The real oidc-provider, from 8 to 9 with one Redis, while 50 people log in,
use their applications and log out: nobody fails, nobody bounces."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig import wait_until
from rig.certs import Authority
from rig.node import NodeInstance, Talk
from rig.redis import Redis
from rig.segued import pool, service
from test_rollout import rollout

ANALYZE = {"step": "analyze", "for": "2s", "requests": 5, "errors": "1%"}
ROLLOUTS = {
    "blue_green": {"strategy": "blue_green"},
    "canary": {"steps": ["ready", {"step": "share", "share": "20%"}, ANALYZE,
                         {"step": "share", "share": "50%"}, ANALYZE,
                         "promote", "drain"]}}
PEOPLE, FLOWS = 50, 100


class Site:
    """Version 8 serves; 9 stands ready beside it."""

    def __init__(self, rig, each, tls=False, apart=False, **more):
        """each: instances of each version; apart: "keys" if these are all
        that they share, "own" if they share nothing; more: keys of the
        service."""
        self.rig = rig
        self.redis = None if apart else Redis(rig)
        self.state = {"keys": f"keys:{rig.dir}/keys", "own": "own"}.get(
            apart) or self.redis.socket
        self.s = rig.segued([], start=False)
        self.issuer = f"http{'s' if tls else ''}://{self.s.address}"
        self.trust = []
        if tls:
            ca = Authority(rig)
            self.s.config["listeners"][0]["tls"] = {
                "certificates": [ca.leaf("127.0.0.1").row()]}
            self.trust = [ca.cert]
        with ThreadPoolExecutor() as together:
            all_of_them = list(together.map(
                self.instance, ["8"] * each + ["9"] * each, range(2 * each)))
        self.v1, self.v2 = all_of_them[:each], all_of_them[each:]
        # Who is in the middle of something asks again within so long.
        self.idle_s = 4 if rig.slower == 1 else 5
        self.s.config["services"] = [service(
            self.pool("v1", self.v1, "100%"), self.pool("v2", self.v2, "0%"),
            **{"sticky": {"idle": f"{self.idle_s}s"},
               "drain": {"mode": "keep", "flows": "120s"}, **more})]
        self.s.write_config()
        self.s.start(seconds=30)
        self.people = None

    def instance(self, major, n):
        return NodeInstance(self.rig, "oidc_server.js", major, major,
                            self.issuer, self.state,
                            name=f"oidc{major}-{n}")

    def pool(self, name, instances, share):
        return pool(name, instances, share=share, probe={
            "path": "/.well-known/openid-configuration", "body": '"issuer"',
            "timeout": "10s"})

    def begin(self, people, think_ms):
        self.people = Talk(self.rig, "oidc_users.js", self.issuer, people,
                           think_ms, 1000 * self.idle_s, *self.trust)

    def wait(self, true, what):
        """Until what they report is so."""
        wait_until(lambda: true(self.people.ask("report")), 90, what,
                   every=0.1)

    def wait_flows(self, least, on_9=0):
        """Until so many have ended well in all, or one has not."""
        self.wait(lambda r: r["failed"] > 0 or (
            r["ended"] >= least and r["flows"].get("9", 0) >= on_9),
            f"flow {least}")
        seen = self.people.ask("report")
        assert seen["failed"] == 0, seen["reasons"]


def now(s):
    """The step at which the rollout is; None: it has ended."""
    r = rollout(s)
    return r["steps"][r["at"]]["step"] if r["stand"] == "running" else None


@pytest.mark.parametrize("kind", ROLLOUTS)
def test_from_8_to_9(rig, kind):
    site = Site(rig, 2, tls=kind == "canary", rollout=ROLLOUTS[kind])
    s = site.s
    site.begin(PEOPLE, 150)
    site.wait_flows(20)
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: now(s) in ("drain", None), 90, "the drain")
    born = s.admin.pool("v1")["sessions_new"]
    site.people.ask("mark")
    wait_until(lambda: rollout(s)["stand"] != "running", 150, "its end")
    done, at_done = rollout(s), s.admin.pool("v1")
    assert done["stand"] == "done", done
    site.wait_flows(FLOWS, on_9=20)
    final = site.people.ask("stop")
    print(final)

    # what people saw
    assert final["failed"] == 0, final["reasons"]
    assert final["bounces"] == 0, final["bounced"]
    assert final["ended"] == final["begun"] >= FLOWS
    assert set(final["flows"]) == {"8", "9"}, final["flows"]
    assert final["crossed"] > 0, "no code of one was redeemed at the other"
    assert set(final["instances"]) == {
        i.name for i in site.v1 + site.v2}, final["instances"]
    # all that began after the promotion is on the new version
    assert set(final["since"]["flows"]) == {"9"}, final["since"]
    assert set(final["since"]["calls"]) == {"9"}, final["since"]

    # what Segue says
    v1 = s.admin.pool("v1")
    assert at_done["state"] == v1["state"] == "drained", v1
    assert v1["sessions_new"] == born, "a new session after the promotion"
    report = done["report"]
    assert report["holds"] is True and report["whole"] is True, report
    assert report["accepted"] > 0 and report["accepted"] == \
        report["answered"] + report["in_flight"], report
    assert report["refused"] == 0, report
    assert report["moved"] == 0 or final["late"] > 0, report
    out = s.do("rollout", "report").out
    assert "0 lost: each of" in out, out
    assert [p["failed"] for p in report["pools"]] == [0, 0], report
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["accepted"] == a["answered"], a


def test_people_see_what_goes_wrong(rig):
    """What is counted above would be: bounces where nothing keeps sessions,
    and failed flows where nobody serves any more."""
    site = Site(rig, 1, sticky={"scope": "none"}, share_key="request")
    site.s.do("share", "v2", "50%")
    site.begin(10, 20)
    site.wait_flows(10)
    seen = site.people.ask("report")
    # The versions share all that they know; so each answer may be another's.
    assert seen["failed"] == 0 and seen["bounces"] > 10, seen
    assert set(seen["answers"]) == {"8", "9"}, seen
    for i in site.v1 + site.v2:
        i.kill()
    site.wait(lambda r: r["failed"] >= 10, "10 failed flows")
    final = site.people.ask("stop")
    assert final["begun"] == final["ended"] + final["failed"], final
    assert any("status 50" in why for why in final["reasons"]), final


def move_apart(rig, shared, apart, **more):
    """From 8 to 9, of which each knows what it has issued alone."""
    site = Site(rig, 1, apart=apart, shared_state=shared, share_key="request",
                rollout=ROLLOUTS["canary"], **more)
    s = site.s
    site.begin(PEOPLE, 100)
    if shared == "none":
        site.wait_flows(20)
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: rollout(s)["stand"] != "running", 150, "its end")
    return site, rollout(s)


def test_apart_with_artifacts(rig):
    """Servers of applications bring no cookie; their codes and tokens say
    where they belong, and what they check these by is the keys of both."""
    site, done = move_apart(rig, "none", "own", jwks={
        "paths": ["/jwks"], "union": True})
    assert done["stand"] == "done", done
    site.wait_flows(FLOWS, on_9=20)
    final = site.people.ask("stop")
    print(final)
    assert final["failed"] == 0, final["reasons"]
    assert final["bounces"] == 0, final["bounced"]
    assert set(final["flows"]) == {"8", "9"}, final["flows"]
    causes = {p: site.s.admin.pool(p)["causes"]["artifact"]
              for p in ("v1", "v2")}
    assert min(causes.values()) > 20, causes
    # its own key, which the other lacks
    assert [site.s.admin.pool(p)["keys"]["lacks"] for p in ("v1", "v2")] == \
        [1, 1]
    a = site.s.admin.status()["accounting"]
    assert a["holds"] is True and a["accepted"] == a["answered"], a


def test_apart_with_cookies_alone(rig):
    """The same without: calls without a cookie go where nobody knows them."""
    site, _ = move_apart(rig, "full", "keys")
    final = site.people.ask("stop")
    print(final)
    assert final["failed"] > 20, final
    assert any("token" in why for why in final["reasons"]), final["reasons"]
