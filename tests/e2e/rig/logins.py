"""logins - people who log in to an application by rig.glewlwyd, use it and
log out.

A flow begins with no cookies: discovery; authorize, which sends him to log
in; name and password; his consent; the code (PKCE); the application, which
runs in the browser, redeems it, checks the ID token with the keys, asks for the
user, refreshes twice; then logout, and a look whether he is logged out.
"""
import base64
import collections
import hashlib
import json
import random
import secrets
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from rig.glewlwyd import APP, DISCOVERY, ROOT, SCOPES
from rig.jwt import claims
from rig.rig import wait_until
from rig.wire import Client

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
JSON = "Content-Type: application/json\r\n"
SAMPLES = 8
NOBODY = "nobody"  # of the two: Segue has answered in their place


class Late(Exception):
    """He was not heard of for so long that his session has ended."""


class Flow:
    """One login of one of the people, by a connection of its own."""

    def __init__(self, people, name, address=None):
        self.people, self.name = people, name
        self.client = Client(address or people.address, timeout=60)
        self.version, self.asked, self.step = None, float("inf"), "begin"
        self.is_since = people.marked
        self.at = self.tokens = self.hint = None
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.wish = {
            "client_id": "app", "response_type": "code", "scope": SCOPES,
            "redirect_uri": f"{APP}/in", "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge_method": "S256", "code_challenge":
            base64.urlsafe_b64encode(digest).decode().rstrip("=")}

    # ---- what he asks ----

    def visit(self, step, method, url, body=None, fields="", status=200):
        before, self.asked, self.step = self.asked, time.monotonic(), step
        if self.asked - before > self.people.idle_s:
            raise Late
        assert url.startswith(self.people.url), f"sent to {url}"
        self.client.ask(url[len(self.people.url):], method,
                        body and body.encode(), fields)
        a = self.client.answer()
        version = a.field("access-control-allow-origin") or NOBODY
        self.people.answered(self, version)
        self.version = version
        assert a.status == status, \
            f"status {a.status} by {version}: {a.body[:300]}"
        return a

    def call(self, step, endpoint, form=None, fields=""):
        """What the application asks: a value of JSON."""
        a = self.visit(step, "POST" if form else "GET", self.at[endpoint],
                       form and urlencode(form), form and FORM or fields)
        return json.loads(a.body)

    def sent(self, step, endpoint, to, **query):
        """Where a redirection leads: what its query says."""
        a = self.visit(step, "GET", f"{self.at[endpoint]}?{urlencode(query)}",
                       status=302)
        where = a.field("location")
        assert where.startswith(to + "?"), f"sent to {where}, not to {to}"
        return {k: v[0] for k, v in parse_qs(urlsplit(where).query,
                                             keep_blank_values=True).items()}

    def is_page(self, said, **expected):
        assert said.items() >= expected.items(), \
            f"the page is asked for {said}"

    # ---- what a flow is made of ----

    def login(self):
        """The code that he brings back to the application."""
        page = f"{self.people.url}/login.html"
        a = self.visit("discovery", "GET", self.people.url + DISCOVERY)
        self.at = json.loads(a.body)
        assert self.at["issuer"] == self.people.url + ROOT, self.at
        self.is_page(self.sent("authorize", "authorization_endpoint", page,
                               **self.wish), client_id="app", scope=SCOPES)
        self.people.think()
        self.visit("login", "POST", f"{self.people.url}/api/auth/", json.dumps(
            {"username": self.name, "password": f"{self.name}'s secret"}),
                   JSON)
        self.people.think()
        self.visit("consent", "PUT", f"{self.people.url}/api/auth/grant/app",
                   json.dumps({"scope": SCOPES}), JSON)
        said = self.sent("code", "authorization_endpoint", f"{APP}/in",
                         **self.wish, g_continue="")
        assert said.get("state") == self.wish["state"], said
        assert said.get("code"), said
        return said["code"]

    def redeem(self, code):
        self.tokens = self.call("token", "token_endpoint", {
            "grant_type": "authorization_code", "client_id": "app",
            "redirect_uri": f"{APP}/in", "code": code,
            "code_verifier": self.verifier})
        self.hint = self.tokens["id_token"]
        said = claims(self.hint, self.call("jwks", "jwks_uri")["keys"])
        for claim, value in (("iss", self.at["issuer"]), ("aud", "app"),
                             ("nonce", self.wish["nonce"])):
            assert said[claim] == value, f"{claim} is {said[claim]}"
        self.people.check_subject(self.name, said["sub"])

    def look(self):
        """Who he is, as the application sees it."""
        bearer = f"Authorization: Bearer {self.tokens['access_token']}\r\n"
        said = self.call("userinfo", "userinfo_endpoint", fields=bearer)
        self.people.check_subject(self.name, said["sub"])
        assert said["email"] == f"{self.name}@users.example", said
        return True

    def refresh(self):
        old = self.tokens["refresh_token"]
        self.tokens = self.call("refresh", "token_endpoint", {
            "grant_type": "refresh_token", "client_id": "app",
            "refresh_token": old})
        assert self.tokens["refresh_token"] != old, "the same token again"

    def logout(self):
        self.is_page(self.sent(
            "logout", "end_session_endpoint", f"{self.people.url}/login.html",
            id_token_hint=self.hint), prompt="end_session", client_id="app")
        self.people.think()
        self.visit("leave", "DELETE", f"{self.people.url}/api/auth/")
        said = self.sent("logged out", "authorization_endpoint", f"{APP}/in",
                         **self.wish, prompt="none")
        assert said.get("error") == "interaction_required", \
            f"he is still logged in: {said}"

    def live(self):
        self.redeem(self.login())
        self.look()
        for _ in range(2):
            self.people.think()
            self.refresh()
        self.look()
        self.people.think()
        self.logout()


class People:
    """url: the server as they know it.  What they report:

    begun, ended, failed, late, reasons; bounces: answers by another version
    than the one before, within a flow, some of them in bounced; flows and
    answers: how many of each version; since: flows that began after mark(),
    by the version of their first answer.
    """

    def __init__(self, url, address, names):
        self.url, self.address, self.names = url, address, names
        self.idle_s, self.think_s = float("inf"), 0
        self.subjects = {}
        self.marked, self.stopping = False, threading.Event()
        self.lock, self.threads = threading.Lock(), []
        self.n = collections.Counter()
        self.reasons, self.bounced = [], []
        self.by = {k: collections.Counter()
                   for k in ("flows", "answers", "since")}

    def begin(self, idle_s, think_s=0.05):
        """Again and again; idle_s: who is silent so long in the middle of a
        flow cannot go on with it."""
        self.idle_s, self.think_s = idle_s, think_s
        self.threads = [threading.Thread(target=self.live, args=(name,))
                        for name in self.names]
        for t in self.threads:
            t.start()

    def close(self):
        self.stopping.set()
        for t in self.threads:
            t.join()

    def live(self, name):
        while not self.stopping.is_set():
            self.think()
            self.one(name)

    def one(self, name, address=None):
        """A flow from its begin to its end."""
        self.count("begun")
        flow = None
        try:
            flow = Flow(self, name, address)
            flow.live()
            self.count("ended")
        except Late:
            self.count("late")
        except Exception as e:  # whatever it is, he could not go on
            self.count("failed")
            if len(self.reasons) < SAMPLES:
                self.reasons.append(
                    f"{name}, {flow.step if flow else 'connect'}: {e!r}")
        else:
            self.count_by("flows", flow.version)
        if flow is not None:
            flow.client.close()

    def think(self):
        """As long as people take, each time another while."""
        time.sleep(self.think_s * random.uniform(0.5, 1.5))

    # ---- what they see ----

    def count(self, what):
        with self.lock:
            self.n[what] += 1

    def count_by(self, what, version):
        with self.lock:
            self.by[what][version] += 1

    def answered(self, flow, version):
        self.count_by("answers", version)
        if flow.version is None and flow.is_since:
            self.count_by("since", version)
        if version != NOBODY and flow.version not in (None, version):
            self.count("bounces")
            if len(self.bounced) < SAMPLES:
                self.bounced.append(f"{flow.name}, {flow.step}: from "
                                    f"{flow.version} to {version}")

    def check_subject(self, name, subject):
        """Who he is does not change."""
        with self.lock:
            known = self.subjects.setdefault(name, subject)
        assert subject == known, f"{name} is {subject} and was {known}"

    def mark(self):
        self.marked = True

    def report(self):
        with self.lock:
            return {**{k: self.n[k] for k in (
                "begun", "ended", "failed", "late", "bounces")},
                    **{k: dict(v) for k, v in self.by.items()},
                    "reasons": list(self.reasons),
                    "bounced": list(self.bounced)}

    def stop(self):
        """The last report, once all flows have ended."""
        self.close()
        return self.report()

    def wait(self, true, what):
        """Until what they report is so."""
        wait_until(lambda: true(self.report()), 90, what, every=0.05)

    def wait_flows(self, more):
        """Until so many more have ended well, or one has not."""
        n = self.report()["ended"] + more
        self.wait(lambda r: r["failed"] > 0 or r["ended"] >= n, f"flow {n}")
        seen = self.report()
        assert seen["failed"] == 0, seen["reasons"]
