"""Two versions that set the same cookies on the same host, as identity servers
with a database each do: the new one has a namespace, and neither sees or
overwrites what the other has set."""
import pytest

from rig import wait_until
from rig.h2scripted import H2Scripted
from rig.segued import pool, service
from rig.sessions import H2Client
from rig.wire import Client
from test_websocket import UPGRADE

SET = {
    "/login": ["SESSION={v}-{n}; Path=/; HttpOnly",
               "__Host-ID={v}; Path=/; Secure", "theme={v}"],
    "/bare": ["nameless; Path=/"],
    "/logout": ["SESSION=; Path=/; Max-Age=0"],
    "/pin": ["segue=stolen; Path=/"],
}


def server(conn):
    """Sets its cookies at a login; says which it was sent."""
    while (r := conn.request()) is not None:
        conn.instance.logins = getattr(conn.instance, "logins", 0) + 1
        fields = "".join(
            "Set-Cookie: " + c.format(v=conn.instance.version,
                                      n=conn.instance.logins) + "\r\n"
            for c in SET.get(r.target, []))
        if r.target == "/early":
            conn.send(b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: SESSION=1\r\n"
                      b"Link: </a>\r\n\r\n")
        if r.field("upgrade") is not None:
            conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: "
                      b"Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: "
                      b"SESSION=ws\r\n\r\n")
            conn.close()
            return
        conn.answer((r.field("cookie") or "").encode(), fields=fields)


def site_of(rig, b=None, **more):
    rig.a = rig.scripted("v1", "a", server)
    rig.b = b or rig.scripted("v2", "b", server)
    kind = {"protocol": "h2c"} if isinstance(b, H2Scripted) else {}
    return rig.segued(service(
        pool("v1", [rig.a], share="100%"),
        pool("v2", [rig.b], cookie_namespace="v2", **kind),
        cookies_shared=["theme", "_ga*"], **more))


def pins(s):
    """The cookies that lead to either pool."""
    return {v: dict([s.do("pin", v).out.split(";")[0].split("=", 1)])
            for v in ("v1", "v2")}


def sent(instance):
    """The Cookie fields of its last request, by what they hold."""
    value = instance.requests[-1].field("cookie")
    return set(value.split("; ")) if value else set()


def cookies_of(answer):
    return {c.split(";")[0] for c in answer.head.decode().split("\r\n")
            for c in [c.partition(": ")[2]] if "=" in c}


@pytest.mark.parametrize("client", [Client, H2Client])
def test_neither_loses_its_session(rig, client):
    """Login at V1, a switch to V2, login there, and back."""
    s = site_of(rig, drain={"mode": "move"})
    c = client(s.address)
    try:
        c.get("/login")
        assert set(c.cookies) == {"SESSION", "__Host-ID", "theme", "segue"}
        was = c.cookies["SESSION"]
        assert sent(rig.a) == set()
        c.get("/")
        assert sent(rig.a) == {f"SESSION={was}", "__Host-ID=v1", "theme=v1"}

        s.do("switch", "v2")
        s.do("drain", "v1")
        wait_until(lambda: c.get("/").version == "v2", what="the move")
        assert sent(rig.b) == {"theme=v1"}
        c.get("/login")
        assert set(c.cookies) == {
            "SESSION", "__Host-ID", "theme", "segue", "v2~SESSION",
            "__Host-v2~ID"}
        assert c.cookies["SESSION"] == was
        c.get("/")
        mine = c.cookies["v2~SESSION"]
        assert mine.startswith("v2-")
        assert sent(rig.b) == {f"SESSION={mine}", "__Host-ID=v2", "theme=v2"}

        s.do("switch", "v1")
        s.do("drain", "v2")
        wait_until(lambda: c.get("/").version == "v1", what="the way back")
        assert sent(rig.a) == {f"SESSION={was}", "__Host-ID=v1", "theme=v2"}
    finally:
        c.close()


def test_deletion(rig):
    """V2 takes its own cookie back, with all that it says of it."""
    s = site_of(rig)
    for v, line in (("v1", "SESSION=; Path=/; Max-Age=0"),
                    ("v2", "v2~SESSION=; Path=/; Max-Age=0")):
        with Client(s.address, cookies=pins(s)[v]) as c:
            assert f"Set-Cookie: {line}\r\n" in c.get("/logout").head.decode()


def test_attributes_and_what_has_no_name(rig):
    s = site_of(rig)
    with Client(s.address, cookies=pins(s)["v2"]) as c:
        head = c.get("/login").head.decode()
        assert "Set-Cookie: __Host-v2~ID=v2; Path=/; Secure\r\n" in head
        assert "Set-Cookie: theme=v2\r\n" in head
        assert c.get("/bare").field("set-cookie") is None
    with Client(s.address, cookies=pins(s)["v1"]) as c:
        c.ask("/bare")
        assert b"Set-Cookie: nameless; Path=/\r\n" in c.reader.head()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_pin_is_ours(rig, version):
    """No instance sets it, by its name or by that which it would get."""
    s = site_of(rig)
    with Client(s.address, cookies=pins(s)[version]) as c:
        was = c.cookies["segue"]
        assert c.get("/pin").field("set-cookie") is None
        assert c.cookies == {"segue": was}
        assert c.get("/").version == version
        assert sent({"v1": rig.a, "v2": rig.b}[version]) == set()


FORGED = "v2~SESSION=x; v2~__Host-ID=y; v2~=z; v2~ __Host-ID=y; _ga_1=g; a=b"


def test_what_strangers_send(rig):
    """V1 is told nothing of V2's, and no prefix is won by a renaming."""
    s = site_of(rig)
    for v, instance, want in (("v1", rig.a, {"_ga_1=g", "a=b"}),
                              ("v2", rig.b, {"SESSION=x", "_ga_1=g"})):
        with Client(s.address, cookies=pins(s)[v]) as c:
            c.get("/", fields=f"Cookie: {FORGED}\r\n")
        assert sent(instance) == want
        fields = instance.requests[-1].head.decode().lower()
        assert fields.count("cookie:") == 1 and "~" not in fields


def test_several_fields(rig):
    """What HTTP/1 should not send, and HTTP/2 may: one field comes of it."""
    s = site_of(rig)
    with Client(s.address, cookies=pins(s)["v2"]) as c:
        a = c.get("/", fields="Cookie: S=1\r\nCookie: v2~a=1; S=2\r\n"
                              "Cookie: v2~b=2\r\n")
        assert a.body == b"a=1; b=2"


def test_many(rig):
    """As many as a head may have."""
    s = site_of(rig)
    with Client(s.address, cookies=pins(s)["v2"]) as c:
        text = "; ".join(f"S{i}=x; v2~S{i}=y" for i in range(1200))
        a = c.get("/", fields=f"Cookie: {text}\r\n")
        assert a.status == 200
        assert a.body.decode().split("; ") == [
            f"S{i}=y" for i in range(1200)]


def test_http2_to_the_instance(rig):
    s = site_of(rig, H2Scripted(rig, "v2", "b", h2_server))
    c = H2Client(s.address, cookies={
        **pins(s)["v2"], "SESSION": "old", "v2~SESSION": "new"})
    try:
        a = c.get("/login")
        assert a.body == b"SESSION=new"
        assert c.cookies["SESSION"] == "old"
        assert c.cookies["v2~SESSION"] == "h2"
    finally:
        c.close()


def h2_server(conn):
    while (r := conn.request()) is not None:
        cookie = r.field("cookie") or ""
        conn.answer(r.stream, cookie.encode(),
                    fields=[("set-cookie", "SESSION=h2")])


def test_retry_elsewhere(rig):
    """A file that V2 lacks is asked for at V1, with V1's cookies, and the
    other way round."""
    def lacking(conn):
        while (r := conn.request()) is not None:
            mine = f"/files/{conn.instance.version}" in r.target
            conn.answer(b"", "200 OK" if mine else "404 No",
                        "Set-Cookie: SESSION=" + conn.instance.version +
                        "\r\n")

    s = site_of(rig, assets=["/files"])
    rig.a.script = rig.b.script = lacking
    s.do("share", "v2", "50%")
    for home, other, at, want, name in (
            ("v1", "v2", rig.b, "SESSION=new", "v2~SESSION=v2"),
            ("v2", "v1", rig.a, "SESSION=old", "SESSION=v1")):
        cookies = {**pins(s)[home], "SESSION": "old", "v2~SESSION": "new"}
        with Client(s.address, cookies=dict(cookies)) as c:
            assert c.get(f"/files/{other}/x").status == 200
            assert c.cookies != cookies
            first = rig.a if home == "v1" else rig.b
            assert sent(first) == {
                "SESSION=old" if home == "v1" else "SESSION=new"}
            assert sent(at) == {want}
            key, value = name.split("=")
            assert c.cookies[key] == value


def test_websocket_and_early_hints(rig):
    s = site_of(rig)
    cookies = {**pins(s)["v2"], "SESSION": "old", "v2~SESSION": "new"}
    with Client(s.address, cookies=dict(cookies)) as c:
        c.ask("/ws", fields=UPGRADE)
        head = c.reader.head().decode()
        assert head.startswith("HTTP/1.1 101 ")
        assert "Set-Cookie: v2~SESSION=ws\r\n" in head
        assert sent(rig.b) == {"SESSION=new"}
    with Client(s.address, cookies=dict(cookies)) as c:
        c.ask("/early")
        head = c.reader.head().decode()
        assert head.startswith("HTTP/1.1 103 ") and "SESSION" in head
        assert "Set-Cookie: v2~SESSION=1\r\n" in head
        assert c.answer().status == 200


def test_mirrored_requests_have_none(rig):
    """As before: nobody's cookies are copied, under any name."""
    s = site_of(rig, mirror=["/"], rollout={"steps": [
        {"step": "mirror", "for": "60s"}, "promote"]})
    with Client(s.address, cookies={
            **pins(s)["v1"], "SESSION": "old", "v2~SESSION": "new"}) as c:
        s.do("rollout", "start", "--to", "v2")
        wait_until(lambda: c.get("/") and [
            r for r in rig.b.requests if r.field("x-segue-mirror")],
            what="a copy")
    assert all(r.field("cookie") is None for r in rig.b.requests)


def test_an_answer_goes_by_the_namespace_of_its_request(rig):
    """Its pool leaves with a reload meanwhile; the session of V1 stays."""
    def slow(conn):
        while conn.request() is not None:
            rig.asked = True
            wait_until(lambda: rig.gone, what="the reload")
            conn.answer(fields="Set-Cookie: SESSION=late\r\n")

    rig.asked = rig.gone = False
    s = site_of(rig, rig.scripted("v2", "b", slow))
    with Client(s.address, cookies={**pins(s)["v2"], "SESSION": "old"}) as c:
        c.ask("/")
        wait_until(lambda: rig.asked, what="the request")
        del s.config["services"][0]["pools"][1]["cookie_namespace"]
        del s.config["services"][0]["cookies_shared"]
        s.write_config()
        s.do("reload")
        rig.gone = True
        c.answer()
        assert c.cookies["SESSION"] == "old"
        assert c.cookies["v2~SESSION"] == "late"


def test_one_namespace_twice_is_refused(rig):
    s = site_of(rig)
    s.config["services"][0]["pools"][0]["cookie_namespace"] = "v2"
    s.write_config()
    done = s.segue("reload")
    assert done.code != 0 and "cookie_namespace: v2 is that of" in done.err, \
        done
