"""Chromium, without a window: a page that asks without end lives through a
cutover.  Its session stays where it began until it loads a page again in a
drain, strangers see the new version, and nothing fails."""
import json

import pytest

from rig import wait_until
from rig.browser import chromium
from rig.certs import Authority
from rig.segued import pool, service

# Asks until an answer says that it is over, then tells what it saw; loads
# itself again, once, when an answer says so.
PAGE = b"""<!doctype html><title>asks</title><script>
const seen = JSON.parse(sessionStorage.getItem("seen")) || { loads: 0,
	answers: 0, failed: [], mine: [], strangers: [], protocols: {} };
let said = "on";

seen.loads++;

new PerformanceObserver((list) => {
	for (const e of list.getEntries())
		seen.protocols[e.nextHopProtocol] = true;
}).observe({ type: "resource", buffered: true });

function note(versions, v)
{
	if (versions.at(-1) !== v)
		versions.push(v);
}

async function ask(path, versions, options)
{
	try {
		const r = await fetch(path, { cache: "no-store", ...options });
		said = await r.text();
		if (r.status !== 200)
			throw new Error(`${path}: ${r.status}`);
		note(versions, r.headers.get("x-version"));
		seen.answers++;
	} catch (e) {
		seen.failed.push(`${path}: ${e.message}`);
	}
}

function leaves()
{
	return said === "over" || (said === "again" && seen.loads === 1);
}

async function go_on(i)
{
	for (let n = 0; !leaves() && seen.failed.length < 20; n++) {
		await ask(`/mine?${i}-${n}`, seen.mine);
		await ask(`/mine?${i}-${n}`, seen.mine, { method: "POST",
			body: "x".repeat(3000) });
		await ask(`/stranger?${i}-${n}`, seen.strangers,
			{ credentials: "omit" });
	}
}

Promise.all([0, 1, 2, 3].map(go_on)).then(() => {
	if (said === "over") {
		fetch("/report", { method: "POST",
			body: JSON.stringify(seen) });
	} else {
		sessionStorage.setItem("seen", JSON.stringify(seen));
		location.reload();
	}
});
</script>
"""


class Pages:
    """What both versions answer, and what the page told in the end."""

    def __init__(self):
        self.say, self.report = b"on", None

    def __call__(self, conn):
        while (r := conn.request()) is not None:
            if r.target == "/page":
                conn.answer(PAGE, fields="Content-Type: text/html\r\n")
            elif r.target == "/report":
                self.report = json.loads(r.body)
                conn.answer(b"thanks")
            else:
                conn.answer(self.say)


def asked(instance, path):
    return sum(r.target.startswith(path) for r in instance.requests)


def more(instance, path, n=20):
    n += asked(instance, path)
    wait_until(lambda: asked(instance, path) >= n, 30, f"{path} at "
               f"{instance.version}", every=0.05)


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_page_lives_through_a_cutover(rig, protocol):
    ca, pages = Authority(rig), Pages()
    leaf = ca.leaf("localhost")
    v1, v2 = (rig.scripted(v, n, pages) for v, n in (("v1", "a"), ("v2", "b")))
    s = rig.segued(service(pool("v1", [v1], share="100%"), pool("v2", [v2])),
                   start=False)
    s.config["listeners"][0].update(http2=protocol == "h2",
                                    tls={"certificates": [leaf.row()]})
    s.write_config()
    s.start()
    child = chromium(rig, f"https://localhost:{s.port.number}/page", leaf.cert)
    more(v1, "/mine")
    s.do("switch", "v2")
    more(v2, "/stranger")
    assert s.admin.reload()[0] == 200
    more(v1, "/mine")
    assert asked(v2, "/mine") == 0, "the session moved"
    s.do("drain", "v1", "--mode", "move")
    more(v1, "/mine")
    assert asked(v2, "/mine") == 0, "a fetch is no safe point"
    pages.say = b"again"
    more(v2, "/mine")
    pages.say = b"over"
    seen = wait_until(lambda: pages.report, 30, "the page's report")
    child.kill()
    child.wait()
    print(seen["answers"], "answers")
    assert seen["failed"] == [] and seen["loads"] == 2
    assert asked(v1, "/page") == asked(v2, "/page") == 1
    assert seen["mine"] == ["v1", "v2"]
    assert list(seen["protocols"]) == [protocol]
    # those under way when the switch came may be heard a little later
    assert seen["strangers"][0] == "v1" and seen["strangers"][-1] == "v2"
