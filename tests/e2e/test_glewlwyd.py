"""The real glewlwyd, twice, with nothing in common but what they were set up
with, while people log in, use an application and log out: nobody fails and
nobody bounces when all move to the second and the first is killed."""
from rig import wait_until
from rig.glewlwyd import DISCOVERY, ROOT, Glewlwyd
from rig.logins import NOBODY, Flow, People
from rig.segued import pool, service
from rig.wire import Client
from test_oidc import now
from test_rollout import rollout

NAMES = [f"user{n}" for n in range(8)]
FLOWS = 20


class Site:
    """V1 is to serve; V2 stands beside it with a copy of its users."""

    def __init__(self, rig):
        self.s = rig.segued([], start=False)
        self.url = f"http://{self.s.address}"
        self.idle_s = 4 if rig.slower == 1 else 8
        self.people = People(self.url, self.s.address, NAMES)
        rig.closing.append(self.people)
        self.v1 = Glewlwyd(rig, "v1", self.url)
        self.v1.set_up([*NAMES, "reader"])
        self.meet(self.v1)
        self.v2 = Glewlwyd(rig, "v2", self.url, like=self.v1)

    def start(self, **more):
        """Segue; more: keys of the service."""
        config = self.s.config
        config["workers"] = 1  # each would have its own one at a time
        config["services"] = [service(
            self.pool(self.v1, "100%"), self.pool(self.v2, "0%"),
            **{"profile": "oidc", "sticky": {"idle": f"{self.idle_s}s"},
               "drain": {"mode": "keep", "flows": "120s"},
               "rollout": {"strategy": "blue_green"}, **more})]
        self.s.write_config()
        self.s.start(seconds=30)

    def begin(self):
        # Who asks again half a second before his session ends is in time.
        self.people.begin(self.idle_s - 0.5)

    def pool(self, server, share):
        return pool(server.version, [server], share=share, max_requests=1,
                    queue={"timeout": "60s"}, probe={
                        "path": DISCOVERY, "body": '"issuer"',
                        "timeout": "10s"})

    def meet(self, server):
        """Each logs in there once, which gives him the name (sub) by which
        applications know him."""
        for name in [*NAMES, "reader"]:
            self.people.one(name, server.address)
        seen = self.people.report()
        assert seen["ended"] == len(NAMES) + 1, seen["reasons"]

    def verify(self):
        return self.s.segue("verify", self.url + ROOT, "--from", "v1",
                            "--to", "v2")


def test_from_v1_to_v2(rig):
    site = Site(rig)
    s, people = site.s, site.people
    site.start()
    site.begin()
    people.wait_flows(FLOWS)
    r = site.verify()
    assert r.code == 0 and " 0 differ, 0 of them may break" in r.out, r
    assert r.out.endswith("keeps the promises of v1\n"), r

    # one who logs in before the move, and reads on during it
    reader = Flow(people, "reader")
    reader.redeem(reader.login())
    old_cookies = dict(reader.client.cookies)
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: reader.look() and now(s) in ("drain", None), 90,
               "the drain", every=0.1)
    people.mark()
    born = s.admin.pool("v1")["sessions_new"]
    reader.refresh()
    reader.logout()
    assert reader.version == "v1"
    reader.client.close()

    wait_until(lambda: rollout(s)["stand"] != "running", 150, "its end")
    done, v1 = rollout(s), s.admin.pool("v1")
    assert done["stand"] == "done", done
    assert v1["state"] == "drained" and v1["sessions_new"] == born, v1
    people.wait_flows(FLOWS)
    site.v1.kill()
    people.wait_flows(FLOWS)
    with Client(s.address, cookies=old_cookies) as c:
        a = c.get(DISCOVERY)
        assert (a.status, a.field("access-control-allow-origin")) == \
            (200, "v2"), a.head
    final = people.stop()
    print(final)

    assert final["failed"] == 0, final["reasons"]
    assert final["bounces"] == 0, final["bounced"]
    assert final["begun"] == final["ended"] + final["late"], final
    assert set(final["answers"]) == set(final["flows"]) == {"v1", "v2"}, final
    assert set(final["since"]) == {"v2"}, "a new flow went to v1"
    report = done["report"]
    assert report["holds"] is True and report["refused"] == 0, report
    assert report["moved"] == 0 or final["late"] > 0, report
    a = s.admin.status()["accounting"]
    assert a["holds"] is True and a["accepted"] == a["answered"], a


def test_another_key_is_seen(rig):
    site = Site(rig)
    site.v2.sign_with("second")
    site.start()
    r = site.verify()
    assert r.code == 1 and "1 of them may break clients" in r.out, r
    assert "what it has signed does not verify any more" in r.out, r


def test_failures_are_seen(rig):
    """What is counted above would be: sessions that nothing keeps where they
    began, and servers that are killed while they serve."""
    site = Site(rig)
    s, people = site.s, site.people
    site.start(sticky={"scope": "none"}, share_key="request")
    site.begin()
    people.wait_flows(5)
    s.do("share", "v2", "50%")
    people.wait(lambda r: r["failed"] >= 3 and r["bounces"] >= 3,
                "what comes of bounces")
    s.do("share", "v1", "100%")
    assert set(people.report()["answers"]) == {"v1", "v2"}
    for server in (site.v1, site.v2):
        server.kill()
    people.wait(lambda r: r["answers"].get(NOBODY, 0) >= len(NAMES),
                "what comes of a kill")
    final = people.stop()
    print(final)
    assert final["failed"] >= 3 + final["answers"][NOBODY], final
    assert final["begun"] == \
        final["ended"] + final["failed"] + final["late"], final
