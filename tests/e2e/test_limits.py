"""What we answer ourselves, and in whose words: a test for each status, the
operator's pages, rules for paths, bounds of one client address."""
import json
import os

import pytest

from rig import wait_until
from rig.segued import pool, service
from rig.wire import Client, Closed, once

WEB = "Host: web.example\r\n"
FORMS = {"html": "text/html", "json": "application/json",
         "text": "text/plain"}
PAGES = {"html": "<p id='{request_id}'>{status} {reason}</p>",
         "json": '{"status": {status}, "id": "{request_id}"}',
         "text": "{status} in words"}


def script(conn):
    while (r := conn.request()) is not None:
        if r.target == "/bad":
            conn.send(b"HTTP/1.1 twohundred\r\n\r\n")
        elif r.target == "/gone":
            return
        elif r.target != "/silent":
            conn.answer()


def write_pages(rig, mark=""):
    """Files in all forms; a list of pages that names them."""
    files = {}
    for form, text in PAGES.items():
        files[form] = f"{rig.dir}/page.{form}"
        with open(files[form], "w", encoding="utf-8") as f:
            f.write(text + mark)
    return [{"status": s, **files} for s in ("4xx", "5xx")]


@pytest.fixture
def s(rig):
    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(
        pool("v1", [a]), match=["web.example"], limits={"body": 1000},
        timeouts={"first_byte": "300ms"}, retry={"attempts": 0},
        rules=[{"allow": "/admin/health"}, {"deny": "/admin"},
               {"deny": "/hidden", "hide": "on"}]), workers=1, start=False)
    b = rig.scripted("v1", "b")
    b.health = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    s.config["services"].append(service(pool("v1", [b]), name="dead",
                                        match=["dead.example"]))
    s.config["pages"] = write_pages(rig)
    s.config["listeners"][0].update(
        timeouts={"head": "300ms", "body": "300ms"},
        limits={"target": 200, "field": 300, "fields": 10})
    s.write_config()
    s.start(ready=False)
    wait_until(lambda: s.admin.pool("v1", "web")["ready"], what="readiness")
    s.origin = a
    return s


# status, reason, what is sent after "Accept", or the whole of what is sent
HEADS = [
    (400, "Bad Request", "GET /../x HTTP/1.1\r\n" + WEB),
    (403, "Forbidden", "GET /admin HTTP/1.1\r\n" + WEB),
    (404, "Not Found", "GET /hidden HTTP/1.1\r\n" + WEB),
    (421, "Misdirected Request", "GET / HTTP/1.1\r\nHost: other.example\r\n"),
    (405, "Method Not Allowed",
     "CONNECT web.example:443 HTTP/1.1\r\nHost: web.example:443\r\n"),
    (413, "Content Too Large",
     "POST / HTTP/1.1\r\n" + WEB + "Content-Length: 1001\r\n"),
    (502, "Bad Gateway", "GET /bad HTTP/1.1\r\n" + WEB),
    (502, "Bad Gateway", "POST /gone HTTP/1.1\r\n" + WEB +
     "Content-Length: 0\r\n"),
    (503, "Service Unavailable", "GET / HTTP/1.1\r\nHost: dead.example\r\n"),
    (504, "Gateway Timeout", "GET /silent HTTP/1.1\r\n" + WEB),
]
# No field of these can be believed: the answer is text.
BROKEN = [
    (400, "nonsense\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\n\r\n"),
    (408, "GET / HT"),
    (414, "GET /" + "x" * 200 + " HTTP/1.1\r\n" + WEB + "\r\n"),
    (417, "GET / HTTP/1.1\r\n" + WEB + "Expect: magic\r\n\r\n"),
    (431, "GET / HTTP/1.1\r\n" + WEB + "X: " + "x" * 300 + "\r\n\r\n"),
    (431, "GET / HTTP/1.1\r\n" + WEB + "X: x\r\n" * 10 + "\r\n"),
    (501, "POST / HTTP/1.1\r\n" + WEB +
     "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    (505, "GET / HTTP/2.0\r\n" + WEB + "\r\n"),
]


def ask_raw(s, text):
    with Client(s.address) as c:
        c.method = "GET"
        c.send(text.encode())
        return c.answer()


def ended(s, outcome, of):
    return next(n for name, n in s.admin.metrics().items()
                if name.startswith("segue_outcomes_total{") and
                all(f'{k}="{v}"' in name for k, v in
                    (("service", "web"), ("outcome", outcome),
                     ("class", of))))


@pytest.mark.parametrize("form", FORMS)
def test_each_status_in_each_form(s, form):
    answers = [ask_raw(s, f"{head}Accept: {FORMS[form]}\r\n\r\n")
               for _, _, head in HEADS]
    lines = s.wait_access(len(HEADS))
    for (status, reason, head), a, line in zip(HEADS, answers, lines):
        assert a.status == line["status"] == status, head
        assert a.field("content-type").startswith(FORMS[form]), head
        want = PAGES[form].replace("{status}", str(status)) \
            .replace("{reason}", reason) \
            .replace("{request_id}", line["request_id"])
        assert a.body.decode() == want, head
        if form == "json":
            assert json.loads(a.body)["id"], head
        assert (a.field("retry-after") is not None) == (status == 503)


def test_each_status_of_what_is_no_request(s):
    for status, text in BROKEN:
        a = ask_raw(s, text)
        assert a.status == status, text
        assert a.body.decode() == f"{status} in words", text
        assert a.field("connection") == "close", text


def test_a_body_that_stands_still(s):
    a = ask_raw(s, f"POST / HTTP/1.1\r\n{WEB}Accept: text/html\r\n"
                   "Content-Length: 9\r\n\r\nx")
    assert a.status == 408 and b">408 Request Timeout<" in a.body
    wait_until(lambda: ended(s, "body_timeout", "deadline") == 1,
               what="it is counted once all is sent")


def test_reload_takes_pages(s, rig):
    """Also without another setting; the network process opens no file."""
    for form in PAGES:
        os.chmod(f"{rig.dir}/page.{form}", 0o600)
    write_pages(rig, " again")
    code, r = s.admin.reload()
    assert code == 200 and r["changed"] == [
        f"pages[{c}].{f}: new content" for c in ("4xx", "5xx") for f in FORMS
    ], r
    assert ask_raw(s, BROKEN[0][1]).body == b"400 in words again"
    os.unlink(f"{rig.dir}/page.json")
    code, r = s.admin.reload()
    assert code == 422 and r["problems"][-2:] == [
        f"{s.config_path}: page {rig.dir}/page.json cannot be used: "
        "does not exist"] * 2, r
    assert ask_raw(s, BROKEN[0][1]).body == b"400 in words again"
    checked = s.run_to_end("-t", "-c", s.config_path)
    assert checked.returncode == 1 and "page.json cannot" in checked.stderr
    pid = s.network_pid()
    os.kill(pid, 9)
    wait_until(lambda: s.network_pid() not in (None, pid) and s.is_up(False),
               what="another network process")
    assert ask_raw(s, BROKEN[0][1]).body == b"400 in words again"


def test_a_denied_path_is_not_walked_around(s):
    for target in ("/admin", "/admin/", "/%61dmin", "//admin", "/admin;x",
                   "/admin%2fx", "/admin%252fx", "/admin\\x", "/x/../admin",
                   "/x/%2e%2e/admin", "/x/..%2fadmin", "/x/..;/admin",
                   "/admin/health/../x", "/admin/health/..%5cx",
                   "/admin%00", "/admin;/health", "/%c0%afadmin"):
        a = ask_raw(s, f"GET {target} HTTP/1.1\r\n{WEB}\r\n")
        assert a.status in (400, 403), target
    assert s.origin.requests == []
    for target in ("/admin/health", "/admin/health/live?x=/admin", "/Admin",
                   "/administrator", "/x;v=1/y", "/a%2Fb"):
        a = ask_raw(s, f"GET {target} HTTP/1.1\r\n{WEB}\r\n")
        assert a.status == 200, target
    assert ended(s, "denied", "ours") == 9


def test_one_client_address(rig):
    """Others are served meanwhile; whoever is in stays."""
    s = rig.segued(service(pool("v1", [rig.scripted("v1", "a")])),
                   workers=2, start=False)
    s.config["listeners"][0]["clients"] = {
        "connections": 4, "requests_per_second": 1, "burst": 20}
    s.write_config()
    s.start()
    mine = [Client(s.address, source="127.0.0.2") for _ in range(4)]
    try:
        for _ in range(5):
            for c in mine:
                assert c.get().status == 200
        a = mine[0].get()
        assert a.status == 429 and int(a.field("retry-after")) in (1, 2)
        for _ in range(8):
            with pytest.raises((Closed, OSError)):
                once(s.address, source="127.0.0.2")
        assert once(s.address, source="127.0.0.3").status == 200
    finally:
        for c in mine:
            c.close()
    m = s.admin.metrics()
    assert m['segue_connections_refused_total{reason="address"}'] == 8
    assert ended(s, "rate_limited", "ours") == 1
    wait_until(lambda: once(s.address, source="127.0.0.2").status in
               (200, 429), what="a free place")


def test_built_in_page_of_a_misdirected_request(rig):
    """Each status has a page of its own: this one had that of 400."""
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a]), match=["web.example"]))
    r = ask_raw(s, "GET / HTTP/1.1\r\nHost: other.example\r\n"
                "Accept: application/json\r\n\r\n")
    page = json.loads(r.body)
    assert r.status == page["status"] == 421, (r.status, page)
    assert page["error"] == "Misdirected Request", page
