"""The page of differences: our column holds, and nothing is unexplained.

The other two proxies are not started here: tests/e2e/differential does that.
"""
import re

import pytest

from differential import page
from differential.look import look
from differential.proxies import segued
from differential.why import WHY
from http1_rows import REQUESTS
from http1_rows.instance import serve

EACH = 9  # one row in so many is played
NAMES = {row.why for row in REQUESTS}


@pytest.fixture(scope="module")
def text():
    with open(page.PATH, encoding="utf-8") as f:
        return f.read()


def told(text):
    """{row: (sentence, cells)} of the page's tables."""
    rows = {}
    for part in text.split("## Where we differ, and why\n")[1].split(
            "## Where all three agree\n")[0].split("\n\n| request |"):
        for line in re.findall(r"^\| (?!request)(.+) \|$", part, re.M):
            name, *cells = re.split(r" (?<!\\)\| ", line)
            rows[name] = (sentence, cells)
        sentence = " ".join(part.split("\n\n")[-1].split())
    return rows


def agreed(text):
    last = text.split("## Where all three agree\n")[1]
    return set(" ".join(last.split()).rstrip(".").split("; "))


def test_page_knows_all_rows(text):
    """A row that is new: run tests/e2e/differential --page."""
    differ, same = set(told(text)), agreed(text)
    assert differ | same == NAMES
    assert not differ & same


def test_every_difference_is_explained(text):
    reasons = {name: sentence for sentence, names in WHY for name in names}
    assert len(reasons) == sum(len(names) for _, names in WHY), "one twice"
    assert set(reasons) <= NAMES, set(reasons) - NAMES
    for name, (sentence, _) in told(text).items():
        assert sentence == reasons[name], name
    for sentence, names in WHY:
        assert set(names) & set(told(text)), f"explains nothing: {sentence}"


def test_tables_show_differences(text):
    for name, (_, cells) in told(text).items():
        assert len(cells) == 3, name
        assert cells[1:] != ["same", "same"], name


def test_our_column(rig, text):
    """As the rows expect it, and as the page says it."""
    seen, rows = [], told(text)
    port = segued(rig, rig.scripted("v1", "a", serve(seen)))
    for row in REQUESTS[::EACH]:
        outcome = look(port, seen, row)
        final = [w for w in outcome[0].split() if w[0] != "("]
        assert final == ([str(s) for s in row.status] or ["none"]), row.why
        assert outcome[2] == row.after, row.why
        if row.why in rows:
            ours = page.outcome_text(outcome)
            assert rows[row.why][1][0].split(";")[0] == ours.split(";")[0], \
                row.why
