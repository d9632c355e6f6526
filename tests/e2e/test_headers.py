"""Who may say who asks, and what rules make of fields.

Instances echo what they are told: one of raw sockets, and one that speaks
WSGI, where X_A and X-A are one variable.
"""
import json
import threading
import wsgiref.simple_server

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, once

# From strangers, in any profile.
WHO = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
       "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
       "X-Forwarded-Server", "X-Forwarded-Client-Cert", "X-Real-IP",
       "Client-Cert", "Client-Cert-Chain", "SSL-Client-Cert",
       "SSL-Client-Verify", "SSL-Client-Subject-DN", "X-SSL-Client-Cert",
       "X-SSL-Client-CN", "X-SSL-Client-Verify", "X-SSL", "X-SSL-Issuer",
       "X-Client-Cert", "Cert-Chain-0"]
# And in the profile identity.
MORE = ["X-Original-URL", "X-Original-For", "Traceparent", "Tracestate",
        "Baggage", "B3", "X-B3-TraceId", "X-B3-Sampled", "Uber-Trace-Id",
        "X-OT-Span-Context"]
# Which pass in any.
FREE = ["X-Forwarded", "X-Requested-With", "Authorization", "B33",
        "Client-Certificate", "X-B", "Accept-Language"]

SPELLINGS = [str, str.lower, str.upper, str.swapcase,
             lambda n: n.replace("-", "_"),
             lambda n: n.replace("-", "_").upper(),
             lambda n: n.replace("-", "_", 1)]


def echo(conn):
    """Answers with the head it was sent."""
    while (r := conn.request()) is not None:
        fields = "X-Debug: on\r\nX-Many: 1\r\nX-Many: 2\r\n" \
            if "answer" in r.target else ""
        conn.answer(r.head + r.body, fields=fields)


class Wsgi(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def variables(environ, start):
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({k: v for k, v in environ.items()
                        if k.startswith("HTTP_")}).encode()]


@pytest.fixture
def folding():
    """An instance that folds names, as all that speak CGI do."""
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, variables, handler_class=Wsgi)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def start(rig, headers, trusted=(), script=echo, **more):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a]), headers=headers, **more),
                   workers=1, start=False)
    s.config["listeners"][0]["trusted_proxies"] = list(trusted)
    s.write_config()
    s.start()
    return s


def told(s, fields, target="/get"):
    """What the instance is told: [(name in lower case, value)]."""
    a = once(s.address, target, fields=fields)
    assert a.status == 200, a.head
    lines = a.body.decode("latin-1").split("\r\n")[1:]
    return [(n.lower(), v.strip()) for n, _, v in
            (line.partition(":") for line in lines if line)]


def lines(names, value):
    return "".join(f"{n}: {value}\r\n" for n in names)


@pytest.mark.parametrize("profile", ["plain", "identity"])
def test_strangers_say_nothing(rig, profile):
    s = start(rig, profile)
    names = WHO + (MORE if profile == "identity" else [])
    for spell in SPELLINGS:
        got = told(s, lines([spell(n) for n in names], "evil"))
        evil = [n for n, v in got if "evil" in v]
        assert not evil, evil
        ours = {n for n, _ in got}
        assert not any("_" in n for n in ours), ours
        assert [v for n, v in got if n == "x-forwarded-for"] == ["127.0.0.1"]
        assert [v for n, v in got if n == "x-forwarded-host"] == [s.address]
        assert [v for n, v in got if n == "x-forwarded-port"] == \
            [str(s.port.number)]
        assert [v for n, v in got if n == "forwarded"] == \
            [f'for=127.0.0.1;host="{s.address}";proto=http']
    got = told(s, lines(FREE, "mine"))
    assert {n for n, v in got if v == "mine"} == {n.lower() for n in FREE}
    if profile == "plain":
        got = told(s, lines(MORE, "mine"))
        assert {n for n, v in got if v == "mine"} == \
            {n.lower() for n in MORE}


def test_friends_are_believed(rig):
    """But not in spellings that they pass on from strangers."""
    s = start(rig, "identity", trusted=["127.0.0.0/8"])
    got = told(s, lines(WHO[2:] + MORE, "theirs") +
               "X-Forwarded-For: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\n" +
               lines(["X_Forwarded_For", "x-forwarded_host", "X_Real_IP",
                      "X_Request_ID"], "evil"))
    assert {n for n, v in got if v == "theirs"} == \
        {n.lower() for n in WHO[2:] + MORE}
    assert not [n for n, v in got if "evil" in v]
    assert dict(got)["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert dict(got)["forwarded"].startswith("for=192.0.2.7, for=127.0.0.1;")


def test_variables_of_an_instance_that_folds(rig, folding):
    s = rig.segued(service(pool("v1", [folding], probe={"path": "/"}),
                           headers={"profile": "identity", "request": [
                               {"set": "X-Tenant", "value": "ours"},
                               {"remove": "X-Admin*"}]}), workers=1)
    for spell in SPELLINGS:
        fields = lines([spell(n) for n in WHO + MORE + [
            "X-Tenant", "X-Admin", "X-Admin-Of", "Content_Length",
            "Transfer_Encoding", "X_Request_ID"]], "evil")
        env = json.loads(once(s.address, fields=fields).body)
        assert "evil" not in "".join(env.values()), env
        assert env["HTTP_X_TENANT"] == "ours"
        assert env["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


@pytest.mark.parametrize("style, has, lacks", [
    ("both", ["forwarded", "x-forwarded-for"], []),
    ("x", ["x-forwarded-for", "x-forwarded-prefix"], ["forwarded"]),
    ("rfc7239", ["forwarded"], ["x-forwarded"]),
    ("none", ["host"], ["forwarded", "x-forwarded"])])
@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]])
def test_styles(rig, style, has, lacks, trusted):
    s = start(rig, {"forwarded": style, "prefix": "/auth"}, trusted)
    got = told(s, "Forwarded: for=192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\n"
                  "X-Forwarded-Prefix: /theirs\r\n")
    names = [n for n, _ in got]
    for n in has:
        assert names.count(n) == 1, (n, got)
    for n in lacks:
        assert not [m for m in names if m == n or m.startswith(n + "-")], got
    if "x-forwarded-prefix" in names:
        assert dict(got)["x-forwarded-prefix"] == \
            ("/theirs" if trusted else "/auth")


RULES = {
    "request": [
        {"set": "X-Site", "value": "{scheme}://{host} {service}"},
        {"add": "X-Seen", "value": "{client}"},
        {"add": "X-Seen", "value": "{peer}"},
        {"set": "X-Exchange", "value": "{request_id}"},
        {"remove": "Cookie"},
        {"remove": "X-Internal-*"}],
    "response": [
        {"set": "Strict-Transport-Security", "value": "max-age=600"},
        {"add": "X-Many", "value": "3"},
        {"remove": "X-Debug"},
        {"set": "X-Version", "value": "{pool}"},
        {"set": "X-Request-ID", "value": "{request_id}"}]}


def test_rules_for_requests(rig):
    s = start(rig, RULES, trusted=["127.0.0.1"])
    got = told(s, "X-Site: evil\r\nx_site: evil\r\nCookie: a=evil\r\n"
                  "X-Internal-A: evil\r\nx_internal_b: evil\r\n"
                  "X-Seen: first\r\nX-Forwarded-For: 192.0.2.7\r\n")
    assert not [n for n, v in got if "evil" in v], got
    d = dict(got)
    assert d["x-site"] == f"http://{s.address} web"
    assert [v for n, v in got if n == "x-seen"] == \
        ["first", "192.0.2.7", "127.0.0.1"]
    assert d["x-exchange"] == d["x-request-id"] and d["x-exchange"]


def test_rules_for_answers(rig):
    s = start(rig, RULES, rules=[{"deny": "/secret"}])
    a = once(s.address, "/answer")
    f = dict(a.fields)
    assert a.status == 200 and f["strict-transport-security"] == "max-age=600"
    assert [v for n, v in a.fields if n == "x-many"] == ["1", "2", "3"]
    assert "x-debug" not in f and f["x-version"] == "v1"
    assert f["x-request-id"].encode() in a.body
    assert "segue" in a.cookies(), "no rule takes the pin"


def test_rules_for_our_own_answers(rig):
    s = start(rig, RULES, rules=[{"deny": "/secret"}])
    for target, status in (("/secret", 403), ("/%zz", 400)):
        a = once(s.address, target)
        assert a.status == status
        # A path that cannot be read leads to no service, and to no rules.
        assert (a.field("strict-transport-security") is not None) == \
            (status == 403)
        assert a.field("cache-control") == "no-store"
    with Client(s.address) as c:
        assert c.get("/secret").field("x-version") == ""
        assert c.get("/get").field("x-version") == "v1"


def test_rules_change_while_it_runs(rig):
    s = start(rig, {"response": [{"set": "X-Round", "value": "1"}]})
    with Client(s.address) as c:
        assert c.get().field("x-round") == "1"
        s.config["services"][0]["headers"] = {
            "profile": "identity",
            "response": [{"set": "X-Round", "value": "2"}]}
        s.write_config()
        r = s.do("reload", "--json").json()
        assert any("headers.profile: plain -> identity" in line
                   for line in r["changed"]), r
        wait_until(lambda: c.get().field("x-round") == "2", what="the rule")
        assert b"b3:" not in c.get(fields="b3: x\r\n").body


def test_rules_that_end_a_message_are_refused(rig):
    s = start(rig, {})
    for rule, what in (
            ({"set": "Content-Length", "value": "1"}, "message ends"),
            ({"set": "transfer_encoding", "value": "a"}, "message ends"),
            ({"remove": "Connection"}, "one connection"),
            ({"set": "X-A", "value": "a\r\nX-B: b"}, "control"),
            ({"set": "X-A", "value": "{clinet}"}, "did you mean client?")):
        s.config["services"][0]["headers"] = {"request": [rule]}
        s.write_config()
        r = s.segue("reload")
        assert r.code == 1 and what in r.out + r.err, r
        assert "segue.yaml:" in r.out + r.err, r
    assert once(s.address).status == 200
