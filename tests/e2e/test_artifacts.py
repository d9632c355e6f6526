"""Codes and tokens lead to the pool that has issued them: pools that share
nothing, and applications that call without a cookie."""
import json
import re
import secrets
import socket
from html import unescape
from urllib.parse import parse_qs, quote

import pytest

from rig import wait_until
from rig.h2wire import (DATA, END_HEADERS, END_STREAM, H2, frame, headers,
                        request)
from rig.segued import pool, service
from rig.wire import Client, once
from test_rollout import DRAIN

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
JSON = "Content-Type: application/json; charset=utf-8\r\n"


class Op:
    """A login server that knows what it has issued, and nothing else."""

    def __init__(self, version, chunked=False):
        self.version, self.known, self.asked = version, {}, []
        self.chunked = chunked

    def issue(self, what):
        """As hard to read as a real one."""
        value = f"{what}/{self.version}+{secrets.token_urlsafe(24)}=="
        self.known[value] = what
        return value

    def knows(self, value, what):
        return value is not None and self.known.get(value) == what

    def tokens(self):
        return {"token_type": "Bearer", "expires_in": 300,
                **{k: self.issue(k) for k in (
                    "access_token", "refresh_token", "id_token")}}

    def __call__(self, conn):
        while (r := conn.request()) is not None:
            path, _, query = r.target.partition("?")
            q = {k: v[0] for k, v in parse_qs(query).items()}
            f = {k: v[0] for k, v in parse_qs(r.body.decode()).items()} \
                if "form-urlencoded" in (r.field("content-type") or "") else {}
            self.asked.append((r.line, r.body))
            getattr(self, path.strip("/"))(conn, r, q, f)

    def say(self, conn, doc, status="200 OK"):
        text = json.dumps(doc).encode()
        if not self.chunked:
            conn.answer(text, status, JSON)
            return
        head = f"HTTP/1.1 {status}\r\nX-Version: {self.version}\r\n" \
            f"{JSON}Transfer-Encoding: chunked\r\n\r\n".encode()
        parts = [text[i:i + 7] for i in range(0, len(text), 7)]
        conn.send(head + b"".join(b"%x\r\n%s\r\n" % (len(p), p)
                                  for p in parts) + b"0\r\n\r\n")

    def refuse(self, conn):
        self.say(conn, {"error": "invalid_grant"}, "400 Bad Request")

    def authorize(self, conn, r, q, f):
        if "request_uri" in q and not self.knows(q["request_uri"],
                                                 "request_uri"):
            self.refuse(conn)
            return
        where = quote(self.issue("code"), safe="")
        sep = q.get("sep", "?")
        conn.answer(b"", "302 Found", f"Location: https://app.test/cb{sep}"
                    f"state=1&code={where}\r\n")

    def form_post(self, conn, r, q, f):
        """response_mode=form_post: the browser sends it on by itself."""
        code = self.issue("code").replace("+", "&#43;").replace("/", "&#x2F;")
        conn.answer(f"""<!DOCTYPE html><html><body onload="submit()">
            <form method="post" action="https://app.test/cb">
            <input type="hidden" name="state" value="1"/>
            <input type="hidden" name="code" value="{code}"/></form>
            """.encode(), fields="Content-Type: text/html; charset=utf-8\r\n")

    def broker(self, conn, r, q, f):
        """Its users log in elsewhere, where it is a client itself."""
        name = q.get("name", "state")
        what = "SAMLRequest" if name == "RelayState" else "client_id"
        conn.answer(b"", "302 Found", f"Location: https://idp.test/auth?"
                    f"{what}=c&{name}={quote(self.issue('state'), safe='')}"
                    "\r\n")

    def endpoint(self, conn, r, q, f):
        f = {**q, **f}
        if self.knows(f.get("state") or f.get("RelayState"), "state"):
            conn.answer(b"")
        else:
            self.refuse(conn)

    def par(self, conn, r, q, f):
        self.say(conn, {"request_uri": self.issue("request_uri"),
                        "expires_in": 60}, "201 Created")

    def device(self, conn, r, q, f):
        self.say(conn, {"device_code": self.issue("device_code"),
                        "user_code": self.issue("user_code"),
                        "expires_in": 60})

    def token(self, conn, r, q, f):
        if any(self.knows(f.get(k), k) for k in (
                "code", "refresh_token", "device_code")):
            self.say(conn, self.tokens())
        else:
            self.refuse(conn)

    def userinfo(self, conn, r, q, f):
        token = (r.field("authorization") or "").partition(" ")[2]
        if self.knows(token, "access_token"):
            self.say(conn, {"sub": "ann"})
        else:
            self.refuse(conn)

    def introspect(self, conn, r, q, f):
        self.say(conn, {"active": f.get("token") in self.known})

    def logout(self, conn, r, q, f):
        (conn.answer if self.knows(q.get("id_token_hint"), "id_token")
         else lambda: self.refuse(conn))()

    def get(self, conn, r, q, f):
        conn.answer(b"")

    def echo(self, conn, r, q, f):
        conn.answer(b"", "302 Found",
                    f"Location: /x?{r.target.partition('?')[2]}\r\n")


def site_of(rig, shared, a=None, b=None, **more):
    rig.a, rig.b = a or Op("v1"), b or Op("v2")
    rig.ia = rig.scripted("v1", "a", rig.a)
    rig.ib = rig.scripted("v2", "b", rig.b)
    return rig.segued(service(
        pool("v1", [rig.ia], share="50%"), pool("v2", [rig.ib], share="50%"),
        drain=DRAIN, share_key="request", shared_state=shared, **more))


def post(s, path, form, fields=""):
    """As an application does it: a connection of its own, no cookie."""
    body = "&".join(f"{k}={quote(v, safe='')}" for k, v in form.items())
    with Client(s.address) as c:
        return c.post(path, body.encode(), fields=FORM + fields)


def code_of(answer):
    where = answer.field("location").replace("#", "?")
    return parse_qs(where.partition("?")[2])["code"][0]


def flow(s):
    """A login, and what an application does with it; what failed."""
    with Client(s.address) as browser:
        code = code_of(browser.get("/authorize"))
    a = post(s, "/token", {"grant_type": "authorization_code", "code": code})
    if a.status != 200:
        return "code"
    t = json.loads(a.body)
    bearer = f"Authorization: Bearer {t['access_token']}\r\n"
    if once(s.address, "/userinfo", fields=bearer).status != 200:
        return "userinfo"
    a = post(s, "/introspect", {"token": t["access_token"]})
    if not json.loads(a.body)["active"]:
        return "introspect"
    a = post(s, "/token", {"grant_type": "refresh_token",
                           "refresh_token": t["refresh_token"]})
    if a.status != 200:
        return "refresh"
    hint = json.loads(a.body)["id_token"]
    if once(s.address, f"/logout?id_token_hint={quote(hint)}").status != 200:
        return "logout"
    return None


def causes(s):
    return {p: s.admin.pool(p)["causes"].get("artifact", 0)
            for p in ("v1", "v2")}


def test_nothing_shared(rig):
    """Both serve; each call finds its pool.  Without it half of them fail."""
    s = site_of(rig, "none")
    failed = [f for f in (flow(s) for _ in range(40)) if f]
    assert not failed, failed
    assert all(n > 20 for n in causes(s).values()), causes(s)
    m = s.admin.metrics()
    assert m['segue_artifacts_total{service="web",what="found"}'] == \
        sum(causes(s).values())
    assert m['segue_artifacts_total{service="web",what="unknown"}'] == 0
    assert s.admin.status()["accounting"]["holds"] is True
    with Client(s.address) as browser:
        code = code_of(browser.get("/authorize"))
    assert post(s, "/token", {"code": code}).set_cookie() == "", \
        "it is no session"


def test_all_shared(rig):
    """Nothing is read, and nothing is found."""
    s = site_of(rig, "full")
    failed = [f for f in (flow(s) for _ in range(40)) if f]
    assert len(failed) > 10, failed
    assert causes(s) == {"v1": 0, "v2": 0}


def test_answers_in_chunks(rig):
    s = site_of(rig, "none", Op("v1", True), Op("v2", True))
    failed = [f for f in (flow(s) for _ in range(20)) if f]
    assert not failed, failed


def test_what_is_done_is_shared(rig):
    """db: codes lead back, tokens go anywhere."""
    s = site_of(rig, "db")
    failed = [f for f in (flow(s) for _ in range(40)) if f]
    assert failed and "code" not in failed, failed


def test_device_and_pushed_requests(rig):
    s = site_of(rig, "none")
    for _ in range(20):
        d = json.loads(post(s, "/device", {"client_id": "a"}).body)
        a = post(s, "/token", {"device_code": d["device_code"]})
        assert a.status == 200, a.head
        uri = json.loads(post(s, "/par", {"client_id": "a"}).body)
        with Client(s.address) as browser:
            a = browser.get(f"/authorize?request_uri="
                            f"{quote(uri['request_uri'], safe='')}")
            assert a.status == 302 and a.set_cookie(), a.head
            pinned = a.version
            assert {browser.get().version for _ in range(5)} == {pinned}


def test_code_behind_a_fragment(rig):
    s = site_of(rig, "none")
    for _ in range(20):
        with Client(s.address) as c:
            code = code_of(c.get("/authorize?sep=%23"))
        assert post(s, "/token", {"code": code}).status == 200


def test_a_cookie_that_leads_elsewhere(rig):
    """An application that keeps cookies calls for many users."""
    s = site_of(rig, "none")
    pin = dict([s.do("pin", "v1").out.split(";")[0].split("=", 1)])
    with Client(s.address) as app:
        app.get("/get")  # a session of its own
        for _ in range(20):
            with Client(s.address) as browser:
                code = code_of(browser.get("/authorize"))
            body = f"code={quote(code, safe='')}".encode()
            a = app.post("/token", body, fields=FORM)
            assert a.status == 200 and a.set_cookie() == "", a.head
        mine = {app.get("/get").version for _ in range(5)}
        assert len(mine) == 1, "its own session stays"
    assert pin


def test_its_pool_is_gone(rig):
    """Better asked elsewhere than nowhere."""
    s = site_of(rig, "none")
    with Client(s.address) as c:
        a = c.get("/authorize")
    code, version = code_of(a), a.version
    (rig.ia if version == "v1" else rig.ib).close()
    wait_until(lambda: s.admin.pool(version)["eligible"] == 0, 10, "it")
    assert post(s, "/token", {"code": code}).status == 400


# ---- the bytes of a form ----

FORMS = {
    "in one piece": [b"Content-Length: 9\r\n\r\ncode=none"],
    "in pieces": [b"Content-Length: 9\r\n\r\nco", b"de=n", b"one"],
    "in chunks": [b"Transfer-Encoding: chunked\r\n\r\n2\r\nco\r\n",
                  b"7\r\nde=none\r\n0\r\n\r\n"],
    "without a byte": [b"Content-Length: 0\r\n\r\n"],
    "of many bytes": [b"Content-Length: 60009\r\n\r\ncode=none",
                      b"&" * 60000],
    "of too many": [b"Content-Length: 70009\r\n\r\ncode=none", b"&" * 70000],
    "of too many in chunks": [
        b"Transfer-Encoding: chunked\r\n\r\n9\r\ncode=none\r\n",
        b"11170\r\n" + b"&" * 70000 + b"\r\n0\r\n\r\n"],
}


@pytest.mark.parametrize("how", FORMS)
def test_form_arrives_as_it_is(rig, how):
    s = site_of(rig, "none")
    with Client(s.address) as c:
        for _ in range(2):  # the second on kept connections
            c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}".encode())
            for piece in FORMS[how]:
                c.send(piece)
                c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            c.method = "POST"
            assert c.answer().status == 400
    text = b"".join(FORMS[how]).partition(b"\r\n\r\n")[2]
    bodies = [body for line, body in rig.a.asked + rig.b.asked]
    assert len(bodies) == 2
    for body in bodies:
        if "chunks" in how:
            assert body.startswith(b"code=none") and set(body[9:]) <= set(b"&")
        else:
            assert body == text


def test_over_http2(rig):
    """Applications in Java ask so."""
    s = site_of(rig, "none")
    for _ in range(10):
        with Client(s.address) as browser:
            code = code_of(browser.get("/authorize"))
        body = f"code={quote(code, safe='')}".encode()
        with H2(s.address) as c:
            c.send(headers(1, request("/token", "POST", [
                ("content-type", "application/x-www-form-urlencoded")]),
                END_HEADERS))
            for i in range(0, len(body), 9):
                c.send(frame(DATA, 0, 1, body[i:i + 9]))
            c.send(frame(DATA, END_STREAM, 1))
            assert c.answer(1) == 200


def test_who_leaves_within_a_form(rig):
    s = site_of(rig, "none", )
    with Client(s.address) as c:
        c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}"
               "Content-Length: 90\r\n\r\ncode=".encode())
        wait_until(lambda: s.admin.status()["services"][0]["in_flight"] == 1)
    wait_until(lambda: s.admin.status()["services"][0]["in_flight"] == 0)
    a = s.admin.status()["accounting"]
    assert a["holds"] and a["client"] == 1, a
    assert not rig.a.asked and not rig.b.asked


def test_form_that_is_too_long(rig):
    """For the service: it is refused before anything is asked."""
    s = site_of(rig, "none", limits={"body": "1KiB"})
    big = "x" * 2000
    assert post(s, "/token", {"code": big}).status == 413
    assert not rig.a.asked and not rig.b.asked


def test_held_with_its_form(rig):
    """What waits is sent whole, once it may go."""
    s = site_of(rig, "none")
    with Client(s.address) as browser:
        code = code_of(browser.get("/authorize"))
    s.do("hold")
    body = f"code={quote(code, safe='')}".encode()
    with Client(s.address) as c:
        c.ask("/token", "POST", body, FORM)
        wait_until(lambda: s.admin.status()["services"][0]["hold"]["held"])
        s.do("release")
        assert c.answer().status == 200


def test_who_repeats_a_code_has_not_issued_it(rig):
    """A redirection that keeps the query, at whichever pool."""
    s = site_of(rig, "none")
    for _ in range(20):
        with Client(s.address) as browser:
            code = code_of(browser.get("/authorize"))
        for _ in range(3):
            once(s.address, f"/echo?code={quote(code, safe='')}")
        assert post(s, "/token", {"code": code}).status == 200


def test_a_link_moves_nobody(rig):
    """Somebody else's code in an address, and his request in a picture's."""
    s = site_of(rig, "none")
    for v in ("v1", "v2"):
        mine = {}
        while v not in mine:
            with Client(s.address) as c:
                a = c.get("/authorize")
                mine[a.version] = code_of(a)
        code = quote(mine[v], safe="")
        uri = {}
        while v not in uri:
            a = post(s, "/par", {"client_id": "a"})
            uri[a.version] = json.loads(a.body)["request_uri"]
        uri = quote(uri[v], safe="")
        with Client(s.address) as c:
            while (at := c.get().version) == v:
                c.cookies = {}
            c.get(f"/get?code={code}")
            c.get(f"/get?request_uri={uri}",
                  fields="Sec-Fetch-Dest: image\r\n")
            assert {c.get().version for _ in range(5)} == {at}
            # But a page that he goes to is where its request is known.
            assert c.get(f"/authorize?request_uri={uri}").status == 302
            assert {c.get().version for _ in range(5)} == {v}


def test_the_second_is_known(rig):
    s = site_of(rig, "none")
    for _ in range(20):
        with Client(s.address) as browser:
            code = code_of(browser.get("/authorize"))
        a = post(s, "/token", {"token": "csrf", "code": code})
        assert a.status == 200


def test_what_waits_in_forms_is_counted(rig):
    """Memory that clients hold with halves of forms is memory."""
    s = site_of(rig, "none")

    def used():
        return s.admin.status()["load"]["memory_bytes"]

    before, clients = used(), []
    for _ in range(20):
        c = Client(s.address)
        clients.append(c)
        c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}"
               "Content-Length: 60000\r\n\r\ncode=".encode())
    wait_until(lambda: used() > before + 20 * 60000, what="it to be counted")
    for c in clients:
        c.close()
    wait_until(lambda: used() < before + 5 * 60000, what="it to be free")


def test_trailers_arrive(rig):
    s = site_of(rig, "none")
    with Client(s.address) as c:
        c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}Trailer: X-Sum\r\n"
               "Transfer-Encoding: chunked\r\n\r\n9\r\ncode=none\r\n0\r\n"
               "X-Sum: 1\r\n\r\n".encode())
        c.method = "POST"
        assert c.answer().status == 400


def test_code_on_a_page(rig):
    """form_post: a page of HTML whose form the browser sends on."""
    s = site_of(rig, "none")
    for _ in range(20):
        with Client(s.address) as browser:
            a = browser.get("/form_post")
        code = unescape(re.search(rb'"code" value="([^"]*)"',
                                  a.body)[1].decode())
        assert post(s, "/token", {"code": code}).status == 200


def state_of(answer):
    q = parse_qs(answer.field("location").partition("?")[2])
    return next(f"{k}={quote(q[k][0], safe='')}"
                for k in ("state", "RelayState") if k in q)


@pytest.mark.parametrize("name", ["state", "RelayState"])
@pytest.mark.parametrize("how", ["GET", "POST"])
def test_back_from_another_login_server(rig, name, how):
    """A POST from another site brings no cookie; a GET may have lost it."""
    s = site_of(rig, "none")
    for _ in range(20):
        with Client(s.address) as browser:
            state = state_of(browser.get(f"/broker?name={name}"))
        with Client(s.address) as browser:
            if how == "GET":
                a = browser.get(f"/endpoint?code=theirs&{state}")
            else:
                a = browser.post("/endpoint", f"{state}&code=x".encode(),
                                 fields=FORM)
        assert a.status == 200, a.head
        assert bool(a.set_cookie()) == (how == "GET"), a.head


def test_state_of_an_application_is_not_looked_at(rig):
    """It chooses what it likes; nothing is learned by it or looked up."""
    s = site_of(rig, "none")
    with Client(s.address) as c:
        c.get("/authorize?client_id=a&state=0123456789abcdef")
        c.get("/endpoint?state=1&code=2")
    m = s.admin.metrics()
    assert m['segue_artifacts_total{service="web",what="learned"}'] == 1
    assert m['segue_artifacts_total{service="web",what="unknown"}'] == 0
    with Client(s.address) as c:  # led back with it: it looks like one of ours
        c.get("/echo?state=0123456789abcdef&error=login_required")
    m = s.admin.metrics()
    assert m['segue_artifacts_total{service="web",what="learned"}'] == 1
    assert m['segue_artifacts_total{service="web",what="unknown"}'] == 1


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_a_state_moves_nobody(rig, how):
    """A constant, or a page to come back to, is the same for many; and a link
    with one may come from anybody."""
    s = site_of(rig, "none")
    home = quote("https://app.test/home", safe="")
    with Client(s.address) as one, Client(s.address) as two:
        while one.get("/get").version == two.get("/get").version:
            two.cookies.clear()
        was = [c.get("/get").version for c in (one, two)]
        for c in (one, two, one):
            c.get(f"/echo?client_id=c&state={home}")
            for d in (one, two):
                if how == "GET":
                    d.get(f"/endpoint?state={home}")
                else:
                    d.post("/endpoint", f"state={home}".encode(), fields=FORM)
        assert [c.get("/get").version for c in (one, two)] == was
        assert causes(s) == {"v1": 0, "v2": 0}
    with Client(s.address) as c:
        for _ in range(8):  # it says nothing
            c.cookies.clear()
            c.get(f"/endpoint?state={home}")
    assert causes(s) == {"v1": 0, "v2": 0}


def test_codes_that_people_choose(rig):
    """No form of a page issues "1"."""
    s = site_of(rig, "none")
    for op in (rig.a, rig.b):
        op.choose = lambda conn, r, q, f: conn.answer(
            b"<input type=radio name=code value=1>",
            fields="Content-Type: text/html\r\n")
    for _ in range(8):
        with Client(s.address) as c:
            a = c.get("/choose")
            assert c.post("/get", b"code=1", fields=FORM).version == a.version
    assert causes(s) == {"v1": 0, "v2": 0}


@pytest.mark.parametrize("wait", [True, False])
def test_form_behind_100_continue(rig, wait):
    """We ask for it in the instance's place, which is not asked to."""
    s = site_of(rig, "none")
    for _ in range(10):
        with Client(s.address) as browser:
            code = code_of(browser.get("/authorize"))
        body = f"code={quote(code, safe='')}".encode()
        with Client(s.address) as c:
            c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}"
                   "Expect: 100-continue\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n".encode())
            c.method = "POST"
            if wait:
                assert c.reader.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            c.send(body)
            if not wait:
                assert c.reader.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert c.answer().status == 200
            assert c.get("/get").status == 200, "the connection goes on"


def test_form_too_long_to_read_behind_100_continue(rig):
    """That is asked for by who gets it, as ever."""
    s = site_of(rig, "none")
    with Client(s.address) as c:
        c.send(f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}"
               "Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n"
               .encode())
        c.method = "POST"
        c.send(b"&" * 70000)
        assert c.answer().status == 400
