"""Raw HTTP/1 requests and what must become of them (RFC 9110, RFC 9112).

Each row is sent whole, byte by byte, and cut at every byte: the outcome must
be the same.  What is refused never reaches the instance as a request.
"""
import pytest

from http1_rows import REQUESTS
from http1_rows.cuts import ways
from http1_rows.instance import serve
from http1_rows.row import CLOSED, OPEN, TUNNEL
from http1_rows.talk import Talk
from rig.segued import pool, service


@pytest.fixture(scope="module")
def site():
    """One instance and one segued for all rows."""
    from rig import Rig
    rig, seen = Rig(), []
    try:
        a = rig.scripted("v1", "a", serve(seen))
        s = rig.segued(service(pool("v1", [a], probe={
            "interval": "30s", "fast_interval": "30ms"}),
            limits={"body": "1MiB"}, sticky={"scope": "none"}), start=False)
        s.config["listeners"][0]["http2"] = False  # it is HTTP/1 we ask about
        s.write_config()
        s.start()
        yield seen, s
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


def check_end(t, row, why):
    if row.after == OPEN:
        assert t.after() == OPEN, f"{why}: closed"
    elif row.after == CLOSED:
        assert t.is_closed(), f"{why}: open"
    else:
        assert row.after == TUNNEL
        assert t.reader.exactly(len(row.echo)) == row.echo, why


def check_answers(t, row, whole, why):
    """In the order of the requests: bodies of 200s name what was asked."""
    named = [b.split(b" ")[1].decode() for b, s in zip(t.bodies, t.status)
             if s == 200 and b and b != b"\n"]
    if row.seen is not ... and whole:
        targets = [r.target for r in whole if r.method != "HEAD"]
        assert [n for n in named if n in targets] == named, why


def check_head(row, last, why):
    text = last.head.decode("latin-1")
    for word in row.has:
        assert word in text, f"{why}: no {word!r} in {text}"
    for word in row.hasnot:
        assert word not in text, f"{why}: {word!r} in {text}"
    if row.body is not None:
        assert last.body == row.body, why
    if row.trailers is not None:
        assert last.trailers == row.trailers, why


def check_seen(row, whole, why):
    lines = [r.line for r in whole]
    if row.seen is None:
        assert len(lines) == sum(s < 400 for s in row.status), why
    elif row.seen is not ...:
        assert lines == row.seen, why
    if whole:
        check_head(row, whole[-1], why)


def run(site, row, parts, how):
    seen, s = site
    seen.clear()
    why = f"{row.why} ({how})"
    with Talk(s.port.host, s.port.number, row) as t:
        t.play(parts)
        assert t.status == row.status, why
        if row.interim is not None:
            assert t.interim == row.interim, why
        check_end(t, row, why)
    whole = [r for r in seen if r.whole and r.target != "/more"]
    check_answers(t, row, whole, why)
    check_seen(row, whole, why)


@pytest.mark.parametrize("row", REQUESTS, ids=[r.why for r in REQUESTS])
def test_request(site, row):
    for how, parts in ways(row.raw):
        run(site, row, parts, how)


def test_refusals_are_counted_by_reason(site):
    _, s = site
    reasons = {r.get("bad") or r.get("reason") for r in s.access()
               if r["outcome"] == "bad_request"}
    assert {"space_before_colon", "folded_line", "length_twice", "nul",
            "host_missing"} <= reasons, reasons


def test_rows_have_names_of_their_own():
    names = [r.why for r in REQUESTS]
    assert len(names) == len(set(names))
