"""look - plays one row of a request and says what came of it.

What it says has three parts: the statuses (interim ones in brackets), what
the instance saw of it, and what became of the client's connection.
"""
import re
import threading
import time

from http1_rows.instance import serve
from http1_rows.row import CLOSED, TUNNEL
from http1_rows.talk import WAITS, Talk

SLOW = 1.5    # seconds in which an answer comes that is due
QUIET = 0.25  # seconds after which no more than that is expected
LATE = 0.02   # the instance may hear of it a moment after the client


def play(t, row):
    """Sends the row as it is; the end: of the connection, or of patience."""
    t.sock.settimeout(SLOW)
    t.send([row.raw])
    if row.wait is not None:
        t.read_while(lambda: row.wait not in t.status + t.interim)
        t.send([row.then])
    if row.half_close:
        t.sock.shutdown(1)
    due = len(row.status)
    try:
        ended = t.read_while(lambda: len(t.status) < due)
        if ended is None:
            t.sock.settimeout(QUIET)
            ended = t.read_while(lambda: t.status[-1:] != [101])
    except (ValueError, IndexError):
        return "no HTTP"
    if t.status[-1:] == [101]:
        return TUNNEL
    if ended == WAITS and b"connection: close" in t.last.lower():
        return CLOSED  # it said so, and waits only for our end
    return ended


def end_of(t, row, seen):
    """What became of the connection; asked only between requests."""
    end = play(t, row)
    if end == WAITS and not row.half_close and all(r.whole for r in seen):
        t.sock.settimeout(SLOW)
        return t.after()
    return end


def statuses(t):
    words = [f"({s})" for s in t.interim] + [str(s) for s in t.status]
    return " ".join(words) or "none"


def request_text(r, row):
    kind, n = r.framing
    words = [] if kind == "none" else [str(n) if kind == "length" else kind]
    if not r.whole and row.seen is not ...:
        words.append("cut")
    line = r.line if len(r.line) < 80 else r.line[:20] + "..."
    return line + (f" [{', '.join(words)}]" if words else "")


def notes(row, seen):
    """Where the last request the instance got is not what we would send."""
    whole = [r for r in seen if r.whole]
    if not whole:
        return []
    last = whole[-1]
    text = last.head.decode("latin-1").lower()
    said = [f"passes {w.strip()!r}" for w in row.hasnot if w.lower() in text]
    said += [f"lacks {w.strip()!r}" for w in row.has
             if w.lower() not in text]
    if row.body is not None and last.body != row.body:
        said.append(f"body {last.body!r}")
    if row.trailers is not None and last.trailers != row.trailers:
        said.append("trailers " + (" ".join(last.trailers) or "lost"))
    return said


def look(port, seen, row):
    """(statuses, [what was seen], end)."""
    seen.clear()
    with Talk(port.host, port.number, row) as t:
        end = end_of(t, row, seen)
        said = statuses(t)
    time.sleep(LATE)
    came = [r for r in seen if r.target != "/more"]
    lines = [request_text(r, row) for r in came] + notes(row, came)
    return said, lines, end


def key(outcome):
    """What is compared of an outcome: not how a body was framed on its way,
    nor whether the beginning of a refused request had left."""
    said, lines, end = outcome
    whole = tuple(re.sub(r" \[(\d+|chunked)\]$", "", line) for line in lines
                  if not line.endswith("cut]"))
    return said, whole, end


def look_all(rig, proxies, rows, rounds=1):
    """{row.why: {proxy: [what came]}}: one outcome, or several where the
    rounds differ.  The proxies work side by side."""
    out = {row.why: {name: [] for name in proxies} for row in rows}

    def work(name, start):
        seen = []
        instance = rig.scripted("v1", "origin-" + name, serve(seen))
        port = start(rig, instance)
        for row in rows * rounds:
            outcomes = out[row.why][name]
            new = look(port, seen, row)
            if key(new) not in map(key, outcomes):
                outcomes.append(new)

    threads = [threading.Thread(target=work, args=p) for p in proxies.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out
