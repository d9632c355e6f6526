"""A pool before users are sent to it: sessions of it, what it promises beside
the one that serves, a login at it; by hand and as steps of a rollout."""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig import wait_until
from rig.certs import Authority
from rig.node import NodeInstance
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, once
from test_hold import switch_over
from test_oidc import Site as Oidc
from test_rollout import DRAIN, rollout, shares, small, wait_stand
from test_rollout_jobs import job, lines

CLIENT = {"client_id": "app", "redirect_uri": "https://app.example/in",
          "username": "mila", "password": "secret",
          "scope": "openid email offline_access",
          "post_logout_redirect_uri": "https://app.example/out"}


def file_of(rig, name="client.json", **more):
    path = f"{rig.dir}/{name}"
    with open(path, "w", encoding="ascii") as f:
        json.dump(dict(CLIENT, **more), f)
    return path


def asked(s, name):
    """Requests that the instances of a pool have had."""
    return sum(i["requests"] for i in s.admin.pool(name)["instances"])


# ---- a session of a pool ----

def curl(*words):
    done = subprocess.run(["curl", "-s", "-i", *words], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 0, done
    return done.stdout.replace("\r", "").lower()


@pytest.mark.parametrize("tls", [False, True])
def test_pin_leads_to_a_pool_without_a_share(rig, tls):
    ca = Authority(rig)
    site = Site(rig, segued={"listeners": [{
        "name": "web", "address": rig.port().address,
        **({"tls": {"certificates": [ca.leaf("127.0.0.1").row()]}} if tls
           else {})}]})
    s = site.segued
    where = s.config["listeners"][0]["address"]
    url = f"http{'s' if tls else ''}://{where}/get"
    for name in ("v2", "v1", "v2"):
        cookie = s.do("pin", name).out.strip()
        for _ in range(3):
            seen = curl("--cacert", ca.cert, "-b", cookie, url)
            assert f"x-version: {name}\n" in seen, seen
            assert "set-cookie" not in seen, seen
    seen = curl("--cacert", ca.cert, url)
    assert "x-version: v1" in seen, seen
    assert s.do("pin", "v2", "-q").out.count("\n") == 1
    told = s.do("pin", "v2", "--json").json()
    assert (told["service"], told["to"]) == ("web", "v2"), told
    assert told["cookie_tls"] == "__Host-" + told["cookie"], told
    audit = [line for line in s.log().splitlines() if "pin" in line]
    assert len(audit) == 5, audit


def test_pin_is_refused(rig):
    s = small(rig, ["ready"])
    r = s.segue("pin", "v9")
    assert r.code == 2 and 'web has no pool "v9"' in r.err, r
    r = s.segue("pin", "v1", "--service", "sso")
    assert r.code == 2 and "no such service" in r.err, r
    s.do("switch", "v2", "--drain", "--wait", "--requests", "1s", "--grace",
         "0s", "--streams", "0s")
    r = s.segue("pin", "v1")
    assert r.code == 3 and "v1 is drained: nobody is sent to it" in r.err, r
    s.config["services"][0]["sticky"] = {"scope": "none"}
    s.write_config()
    s.do("reload")
    r = s.segue("pin", "v2")
    assert r.code == 2 and "web keeps no sessions by a cookie" in r.err, r


# ---- a real server ----

def test_verify_8_and_9(rig):
    """Both through the proxy, while all users are on 8."""
    site = Oidc(rig, 1, tls=True)
    s, ca = site.s, ["--ca", site.trust[0]]
    before = asked(s, "v1"), asked(s, "v2")
    r = s.do("verify", site.issuer, "--to", "v2", "--from", "v2", *ca)
    assert r.out == "verified: v2 says what it is\n", r  # not with itself
    r = s.do("verify", site.issuer, "--to", "v2", "--login", file_of(rig), *ca)
    words = [line.split()[:2] for line in r.out.splitlines()[:-1]]
    assert words == [["login", "ok"], ["token", "ok"], ["userinfo", "ok"],
                     ["refresh", "ok"], ["logout", "ok"]], r
    assert asked(s, "v1") == before[0], "the pool that serves was asked"
    assert asked(s, "v2") >= before[1] + 10
    r = s.do("verify", site.issuer, "--to", "v1", "--login", file_of(rig),
             "--json", *ca)
    assert [x["outcome"] for x in r.json()["login"]] == ["ok"] * 5, r
    assert r.json()["ok"] is True
    # 8 and 9 promise the same but for what is told
    r = s.segue("verify", site.issuer, "--to", "v2", "--from", "v1", *ca)
    last = r.out.splitlines()[-2]
    assert r.code == (0 if " 0 of them may break" in last else 1), r
    assert last.startswith("compared") and "are alike" in last, r
    fields = {line.split()[2].rstrip(":") for line in r.out.splitlines()[:-2]}
    r = s.do("verify", site.issuer, "--to", "v2", "--from", "v1", "--accept",
             ",".join(sorted(fields)) or "none", *ca)
    assert " 0 of them may break clients" in r.out, r


def test_verify_keeps_a_token_from_version_to_version(rig):
    site = Oidc(rig, 1)
    kept = f"{rig.dir}/kept"
    client = file_of(rig, keep=kept)
    for name, first in (("v1", "passed"), ("v2", "ok"), ("v1", "ok")):
        r = site.s.do("verify", site.issuer, "--to", name, "--login", client)
        rows = [line.split() for line in r.out.splitlines()[:-1]]
        assert rows[0][:3] == ["kept", "token", first], r
        assert rows[-1][:2] == ["logout", "passed"], r
        assert os.stat(kept).st_mode & 0o777 == 0o600
    with open(kept, "w", encoding="ascii") as f:
        f.write("of another world\n")
    r = site.s.segue("verify", site.issuer, "--to", "v2", "--login", client)
    assert r.code == 1 and "invalid_grant" in r.out, r
    assert len(r.out.splitlines()) == 2, r


FAULTS = {
    "another client": ({"client_id": "nobody"},
                       "login       failed  it answers 400 without a page",
                       "login       failed  a page without a form"),
    "another way back": ({"redirect_uri": "https://evil.example/in"},
                         "login       failed"),
    "another scope": ({"scope": "openid nonsense"}, "ok"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_says_what_fails(rig, fault):
    site = Oidc(rig, 1)
    more, *expected = FAULTS[fault]
    r = site.s.segue("verify", site.issuer, "--to", "v2", "--login",
                     file_of(rig, **more))
    assert any(word in r.out for word in expected), r
    assert r.code == (0 if expected == ["ok"] else 1), r


def test_mistakes(rig):
    s = small(rig, ["ready"])
    for words, code, say in [
            (["verify"], 2, "URL"),
            (["verify", "sso.example"], 2, "no URL that begins with https://"),
            (["verify", "http://127.0.0.1:1", "--from", "v1"], 2,
             "--to POOL, which is missing"),
            (["verify", "http://127.0.0.1:1", "--to", "v9"], 2, "no pool"),
            (["verify", "http://127.0.0.1:1", "--to", "v2"], 1,
             "http://127.0.0.1:1/.well-known/openid-configuration: "),
            (["verify", f"http://{s.address}", "--login", "/none"], 1,
             "/none: "),
            (["verify", f"http://{s.address}", "--login",
              file_of(rig, pasword="x")], 1,
             'no "pasword"; did you mean password?'),
            (["warm", f"http://{s.address}", "x"], 2, "no path that begins"),
            (["warm", f"http://{s.address}", ","], 2, "no path is given"),
            (["warm", "127.0.0.1", "/"], 2, "no URL"),
            (["warm", f"http://{s.address}", "/", "--below", "fast"], 2,
             "fast")]:
        r = s.segue(*words)
        assert r.code == code and say in r.err, (words, r)


# ---- as a gate ----

def verifying(site, *words):
    return {"name": "verify", "command": [
        site.rig.program("src/segue/segue"), "verify", site.issuer, *words]}


def test_a_candidate_that_promises_other_things(rig):
    """Its issuer is another: nobody was sent to it, and it says why."""
    site = Oidc(rig, 1, rollout={"strategy": "blue_green"})
    other = NodeInstance(rig, "oidc_server.js", "9", "9",
                         "http://other.example", site.redis.socket,
                         name="oidc9-other")
    service_of = site.s.config["services"][0]
    service_of["pools"][1] = site.pool("v2", [other], "0%")
    service_of["rollout"]["jobs"] = [
        verifying(site, "--login", file_of(rig))]
    site.s.write_config()
    site.s.do("reload")
    r = site.s.segue("rollout", "start", "--to", "v2", "--wait")
    assert r.code != 0, r
    told = rollout(site.s)
    assert told["stand"] == "rolled_back", told
    assert [x["step"] for x in told["steps"]] == \
        ["ready", "verify", "promote", "drain"], told
    assert 'says its issuer is "http://other.example"' in told["why"], told
    assert shares(site.s) == {"v1": 10000, "v2": 0}
    assert site.s.admin.pool("v2")["sessions_new"] == 0


def test_all_gates_of_a_strategy(rig):
    """warm, verify and notify are there as the jobs are."""
    site = Oidc(rig, 1, rollout={"strategy": "blue_green"})
    segue = rig.program("src/segue/segue")
    site.s.config["services"][0]["rollout"]["jobs"] = [
        verifying(site, "--login", file_of(rig), "--accept",
                  "acr_values_supported"),
        {"name": "warm", "command": [
            segue, "warm", site.issuer,
            "/.well-known/openid-configuration,/jwks"]},
        job(rig, "echo $SEGUE_JOB to $SEGUE_TO > told; exit 5", "notify")]
    site.s.write_config()
    site.s.do("reload")
    site.begin(5, 20)
    site.wait_flows(2)
    r = site.s.do("rollout", "start", "--to", "v2", "--wait", timeout=150)
    told = rollout(site.s)
    assert told["stand"] == "done", (told, r)
    assert [x["step"] for x in told["steps"]] == \
        ["ready", "warm", "verify", "promote", "drain", "notify"], told
    assert "warm after" in told["steps"][1]["said"], told
    assert told["steps"][5]["exit"] == 5, told
    assert lines(rig, "told") == ["notify to v2"]
    final = site.people.ask("stop")
    assert final["failed"] == 0 and final["bounces"] == 0, final


def test_verify_while_users_are_held(rig):
    """Recreate: the new version is tried before anybody gets to it."""
    site = switch_over(rig)
    s = site.segued
    ours = s.config["services"][0]["rollout"]
    ours["steps"] = [dict(x) if isinstance(x, dict) else x
                     for x in ours["steps"]]
    ours["steps"].insert(5, {"step": "verify", "job": "verify"})
    segue = rig.program("src/segue/segue")
    ours["jobs"].append(job(
        rig, f"{segue} sessions --json > sessions; curl -s -m 5 -b "
             f"\"$({segue} pin v2)\" http://{s.address}/get?id=tried > tried",
        "verify"))
    s.write_config()
    s.do("reload")
    site.start_load(posts=0)
    s.do("rollout", "start", "--to", "v2", "--wait", timeout=60)
    rig.over = True
    site.wait_answers(200)
    final = site.load.stop()
    told = rollout(s)
    assert told["stand"] == "done" and final["failed"] == 0, (told, final)
    assert lines(rig, "tried")[0].startswith("v2 "), lines(rig, "tried")
    tried, first = (min(
        (float(x.split()[0]) for i in site.v2 for x in i.log_lines()
         if ("id=tried" in x) is is_it)) for is_it in (True, False))
    assert tried < first, "users were there before it was tried"


def promising(where, key="k1", cookie=""):
    """Discovery and keys, and nothing else; where() is the issuer."""
    def script(conn):
        while (r := conn.request()) is not None:
            doc = {"keys": [{"kid": key, "kty": "EC", "x": key}]} \
                if r.target == "/jwks" else \
                {"issuer": where(), "jwks_uri": f"{where()}/jwks"}
            conn.answer(json.dumps(doc).encode(),
                        fields="Content-Type: application/json\r\n")
    return script


def promises_of(rig, keys=("k1", "k1"), **more):
    where = []
    rig.a, rig.b = (rig.scripted(v, n, promising(lambda: where[0], key))
                    for v, n, key in zip(("v1", "v2"), "ab", keys))
    s = rig.segued(service(
        pool("v1", [rig.a], share="100%"), pool("v2", [rig.b]),
        drain=DRAIN, **more))
    where.append(f"http://{s.address}")
    return s, where[0]


def test_in_the_middle_of_a_recreate(rig):
    """The old version is gone or held: it is not compared, and nothing is
    the worse for it."""
    s, issuer = promises_of(rig, hold={"copies": ["/jwks"]})
    s.config["services"][0]["rollout"] = {"strategy": "recreate", "jobs": [
        job(rig, "echo > stopped", "stop"), job(rig, "true", "start"),
        {"name": "verify", "command": [
            rig.program("src/segue/segue"), "verify", issuer]}]}
    s.write_config()
    s.do("reload")
    s.do("rollout", "start", "--to", "v2")
    wait_until(lambda: lines(rig, "stopped"), what="the stop")
    rig.a.close()
    told = wait_stand(s, "done", 30)
    said = next(x["said"] for x in told["steps"] if x["step"] == "verify")
    assert said == "verified: v2 says what it is", told
    # By hand, who asks for it is told why it cannot be.
    s.do("hold")
    r = s.segue("verify", issuer, "--to", "v2")
    assert r.code == 3 and "requests for v2 are held" in r.err, r


@pytest.mark.parametrize("scope", ["pool", "instance"])
def test_scopes(rig, scope):
    s, issuer = promises_of(rig, sticky={"scope": scope})
    r = s.do("verify", issuer, "--to", "v2", "--from", "v1")
    assert r.out.endswith("keeps the promises of v1\n"), r
    s.do("warm", issuer, "/jwks", "--to", "v2")


def test_copies_are_not_of_who_is_tried(rig):
    """What V2 says to who tries it is said to no user, nor what V1 says in its
    place to who tries it."""
    s, issuer = promises_of(rig, keys=("k1", "k2"),
                            hold={"copies": ["/jwks",
                                             "/.well-known/x"]})
    broken = "1 of them may break clients"
    r = s.segue("verify", issuer, "--to", "v2", "--from", "v1")
    assert r.code == 1 and broken in r.out, r
    assert b"k1" in once(s.address, "/jwks").body
    once(s.address, "/.well-known/x")
    s.do("hold")
    for target in ("/jwks", "/.well-known/x"):
        a = once(s.address, target)
        assert a.status == 200 and a.field("age") is not None, a.head
    assert b"k1" in once(s.address, "/jwks").body
    cookie = s.do("pin", "v2").out.split(";")[0]
    with Client(s.address) as c:
        a = c.get("/jwks", fields=f"Cookie: {cookie}\r\n")
    assert b"k2" in a.body and a.field("age") is None, a.head
    s.do("release")


# ---- servers that mean no good ----

def test_nothing_is_said_to_strangers(rig):
    """Neither name and password to where a redirection leads, nor codes and
    tokens to endpoints elsewhere; and what a server says is no command for
    a terminal."""
    rig.evil = rig.scripted("evil", "evil")
    evil = f"http://{rig.evil.address}"
    how = {"token": "", "login": evil}

    def script(conn):
        while (r := conn.request()) is not None:
            if r.target.startswith("/auth"):
                conn.answer(b"", "302 Found",
                            f"Location: {how['login']}/form\r\n")
            elif r.target.startswith("/form"):
                conn.answer(b"", "302 Found", "Location: " + CLIENT[
                    "redirect_uri"] + "?error=%1b[2J%0averified\r\n")
            elif r.target == "/jwks":
                conn.answer(b'{"keys":[]}')
            else:
                conn.answer(json.dumps({
                    "issuer": where, "jwks_uri": f"{where}/jwks",
                    "authorization_endpoint": f"{where}/auth",
                    "token_endpoint": f"{how['token'] or where}/token"
                }).encode())

    def form(conn):
        while (r := conn.request()) is not None:
            conn.answer(b"<form method=post><input name=u>"
                        b"<input type=password name=p></form>",
                        fields="Content-Type: text/html\r\n")
            del r

    rig.evil.script = form
    rig.a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [rig.a], share="100%")))
    where = f"http://{s.address}"
    words = ["verify", where, "--to", "v1", "--login", file_of(rig)]
    r = s.segue(*words)
    assert r.code == 1 and "leads to another server" in r.out, r
    assert [x.method for x in rig.evil.requests] == ["GET"]
    assert b"ecret" not in b"".join(x.head for x in rig.evil.requests)
    how["login"] = where
    r = s.segue(*words)
    assert r.code == 1 and "\x1b" not in r.out, r
    assert r.out.splitlines()[-1].startswith("not verified: login: "), r
    how["token"] = evil
    kept = f"{rig.dir}/kept"
    with open(kept, "w", encoding="ascii") as f:
        f.write("precious")
    r = s.segue("verify", where, "--to", "v1", "--login",
                file_of(rig, keep=kept))
    assert r.code == 1 and "token_endpoint is on another server" in r.out, r
    assert len(rig.evil.requests) == 1


def test_trials_are_held_where_users_are(rig):
    """A session of the pool that serves is no way past a hold."""
    s = small(rig, [])
    of_v1, of_v2 = (s.do("pin", v).out.split(";")[0] for v in ("v1", "v2"))
    s.do("hold")
    held, tried = Client(s.address), Client(s.address)
    held.ask("/held", fields=f"Cookie: {of_v1}\r\n")
    tried.ask("/tried", fields=f"Cookie: {of_v2}\r\n")
    assert tried.answer().status == 200
    wait_until(lambda: s.admin.status()["services"][0]["hold"]["held"] == 1)
    s.do("release")
    assert held.answer().status == 200
    assert "/held" in [r.target for r in rig.a.requests]


def test_warm(rig):
    site = Site(rig)
    s = site.segued
    where = f"http://{s.address}"
    before = asked(s, "v1")
    r = s.do("warm", where, "/get,/who", "--to", "v2")
    assert r.out.splitlines()[-1].startswith("warm after "), r
    assert asked(s, "v1") == before and asked(s, "v2") >= 40
    r = s.do("warm", where, "/get", "--to", "v2", "--json")
    assert r.json()["settled"] is True and r.json()["rounds"] >= 4, r
    r = s.segue("warm", where, "/get,/none", "--to", "v2", "--timeout", "1s")
    assert r.code == 4 and "/none answers 404" in r.err, r
    r = s.segue("warm", where, "/slow/1", "--to", "v2", "--below", "50ms",
                "--timeout", "1s")
    assert r.code == 4 and "not warm after" in r.err, r
    with ThreadPoolExecutor() as beside:
        before = asked(s, "v2")
        going = beside.submit(s.segue, "warm", where, "/slow/1", "--to", "v2",
                              "--below", "50ms", "--timeout", "60s",
                              timeout=90)
        wait_until(lambda: asked(s, "v2") > before, what="a round")
        for i in site.v2:
            i.kill()
        r = going.result()
    # in the middle of a round, or between two
    assert (r.code == 1 and "sent it elsewhere" in r.err) or \
        (r.code == 3 and "v2" in r.err), r
    r = s.segue("warm", where, "/get", "--to", "v2")
    assert r.code == 3 and ("nobody is sent to it" in r.err or
                            "no instance of v2 is up" in r.err), r


def test_notify_fails_nothing(rig):
    """Neither by its end nor by that of segued."""
    s = small(rig, ["ready", {"step": "notify", "job": "tell"}, "promote"],
              jobs=[job(rig, "echo >> told; sleep 60", "tell",
                        timeout="1s")])
    s.do("rollout", "start", "--to", "v2")
    told = wait_stand(s, "done")
    assert "longer than 1s" in json.dumps(told) or \
        told["steps"][1]["exit"] == -1, told
    s.do("rollout", "start", "--to", "v1")
    wait_until(lambda: len(lines(rig, "told")) == 2)
    s.kill_all()
    s.start()
    told = wait_stand(s, "done")
    assert len(lines(rig, "told")) == 2, "it was told twice"
    assert shares(s) == {"v1": 10000, "v2": 0}
