"""Who may look, who may change: by the credentials of the socket's peer; every
change leaves its line."""
import http.client
import json
import os
import pwd
import re

import pytest

from rig import wait_until
from rig.segued import pool, service

root = pytest.mark.skipif(os.geteuid() != 0,
                          reason="only root can be somebody else")
NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}


def site(rig, **admin):
    a, b = rig.scripted("v1", "a"), rig.scripted("v2", "b")
    return rig.segued(service(pool("v1", [a], share="100%"),
                              pool("v2", [b])),
                      admin={"mode": "0666", **admin})


def test_socket_mode(rig):
    s = site(rig, mode="0640")
    assert os.stat(s.socket).st_mode & 0o777 == 0o640


@root
def test_who_is_not_listed_may_look(rig):
    s = site(rig)
    assert s.segue("status", **NOBODY).code == 0
    for words in (["switch", "v2"], ["reload"], ["drain", "v1"],
                  ["instance", "a", "drain"]):
        r = s.segue(*words, "--json", **NOBODY)
        assert r.code == 1, (words, r)
        assert "forbidden" in r.out + r.err, (words, r)
    assert s.admin.pool("v1")["share_bp"] == 10000


@root
@pytest.mark.parametrize("operate", [
    {"users": ["nobody"]}, {"users": [str(pwd.getpwnam("nobody").pw_uid)]},
    {"groups": ["nogroup"]}], ids=str)
def test_operators_may_change(rig, operate):
    s = site(rig, operate=operate)
    assert s.segue("share", "v2", "10%", **NOBODY).code == 0
    assert s.admin.pool("v2")["share_bp"] == 1000


@root
def test_list_of_viewers_shuts_out_others(rig):
    s = site(rig, view={"users": ["daemon"]})
    r = s.segue("status", **NOBODY)
    assert r.code == 1 and "admin.view" in r.err
    assert s.segue("status", user="daemon", group="nogroup",
                   extra_groups=[]).code == 0
    assert s.segue("status").code == 0  # root


@root
def test_roles_follow_a_reload(rig):
    s = site(rig)
    assert s.segue("share", "v2", "10%", **NOBODY).code == 1
    s.config["admin"]["operate"] = {"users": ["nobody"]}
    s.write_config()
    s.do("reload")
    assert s.segue("share", "v2", "10%", **NOBODY).code == 0


@root
def test_changes_and_refusals_leave_a_line(rig):
    s = site(rig)
    s.do("share", "v2", "10%")
    s.segue("share", "v2", "20%", **NOBODY)
    s.segue("share", "v9", "20%")
    wait_until(lambda: len(re.findall(r"audit=", s.log())) >= 3)
    lines = [x for x in s.log().splitlines() if "audit=" in x]
    assert any('who="root(0)"' in x and "share" in x for x in lines), lines
    assert any("nobody(" in x and "forbidden" in x for x in lines), lines
    assert any("no_pool" in x for x in lines), lines
    assert s.admin.status()["changed_by"].startswith("root(0)")


def test_tcp_is_for_looking(rig):
    port = rig.port()
    s = site(rig, http=port.address)

    def ask(method, target, host=None, body=None, **fields):
        c = http.client.HTTPConnection(port.host, port.number, timeout=5)
        try:
            c.putrequest(method, target, skip_host=True)
            c.putheader("Host", host or port.address)
            for k, v in fields.items():
                c.putheader(k, v)
            if body is not None:
                c.putheader("Content-Length", str(len(body)))
            c.endheaders(body)
            a = c.getresponse()
            return a.status, a.read()
        finally:
            c.close()

    assert ask("GET", "/v1/status")[0] == 200
    assert ask("GET", "/metrics")[0] == 200
    code, _ = ask("POST", "/v1/command", body=json.dumps(
        {"verb": "switch", "pool": "v2"}).encode())
    assert code == 403
    assert ask("POST", "/v1/reload", body=b"")[0] == 403
    # a page of the web whose name resolves to 127.0.0.1
    assert ask("GET", "/v1/status", host="evil.example.org")[0] in (400, 403,
                                                                    421)
    assert s.admin.pool("v1")["share_bp"] == 10000


ROWS = [
    ("no JSON", "POST", "/v1/command", "hello", 400, "bad_request"),
    ("no object", "POST", "/v1/command", "[]", 400, "bad_request"),
    ("no verb", "POST", "/v1/command", "{}", 400, "bad_request"),
    ("an unknown verb", "POST", "/v1/command", '{"verb":"fly"}', 400, None),
    ("an unknown key", "POST", "/v1/command",
     '{"verb":"switch","pool":"v2","speed":1}', 400, "bad_request"),
    ("no such pool", "POST", "/v1/command", '{"verb":"switch","pool":"v9"}',
     404, "no_pool"),
    ("no such service", "POST", "/v1/command",
     '{"verb":"switch","pool":"v2","service":"x"}', 404, "no_service"),
    ("no such instance", "POST", "/v1/command",
     '{"verb":"instance","pool":"v1","instance":"z","admin":"drain"}', 404,
     "no_instance"),
    ("a share that is none", "POST", "/v1/command",
     '{"verb":"share","pool":"v2","share":"110%"}', 400, "bad_value"),
    ("refused by the state", "POST", "/v1/command",
     '{"verb":"undrain","pool":"v1"}', 409, "not_draining"),
    ("no such place", "GET", "/v2/nothing", None, 404, "not_found"),
    ("a wrong method", "GET", "/v1/command", None, 405, "method"),
    ("a wrong method", "DELETE", "/v1/status", None, 405, "method"),
    ("too large", "POST", "/v1/command", " " * 70000, None, None),
]


def test_refusals(rig):
    """Each with its status, its name and a sentence; none does harm."""
    s = site(rig)
    generation = s.admin.status()["generation"]
    for why, method, target, body, status, name in ROWS:
        try:
            code, _, text = s.admin.raw(method, target, body)
        except (OSError, http.client.HTTPException):
            assert why == "too large", why
            continue
        assert status in (None, code), (why, code, text)
        assert code >= 400, why
        if status is not None:
            value = json.loads(text)
            assert name in (None, value["error"]), (why, value)
            assert value["message"], why
    assert s.admin.status()["generation"] == generation
