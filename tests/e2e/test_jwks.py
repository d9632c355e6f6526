"""Pools that sign their tokens with keys of their own: who checks tokens is
given the keys of all, and a token leads to the pool that has signed it."""
import base64
import json
import time

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once
from test_rollout import DRAIN, rollout, wait_stand

JSON = "Content-Type: application/json\r\n"


def key(kid, n="AQAB", **more):
    return {"kid": kid, "kty": "RSA", "alg": "RS256", "n": n, "e": "AQAB",
            **more}


def b64(doc):
    return base64.urlsafe_b64encode(
        json.dumps(doc).encode()).decode().rstrip("=")


def token(kid, **header):
    return ".".join((b64({"alg": "RS256", "kid": kid, **header}),
                     b64({"sub": "ann"}), "c2ln"))


class Op:
    """It publishes keys, and takes the tokens that these have signed."""

    def __init__(self, version, *keys):
        self.version, self.keys, self.hosts = version, list(keys), []
        self.says = None  # in place of the keys

    def __call__(self, conn):
        while (r := conn.request()) is not None:
            if r.target.partition("?")[0] in ("/jwks", "/other/jwks"):
                self.hosts.append(r.field("host"))
                status, text = self.says or (
                    "200 OK", json.dumps({"keys": self.keys}).encode())
                conn.answer(text, status, JSON)
                continue
            t = (r.field("authorization") or "").partition(" ")[2]
            known = any(t == token(k.get("kid")) for k in self.keys)
            conn.answer(b"", "200 OK" if known else "401 Unauthorized")


class Site:
    def __init__(self, rig, ones, twos, shared="none", jwks=None,
                 share="50%", **more):
        self.a, self.b = Op("v1", *ones), Op("v2", *twos)
        self.ia = rig.scripted("v1", "a", self.a)
        self.ib = rig.scripted("v2", "b", self.b)
        self.s = rig.segued(service(
            pool("v1", [self.ia], share="100%" if share == "0%" else share),
            pool("v2", [self.ib], share=share), drain=DRAIN,
            share_key="request", shared_state=shared,
            jwks={"paths": ["/jwks"], "interval": "200ms", "union": True,
                  **(jwks or {})}, **more))

    def published(self, **kw):
        a = once(self.s.address, "/jwks", **kw)
        assert a.status == 200
        return [k["kid"] for k in json.loads(a.body)["keys"]]

    def wait_for(self, *kids):
        wait_until(lambda: all(self.published() == list(kids)
                               for _ in range(4)), 10, f"keys {kids}")

    def reports(self, name):
        return self.s.admin.pool(name)["keys"]

    def wait_lacks(self, **lacks):
        wait_until(lambda: all(
            (r := self.reports(name)) and r["published"] > 0 and
            r["lacks"] == n for name, n in lacks.items()), 10,
            f"lacks {lacks}")

    def events(self):
        return self.s.do("events", "--last", "200").out


def wait_log(s, text):
    wait_until(lambda: text in s.log(), 10, text)


def calls(s, kid, n=20):
    """Statuses of calls of an application, which brings no cookie."""
    return {once(s.address, "/userinfo",
                 fields=f"Authorization: Bearer {token(kid)}\r\n").status
            for _ in range(n)}


# ---- all keys ----

def test_all_keys_are_given(rig):
    site = Site(rig, [key("one")], [key("two"), key("both")])
    site.a.keys.append(key("both"))
    site.wait_for("one", "both", "two")
    with Client(site.s.address) as c:
        a = c.get("/jwks?nocache=1")
        assert a.field("content-type") == "application/json"
        assert a.field("access-control-allow-origin") == "*"
        assert a.field("cache-control") == "no-cache"
        assert not a.version, "it is of no pool"
        assert len(json.loads(a.body)["keys"]) == 3
        head = c.get("/jwks", method="HEAD")
        assert head.status == 200 and head.body == b""
        assert c.post("/jwks").version in ("v1", "v2")
        assert c.get("/jwks/more").version in ("v1", "v2")
    m = site.s.admin.metrics()
    assert m['segue_outcomes_total{service="web",class="answered",'
             'outcome="keys"}'] >= 6
    assert m['segue_pool_keys{service="web",pool="v1"}'] == 2
    assert m['segue_pool_keys_lacking{service="web",pool="v1"}'] == 1
    assert site.s.admin.status()["accounting"]["holds"] is True


def test_first_are_those_of_who_serves(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.s.do("switch", "v2")
    site.wait_for("two", "one")


def test_same_keys_are_asked_of_a_pool(rig):
    """However they are written."""
    site = Site(rig, [key("one")], [key("one", use="sig")])
    site.wait_lacks(v1=0, v2=0)
    assert once(site.s.address, "/jwks").version in ("v1", "v2")


def test_without_union_each_has_its_own(rig):
    site = Site(rig, [key("one")], [key("two")], jwks={"union": False})
    site.wait_lacks(v1=1, v2=1)
    seen = {tuple(site.published()) for _ in range(30)}
    assert seen == {("one",), ("two",)}


def test_who_tries_a_pool_hears_that(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    pin = site.s.do("pin", "v2").out.strip()
    name, _, value = pin.partition("=")
    assert value, pin
    with Client(site.s.address, cookies={name: value.split(";")[0]}) as c:
        assert c.get("/jwks").version == "v2"


def test_a_key_that_is_changed_is_another(rig):
    """Of two with one name both are given, and none leads anywhere."""
    site = Site(rig, [key("k", n="AAAA")], [key("k", n="BBBB")])
    site.wait_for("k", "k")
    assert calls(site.s, "k") == {200}


def test_rotation_is_seen(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.a.keys = [key("newer"), key("one")]
    site.wait_for("newer", "one", "two")
    site.a.keys = [key("newer")]
    site.wait_for("newer", "two")
    assert calls(site.s, "newer") == {200}


def test_keys_of_who_is_gone_stay(rig):
    """Its tokens are still about; until it is retired."""
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.s.do("switch", "v2")
    site.ia.close()
    site.wait_for("two", "one")
    time.sleep(1)
    assert site.published() == ["two", "one"]
    config = site.s.config["services"][0]
    config["pools"] = config["pools"][1:]
    config["pools"][0]["share"] = "100%"
    site.s.write_config()
    site.s.do("reload")
    wait_until(lambda: once(site.s.address, "/jwks").version == "v2", 5,
               "v2 alone")


@pytest.mark.parametrize("says", [
    ("200 OK", b"<html>no"), ("200 OK", b'{"keys":5}'),
    ("200 OK", b'{"keys":[{"kid":"' + b"x" * 70000 + b'"}]}'),
    ("503 Service Unavailable", b"")])
def test_what_is_no_set_changes_nothing(rig, says):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.b.says = says
    wait_log(site.s, "event=jwks_unread service=web pool=v2")
    assert site.published() == ["one", "two"]
    site.b.says = None
    wait_log(site.s, "event=jwks_read service=web pool=v2")
    assert site.s.log().count("event=jwks_unread") == 1


def test_keys_that_are_strange(rig):
    """Those without a name are given; what is none is not, nor trips us."""
    nameless = {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}
    site = Site(rig, [7, None, {"kid": 5}, nameless, [], nameless],
                [key("two")])
    wait_until(lambda: json.loads(once(
        site.s.address, "/jwks").body) == {"keys": [
            nameless, nameless, key("two")]}, 5, "all")


def test_while_it_is_held(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.s.do("hold")
    assert site.published() == ["one", "two"]
    site.s.do("release")


def test_two_paths_of_one_host(rig):
    """Others may have other keys: they are asked for at a pool."""
    site = Site(rig, [key("one")], [key("two")],
                jwks={"paths": ["/jwks", "/other/jwks"],
                      "host": "id.example.org"})
    site.wait_lacks(v1=2, v2=2)
    assert "id.example.org" in site.a.hosts
    for path in ("/jwks", "/other/jwks"):
        for host, ours in (("id.example.org", True), ("ID.example.org", True),
                           ("id.example.org:8443", True),
                           ("id.example.org.evil", False), ("x", False)):
            with Client(site.s.address) as c:
                c.method = "GET"
                c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
                       .encode())
                assert (not c.answer().version) == ours, host


def test_too_many_to_be_given(rig):
    """They are asked of a pool, as before, and that is told."""
    site = Site(rig, [key("one", n="A" * 40000)], [key("two", n="B" * 40000)])
    site.wait_lacks(v1=1, v2=1)
    assert once(site.s.address, "/jwks").version in ("v1", "v2")
    assert "who asks it refuses their tokens" in site.s.do("status").out


def test_a_pool_that_cannot_be_read(rig):
    """Who has users, and keys that nobody knows: none are given without."""
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    site.b.says = ("404 Not Found", b"")
    wait_log(site.s, "event=jwks_unread service=web pool=v2")
    assert "those of v2 cannot be read" in site.s.do("status").out
    assert "the keys of v2 cannot be read" in site.s.do(
        "plan", "--to", "v2").out
    config = site.s.config["services"][0]["jwks"]
    config["paths"] = ["/other/jwks"]
    site.s.write_config()
    site.s.do("reload")
    wait_until(lambda: site.reports("v2")["unread"] == 1, 5, "it is unread")
    assert {once(site.s.address, "/other/jwks").version
            for _ in range(20)} == {"v1", "v2"}


# ---- a token leads to who has signed it ----

def test_a_token_leads_to_its_pool(rig):
    """No token was seen before, nor kept; and without, it is by chance."""
    site = Site(rig, [key("one")], [key("two")], jwks={"union": False})
    site.wait_lacks(v1=1, v2=1)
    assert calls(site.s, "one") == calls(site.s, "two") == {200}
    assert calls(site.s, "nobody's") == {401}
    config = site.s.config["services"][0]
    del config["jwks"]
    site.s.write_config()
    site.s.do("reload")
    assert calls(site.s, "one", 40) == {200, 401}
    assert site.reports("v1") is None


def test_strangers_do_not_get_to_a_pool_without_users(rig):
    """Whoever has read the keys can make up a token that names one."""
    site = Site(rig, [key("one")], [key("two")], share="0%")
    site.wait_for("one", "two")
    forged = token("two", alg="none")
    for target, fields in (
            ("/", f"Authorization: Bearer {forged}\r\n"),
            (f"/?id_token_hint={forged}", "")):
        assert {once(site.s.address, target, fields=fields).version
                for _ in range(5)} == {"v1"}


def test_a_key_moves_no_session(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    hint = f"/?id_token_hint={token('two', alg='none')}"
    for _ in range(6):
        with Client(site.s.address, cookies={}) as c:
            at = c.get("/").version
            assert {c.get(hint, fields="Sec-Fetch-Dest: document\r\n").version,
                    c.get("/").version} == {at}


def test_a_key_of_both_leads_nowhere(rig):
    site = Site(rig, [key("both")], [key("both")])
    site.wait_lacks(v1=0, v2=0)
    assert calls(site.s, "both") == {200}
    causes = [site.s.admin.pool(p)["causes"]["artifact"]
              for p in ("v1", "v2")]
    assert causes == [0, 0]


@pytest.mark.parametrize("bad", [
    "a.b", "a.b.c", "..", "e30.e30.", token("one") + ".x.y",
    token("one").replace(".", "..", 1), "e" * 5000 + ".e30.c2ln",
    token("x" * 300), b64([1]) + ".e30.c2ln", b64({"kid": 7}) + ".e30.c2ln"])
def test_what_is_no_token_of_a_key(rig, bad):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    a = once(site.s.address, "/userinfo",
             fields=f"Authorization: Bearer {bad}\r\n")
    assert a.status == 401
    assert sum(site.s.admin.pool(p)["causes"]["artifact"]
               for p in ("v1", "v2")) == 0


# ---- what the operator is told ----

def test_what_a_pool_lacks_is_told(rig):
    """Once it is so for more than a moment, and when it is over."""
    site = Site(rig, [key("one")], [key("two")], jwks={"union": False})
    wait_until(lambda: "v2 lacks 1" in site.events() or
               "lacks 1 of the others' keys at /jwks" in site.events(), 10,
               "an event")
    s = site.s
    assert "who asks it refuses their tokens" in s.log()
    assert "v1 lacks 1 of the other pools'" in s.do("status").out
    assert "v2 lacks 1 of the other pools' keys" in s.do(
        "plan", "--to", "v2").out
    site.a.keys = site.b.keys = [key("one"), key("two")]
    site.wait_lacks(v1=0, v2=0)
    wait_log(s, "event=jwks_same service=web pool=v2")
    assert "lacks" not in s.do("status").out


def gated(rig, ones, twos, **jwks):
    """A rollout that waits for keys; v2 has no share yet."""
    return Site(rig, ones, twos, share="0%",
                jwks={"union": False, "required": True, **jwks},
                rollout={"steps": ["ready", {
                    "step": "share", "share": "10%", "deadline": "3s"},
                    "promote", "drain"]})


def test_a_rollout_waits_for_keys(rig):
    """Of the new pool for those of the old one, and the other way round."""
    site = gated(rig, [key("one")], [key("two")])
    s = site.s
    site.wait_lacks(v1=1, v2=1)
    assert "share and promote wait while" in s.do("plan", "--to", "v2").out
    s.do("rollout", "start", "--to", "v2", "--rehearse", "--wait")
    assert rollout(s)["steps"][1]["said"] == \
        "it would wait: v1 does not publish all keys of v2 (jwks)"
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: "all keys of v2 (jwks)" in s.do("status").out, 5,
               "that it waits")
    site.b.keys = [key("one"), key("two")]
    site.wait_lacks(v1=1, v2=0)
    wait_until(lambda: "v1 does not publish all keys of v2 (jwks)" in
               s.do("status").out, 5, "that it waits for v1")
    assert {once(s.address).version for _ in range(30)} == {"v1"}
    site.a.keys = site.b.keys
    wait_stand(s, "done")


def test_a_rollout_fails_for_want_of_keys(rig):
    site = gated(rig, [key("one")], [key("two")])
    site.wait_lacks(v1=1, v2=1)
    site.s.do("rollout", "start", "--to", "v2")
    why = wait_stand(site.s, "rolled_back")["why"]
    assert why == "v2 does not get its share in time: v1 does not publish " \
        "all keys of v2 (jwks)"


def test_a_rollout_takes_a_set_of_all(rig):
    site = gated(rig, [key("one")], [key("two")], union=True)
    site.s.do("rollout", "start", "--to", "v2")
    wait_stand(site.s, "done")


def test_a_rollout_waits_until_they_are_read(rig):
    site = gated(rig, [key("one")], [key("one")])
    site.b.says = ("500 Internal Server Error", b"")
    site.s.stop()
    site.s.start()
    site.s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: "the keys of v2 have not been read (jwks)" in
               site.s.do("status").out, 5, "that it waits")
    site.b.says = None
    wait_stand(site.s, "done")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("own", ["one", "two"])
def test_a_dead_pool_keeps_no_rollout_waiting(rig, known, own):
    """Whatever its keys are, and whether they were read before or not."""
    site = gated(rig, [key("one")], [key(own)])
    site.wait_lacks(v1=int(own == "two"), v2=int(own == "two"))
    if not known:
        site.a.says = ("500 Internal Server Error", b"")
        site.s.stop()
        site.s.start()
    site.ia.close()
    wait_until(lambda: site.s.admin.instance("a")["health"] == "down",
               5, "it is down")
    site.s.do("rollout", "start", "--to", "v2")
    wait_stand(site.s, "done")


def test_keys_of_who_takes_no_part_are_not_asked_for(rig):
    """A pool without a share, though its tokens may be about yet."""
    zero = rig.scripted("v0", "c", Op("v0", key("zero")))
    ones = [rig.scripted(f"v{i}", "ab"[i - 1], Op(f"v{i}", key("one")))
            for i in (1, 2)]
    s = rig.segued(service(
        pool("v0", [zero], share="0%"), pool("v1", [ones[0]], share="100%"),
        pool("v2", [ones[1]], share="0%"), drain=DRAIN, shared_state="none",
        jwks={"paths": ["/jwks"], "interval": "200ms", "required": True},
        rollout={"steps": ["ready", "promote"]}))
    wait_until(lambda: (s.admin.pool("v1")["keys"] or {}).get("lacks") == 1,
               5, "what it lacks")
    s.do("rollout", "start", "--to", "v2")
    wait_stand(s, "done")


def test_pools_of_one_store_rotate_together(rig):
    """One is read before the other: that is no news."""
    site = Site(rig, [key("one")], [key("one")], shared="full")
    site.wait_lacks(v1=0, v2=0)
    for name in ("two", "three"):
        site.a.keys = [key(name)]
        time.sleep(0.1)
        site.b.keys = [key(name)]
        time.sleep(0.6)
    assert "event=jwks_differ" not in site.s.log()


def test_other_pools_of_a_service_that_goes(rig):
    site = Site(rig, [key("one")], [key("two")])
    site.wait_for("one", "two")
    other = service(pool("v1", [site.ia], share="100%"), name="other")
    site.s.config["services"] = [other]
    site.s.write_config()
    site.s.do("reload")
    wait_until(lambda: once(site.s.address, "/jwks").version == "v1", 5,
               "v1 of the other")
