"""/metrics and the access log: what they say is what happened."""
import json
import re

from rig import wait_until
from rig.segued import pool, service
from rig.site import Site
from rig.wire import Client, once

NAME = r'[a-z_][a-z0-9_]*'
SAMPLE = re.compile(
    NAME + r'(\{[a-z_]+="(?:[^"\\\n]|\\.)*"'
    r'(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+$|' +
    NAME + r'\{.*\} \+Inf$')



def listed(s):
    """{name: (type, [labels])} of segued --metrics."""
    rows = [line.split("\t") for line in
            s.run_to_end("--metrics").stdout.splitlines()]
    return {r[0]: (r[1], [x for x in r[2].split(",") if x]) for r in rows}


def test_format(rig):
    """Each has HELP and TYPE before its samples; names are those listed."""
    site = Site(rig)
    once(site.segued.address)
    code, fields, text = site.admin.raw("GET", "/metrics")
    assert code == 200
    assert fields["Content-Type"].startswith("text/plain; version=0.0.4")
    names, helped, current = listed(site.segued), set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert names[current][0] == kind and current in helped
        else:
            assert SAMPLE.match(line), line
            name = re.match(NAME, line).group(0)
            assert re.sub("_(bucket|sum|count)$", "", name) == current or \
                name == current, line
            labels = set(re.findall(r'([a-z_]+)="', line)) - {"le"}
            assert labels <= set(names[current][1]), line
    assert helped == set(names)
    for name in names:
        assert name.startswith(("segue_", "process_")), name


def test_counts_are_what_clients_saw(rig):
    site = Site(rig)
    site.start_load(answers=1000)
    final = site.finish()
    m = site.admin.metrics()
    n = final["answers"]
    for name, (kind, _) in listed(site.segued).items():
        if kind != "histogram":
            continue
        buckets = {}
        for key, value in m.items():
            b = re.match(rf'{name}_bucket\{{(.*),?le="(.*)"\}}', key)
            if b:
                buckets.setdefault(b.group(1), []).append(
                    (float(b.group(2).replace("+Inf", "inf")), value))
        assert buckets, name
        for labels, rows in buckets.items():
            values = [v for _, v in sorted(rows)]
            assert values == sorted(values), "buckets are not cumulative"
            assert rows[-1][0] == float("inf")
            labels = labels.rstrip(",")
            count = f"{name}_count" + (f"{{{labels}}}" if labels else "")
            assert values[-1] == m[count]
    # some counter by outcome says that all were answered
    answered = [v for k, v in m.items() if 'outcome="answered"' in k and
                'service="web"' in k]
    assert answered == [n], answered
    text = json.dumps(site.admin.status())
    assert f'"answered": {n}' in text


def test_access_log_lines(rig):
    """One a request; what is secret is not there."""
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a])))
    with Client(s.address, cookies={"session": "topsecret"}) as c:
        c.get("/cb?code=topsecret&state=topsecret&page=2")
        c.get("/cb?code=topsecret&page=3",
              fields="Referer: http://x/?code=topsecret\r\n")
        c.get("/nothing", fields="Authorization: Bearer topsecret\r\n"
              "User-Agent: test\r\nX-Request-Id: abc\r\n")
    rows = s.wait_access(3)
    assert "topsecret" not in rig.text("segued/access.log") + s.log()
    assert "page=2" in rows[0]["target"]
    code = [re.search(r"code=([^&]+)", r["target"]).group(1)
            for r in rows[:2]]
    assert code[0] == code[1], "the digests of one code differ"
    r = rows[2]
    assert (r["method"], r["status"], r["outcome"], r["pool"], r["instance"],
            r["user_agent"], r["retries"]) == \
        ("GET", 200, "answered", "v1", "a", "test", 0)
    assert 0 <= r["total_s"] < 5 and r["cause"] == "pin"


def test_combined(rig):
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a])), access_log={"format": "combined"})
    once(s.address, "/x?code=secret", fields='User-Agent: a"b\r\n')
    wait_until(lambda: rig.text("segued/access.log"))
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[[^\]]+\] "GET /x\?code=~[0-9a-f]{16} HTTP/1\.1" '
        r'200 \d+ "-" "a\\x22b"\n', rig.text("segued/access.log"))


def test_access_log_off(rig):
    a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [a])), access_log=False)
    once(s.address)
    s.stop()
    assert rig.text("segued/access.log") == ""


def test_each_exchange_ends_once(rig):
    """Good and bad ones of many kinds: accepted is the sum, and each is one
    line of the log."""
    def script(conn):
        while (r := conn.request()) is not None:
            if r.target == "/die":
                return
            conn.answer(b"ok")

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a]), match="good.example.org"))

    def say(text):
        with Client(s.address) as c:
            c.send(text)
            return c.reader.rest()

    host = b"Host: good.example.org\r\n"
    close = b"Connection: close\r\n\r\n"
    assert b" 200 " in say(b"GET / HTTP/1.1\r\n" + host + close)
    assert b" 421 " in say(b"GET / HTTP/1.1\r\nHost: other\r\n" + close)
    assert b" 400 " in say(b"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n")
    assert b" 505 " in say(b"GET / HTTP/3.0\r\n" + host + close)
    assert b" 405 " in say(b"CONNECT good.example.org:1 HTTP/1.1\r\n" + host +
                           close)
    assert b" 502 " in say(b"POST /die HTTP/1.1\r\n" + host +
                           b"Content-Length: 1\r\n" + close + b"x")
    with Client(s.address) as c:  # leaves in the middle of its request
        c.send(b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 10\r\n\r\nx")
        wait_until(lambda: s.admin.status()["accounting"]["in_flight"] == 1)
    wait_until(lambda: s.admin.status()["accounting"]["in_flight"] == 0)
    acc = s.admin.status()["accounting"]
    assert acc["accepted"] == 7 and acc["holds"]
    assert acc["answered"] == 1 and acc["client"] == 1 and acc["fault"] == 1
    assert len(s.wait_access(7)) == 7
