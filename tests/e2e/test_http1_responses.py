"""Raw HTTP/1 answers of instances and what the client gets (RFC 9110, 9112).

Each row is sent whole, byte by byte and cut at every byte.  A malformed
answer is 502, or a cut the client can see, and its connection is never used
again; bytes behind an answer never reach the next client.
"""
import time

import pytest

from http1_rows.answers import ANY, CUT, ROWS, Stage, ask, ask_next
from http1_rows.cuts import ways
from rig.segued import pool, service
from rig.wire import Answer


@pytest.fixture(scope="module")
def site():
    from rig import Rig
    rig, stage = Rig(), Stage()
    try:
        a = rig.scripted("v1", "a", stage.script)
        s = rig.segued(service(
            pool("v1", [a], probe={"interval": "30s",
                                   "fast_interval": "30ms"}),
            sticky={"scope": "none"}, retry={"attempts": 0}), workers=1)
        yield stage, s.port
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


def check_answer(row, got, why):
    interim, head, body = got
    text = (head or b"").decode("latin-1")
    assert head is None or Answer(head, b"").status == row.status, \
        f"{why}: {text}"
    assert head is not None or row.body is CUT, f"{why}: reset"
    assert interim == row.interim, why
    if row.body is not ANY:
        assert body == row.body, why
    if head is None:
        return
    for word in row.has:
        assert word in text, f"{why}: no {word!r} in {text}"
    for word in row.hasnot:
        assert word not in text, f"{why}: {word!r} in {text}"


def run(site, row, parts, how):
    stage, port = site
    stage.set(row, parts)
    why = f"{row.why} ({how})"
    check_answer(row, ask(port.host, port.number, row, stage.has_body), why)
    # The next client is served, and never by what was left over.  What an
    # instance sends when the next request is on its way already, nobody can
    # tell from its answer: so what is behind a good one comes first.
    if not row.again and row.status != 502 and row.body is not CUT:
        time.sleep(0.005)
    assert ask_next(port.host, port.number) == b"next", why
    rows = [c for t, c in stage.conns if t == "/row"]
    again = [c for t, c in stage.conns if t == "/next"]
    assert len(rows) == 1 and len(again) == 1, why
    assert (rows[0] == again[0]) == row.again, \
        f"{why}: the instance's connection " + \
        ("was given up" if row.again else "was used again")


@pytest.mark.parametrize("row", ROWS, ids=[r.why for r in ROWS])
def test_response(site, row):
    for how, parts in ways(row.raw):
        run(site, row, parts, how)


def test_rows_have_names_of_their_own():
    names = [r.why for r in ROWS]
    assert len(names) == len(set(names))
