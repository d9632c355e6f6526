"""page - who differs, as a table for the terminal and as doc/differential.md.

Two outcomes are the same when the statuses, the requests the instance got
whole, what they carried and the end of the connection are (look.key()).
"""
import os
import textwrap

from differential.look import key
from differential.proxies import PROXIES, version
from differential.why import WHY

HERE = os.path.dirname(os.path.realpath(__file__))
PATH = os.path.realpath(f"{HERE}/../../../doc/differential.md")
OURS, *PEERS = PROXIES

HEAD = """\
# The same requests through Segue, HAProxy and nginx

*Made by `tests/e2e/differential --page`; the sentences are in
`tests/e2e/differential/why.py`, the requests in `tests/e2e/http1_rows/`.
Do not edit this page.*

Each row of the corpus was sent as it is, in one piece, to segued, to HAProxy
{haproxy} and to nginx {nginx} (both of Debian), each a plain reverse proxy in
front of the same scripted instance; their configurations are in
`tests/e2e/differential/proxies.py`.  Per row: the final statuses (interim
ones in brackets), what the instance saw (request line; in square brackets
the body's length or "chunked"; "cut" when the request never became whole),
and whether the client's connection was open behind it.  "waits" means that
the proxy wanted more bytes and said nothing.  Each was sent {rounds} times;
"or" stands between outcomes that were not always the same.  Two are the same
when the statuses, the whole requests and the end are: how a body was framed
on its way, and whether the beginning of a refused request had left, is told
but not compared.

Segue is meant to be the strictest of the three: what can be read in two ways
is refused, since the next program behind us may read it the other way.  What
is refused costs one client an error; what is let through can cost another
client its session.
"""


def differs(by):
    """The peers that do, in any round."""
    def keys(name):
        return {key(outcome) for outcome in by[name]}
    return [p for p in PEERS if keys(p) != keys(OURS)]


def differing(found):
    return [name for name, by in found.items() if differs(by)]


def explained():
    return [name for _, names in WHY for name in names]


def unexplained(found):
    return [n for n in differing(found) if n not in explained()]


def wrapped(words):
    return "\n".join(textwrap.wrap(words, 79, break_on_hyphens=False,
                                   break_long_words=False))


def outcome_text(outcome):
    said, lines, end = outcome
    text = f"{said}, {end}; {'; '.join(lines) or 'nothing'}"
    text = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text)
    return text.replace("|", "\\|").replace("<", "&lt;")


def cells(by):
    for p in PROXIES:
        yield " *or* ".join(map(outcome_text, by[p])) \
            if p == OURS or p in differs(by) else "same"


def table(found):
    """For the terminal."""
    lines = []
    for name in differing(found):
        lines.append(name)
        lines += [f"    {p:8} {text}" for p, text in
                  zip([OURS, *PEERS], cells(found[name]))]
    lines.append(summary(found))
    return "\n".join(lines)


def passed(outcome):
    """How many requests the instance got whole."""
    notes = ("passes ", "lacks ", "body ", "trailers ")
    return sum(not line.startswith(notes) for line in key(outcome)[1])


def more(by, peer):
    """How many more requests than we the peer passes on."""
    return max(map(passed, by[peer])) - passed(by[OURS][0])


def summary(found):
    rows = [f"| of {len(found)} rows | " + " | ".join(PEERS) + " |",
            "|---|" + "---|" * len(PEERS)]
    for text, true in (
            ("the same as Segue", lambda by, p: p not in differs(by)),
            ("lets requests through that Segue refuses",
             lambda by, p: more(by, p) > 0),
            ("refuses or loses requests that Segue lets through",
             lambda by, p: more(by, p) < 0),
            ("as many requests; the answers, what they carry or the end "
             "differ", lambda by, p: p in differs(by) and more(by, p) == 0)):
        n = [sum(true(by, p) for by in found.values()) for p in PEERS]
        rows.append(f"| {text} | " + " | ".join(map(str, n)) + " |")
    return "\n".join(rows)


def section(found, sentence, names):
    """One sentence and the rows it explains."""
    lines = [wrapped(sentence), "",
             f"| request | {OURS} | " + " | ".join(PEERS) + " |",
             "|---|---|" + "---|" * len(PEERS)]
    for name in names:
        shown = name.replace("|", "\\|")
        lines.append(f"| {shown} | " + " | ".join(cells(found[name])) + " |")
    return "\n".join(lines) + "\n"


def text(found, rounds):
    different = differing(found)
    same = [n for n in found if n not in different]
    parts = [HEAD.format(haproxy=version("HAProxy"), nginx=version("nginx"),
                         rounds=rounds),
             "## In numbers\n", summary(found) + "\n",
             "## Where we differ, and why\n"]
    for sentence, names in WHY:
        names = [n for n in names if n in different]
        if names:
            parts.append(section(found, sentence, names))
    parts += ["## Where all three agree\n",
              wrapped("; ".join(same) + ".") + "\n"]
    return "\n".join(parts)
