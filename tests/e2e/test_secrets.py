"""Passwords, keys, cookies, codes and tokens are in no log, key or dump."""
import html
import json
import os
import secrets
import socket
import threading
from urllib.parse import quote

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient
from rig.redis import Redis, encode, read_reply
from rig.segued import pool, service
from rig.wire import Client, once
from test_artifacts import FORM, Op, flow, state_of
from test_cluster import are_together
from test_rollout import DRAIN, wait_stand
from test_rollout_jobs import job, lines
from test_store import login, redeem, store

pytestmark = pytest.mark.alone

# Pools have these names: what is looked through has one of them, or else it
# was not looked through.
OLD, NEW = "p" + secrets.token_hex(8), "p" + secrets.token_hex(8)


class Secrets:
    """What was made up, and where it is, by name."""

    def __init__(self):
        self.known = {}

    def new(self, name):
        return self.note(name, f"{name}/{secrets.token_urlsafe(18)}+")

    def note(self, name, value):
        self.known[value] = name
        return value

    def found_in(self, text):
        """Their names, however they are written."""
        return {name for value, name in self.known.items()
                if any(form in text for form in (
                    value, quote(value), quote(value, safe=""),
                    html.escape(value), json.dumps(value)[1:-1]))}


class Overheard(threading.Thread):
    """All that a Redis says after a command that goes on."""

    def __init__(self, redis, *words):
        super().__init__(daemon=True)
        self.text = ""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(redis.socket)
        self.file = self.sock.makefile("rb")
        for w in (["AUTH", redis.password], words):
            self.sock.sendall(encode(w))
            read_reply(self.file)
        self.start()

    def run(self):
        for line in self.file:
            self.text += line.decode("utf-8", "replace")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


READ = {"string": ["GET"], "hash": ["HGETALL"], "set": ["SMEMBERS"],
        "zset": ["ZRANGE", "0", "-1", "WITHSCORES"],
        "list": ["LRANGE", "0", "-1"], "stream": ["XRANGE", "-", "+"]}


def kept_by(redis):
    """All keys and what they hold."""
    out = []
    for key in redis.keys():
        verb, *more = READ[redis.do("TYPE", key)]
        out += [key, str(redis.do(verb, key, *more))]
    return "\n".join(out)


class Site:
    """Two proxies of a cluster, and one that is by itself, with all secrets
    that a configuration may have or lead to."""

    def __init__(self, rig):
        self.rig, self.s, self.said = rig, Secrets(), ""
        self.redis = Redis(rig, "redis", "--slowlog-log-slower-than", "0",
                           "--slowlog-max-len", "100000",
                           password=self.s.new("redis"))
        self.heard = {"channels": Overheard(self.redis, "PSUBSCRIBE", "*"),
                      "monitor": Overheard(self.redis, "MONITOR")}
        self.ca = Authority(rig)
        self.leaf = self.ca.leaf("localhost")
        self.files = [self.file("password", self.redis.password + "\n"),
                      self.file("keys", f"7 {secrets.token_hex(32)}\n"),
                      self.leaf.key]
        for line in rig.text("keys").split()[1:]:
            self.s.note("key ring", line)
        with open(self.leaf.key, encoding="ascii") as f:
            for line in f.read().splitlines()[1:-1]:
                self.s.note("TLS key", line)
        self.ops = [Op(OLD), Op(NEW)]
        self.a = rig.scripted(OLD, "a", self.ops[0])
        self.b = rig.scripted(NEW, "b", self.ops[1])
        shared = {"type": "redis", "address": self.redis.address,
                  "password_file": self.files[0]}
        self.p = [self.add(f"p{i}", shared,
                           cluster={"name": "sso", "member": f"p{i}"})
                  for i in range(2)]
        wait_until(lambda: are_together(self.p) and all(
            store(x)["state"] == "up" for x in self.p), 10, "a cluster")
        self.all = [*self.p, self.add("alone", "memory", access_log={
            "format": "combined"})]

    def file(self, name, text):
        path = f"{self.rig.dir}/{name}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="ascii") as f:
            f.write(text)
        return path

    def add(self, name, where, **more):
        tls = self.rig.port()
        s = self.rig.segued(self.service(), name=name, key_file=self.files[1],
                            log={"level": "debug"}, store=where,
                            admin={"mode": "0600"}, start=False, **more)
        s.tls = tls.address
        s.config["listeners"].append({
            "name": "tls", "address": tls.address,
            "tls": {"certificates": [self.leaf.row()]}})
        s.write_config()
        s.start()
        self.files.append(s.config_path)
        return s

    def service(self):
        probe = {"headers": {"Authorization": self.s.new("probe")}}
        work = job(self.rig, 'test -n "$PASSWORD" && echo well | tee -a ran',
                   env=["PASSWORD=" + self.s.new("job")])
        return service(
            pool(OLD, [self.a], share="50%", probe=probe),
            pool(NEW, [self.b], share="50%", probe=probe), drain=DRAIN,
            share_key="request", shared_state="none",
            headers={"request": [{"set": "X-Gate",
                                  "value": self.s.new("field")}]},
            rollout={"jobs": [work], "steps": [
                "ready", {"step": "job", "job": "work"}, "promote"]})

    # ---- what happens ----

    def logins(self):
        """Flows, over two proxies and at one; and by way of another server."""
        for _ in range(5):
            code, _ = login(self.p[0])
            assert redeem(self.p[1], code).status == 200
            for s in self.all:
                assert flow(s) is None
        for name in ("state", "RelayState"):
            with Client(self.p[0].address) as c:
                state = state_of(c.get(f"/broker?name={name}"))
            with Client(self.p[1].address) as c:
                theirs = quote(self.s.new("code"))
                assert c.get(f"/endpoint?code={theirs}&{state}").status == 200
            with Client(self.p[1].address) as c:
                assert c.post("/endpoint", state.encode(),
                              fields=FORM).status == 200

    def users(self):
        """Cookies of the application and of ours, passwords, credentials."""
        for s in self.all:
            with Client(s.address) as c:
                for _ in range(2):
                    c.cookies["SESSION"] = self.s.new("cookie")
                    a = c.get(f"/get?pool={OLD}&access_token="
                              f"{quote(self.s.new('url'))}",
                              fields="Authorization: Basic "
                              f"{self.s.new('basic')}\r\nReferer: https://x/"
                              f"?code={quote(self.s.new('referer'))}\r\n")
                    assert a.status == 200
                a = c.post("/endpoint", f"password={self.s.new('form')}"
                           .encode(), fields=FORM)
                self.note_pin(c)
            with TlsClient(s.tls, self.ca.trusting()) as c:
                assert c.get().status == 200
                self.note_pin(c)

    def note_pin(self, client):
        self.s.note("pin", next(v for k, v in client.cookies.items()
                                if k.endswith("segue")))

    def strangers(self):
        """What is refused, and told why."""
        for s in self.all:
            for text in (
                    f"GET /get?code={self.s.new('bad')} HTTP/1.1\r\nHost: x"
                    f"\r\nCookie : SESSION={self.s.new('bad')}\r\n\r\n",
                    f"GET /get HTTP/1.1\r\nHost: x\r\nAuthorization: "
                    f"{self.s.new('bad')}\0\r\n\r\n",
                    f"POST /token HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length"
                    f": 5\r\nTransfer-Encoding: chunked\r\n\r\ncode="
                    f"{self.s.new('bad')}"):
                with Client(s.address) as c:
                    c.send(text.encode())
                    c.method = "GET"
                    a = c.answer()
                    assert a.status == 400
                    self.said += str(a.head + a.body)
            pin = f"v1.{self.s.new('bad')}"
            assert once(s.address, cookies={"segue": pin}).status == 200

    def operators(self):
        """Orders, a rollout, and mistakes in what they write."""
        self.s.note("pin", self.p[0].do(
            "pin", NEW, "--json").json()["value"])
        for s in self.all:
            key = s.do("sessions", "list", "--json").json()[
                "sessions"][0]["key"]
            s.do("sessions", "move", key)
        for s in (self.p[1], self.all[2]):
            s.do("rollout", "start", "--to", NEW)
            wait_stand(s, "done")
        assert lines(self.rig, "ran") == ["well"] * 2
        for s in self.all:
            self.mistakes(s)
            s.config["services"] = [self.service()]
            s.write_config()
            self.said += s.do("reload").out
            assert f"pools[{OLD}].probe.headers: " in self.said

    def mistakes(self, s):
        of, good = self.s.new, json.dumps(s.config)
        for wrong in (
                {"store": {"password": of("wrong")}},
                {"store": {"type": "redis", "address":
                           f"redis://:{of('wrong')}@127.0.0.1:1"}},
                {"key_file": self.file("ring", f"7 {of('wrong')}\n")},
                {"services": [service(
                    pool(OLD, [self.a], probe={"headers": {
                        "Cookie": of("wrong") + "\n"}}),
                    headers={"request": [{"set": "Cookie", "value":
                                          of("wrong") + " "}]},
                    rollout={"jobs": [job(self.rig, "", "bad", env=[
                        of("wrong")])]})]}):
            s.write_config(json.dumps({**s.config, **wrong}))
            self.refused(s)
        s.write_config(good[:-1] + f', "x": [{json.dumps(of("wrong"))} }}')
        self.refused(s)
        self.files.append(f"{self.rig.dir}/ring")

    def refused(self, s):
        for how in ([], ["--json"]):
            r = s.segue("reload", *how)
            assert r.code != 0
            self.said += r.out + r.err
        r = s.run_to_end("-t", "-c", s.config_path)
        self.said += r.stdout + r.stderr

    # ---- where it is looked for ----

    def places(self):
        """[(name, text)]"""
        for name, thread in self.heard.items():
            yield name, thread.text
        yield "answers", self.said
        yield "keys of Redis", kept_by(self.redis)
        yield "slow log", str(self.redis.do("SLOWLOG", "GET", "-1"))
        for s in self.all:
            for page in ("status", "config", "sessions", "events?follow=0"):
                yield page, s.admin.raw("GET", f"/v1/{page}")[2]
            yield "metrics", s.admin.raw("GET", "/metrics")[2]
            for words in (["status"], ["sessions", "list"], ["events"],
                          ["config"], ["plan", "--to", NEW],
                          ["rollout", "status"], ["rollout", "report"],
                          ["rollout", "page"], ["rollout", "history"]):
                for more in ([], ["--json"]):
                    r = s.segue(*words, *more)
                    yield " ".join(words + more), r.out + r.err

    def written(self):
        """The same of all files but those where secrets belong."""
        for root, _, names in os.walk(self.rig.dir):
            for name in names:
                path = f"{root}/{name}"
                if path not in self.files and os.path.isfile(path):
                    yield os.path.relpath(path, self.rig.dir), read(path)


LOGS = [f"{s}/{f}" for s in ("p0", "p1", "alone") for f in
        ("segue.log", "access.log", "state/state.json")] + [
            "alone/state/store"]


def test_no_secret_leaves(rig):
    site = Site(rig)
    site.logins()
    site.users()
    site.strangers()
    site.operators()
    issued = {**site.ops[0].known, **site.ops[1].known}
    assert len(issued) > 80
    for value, name in issued.items():
        site.s.note(name, value)
    for s in site.all:
        wait_until(lambda s=s: rig.text(f"{s.name}/access.log").count(
            "\n") >= 30, 3, "lines of its access log")
    found, looked = {}, []
    for name, text in site.places():
        assert OLD in text or NEW in text, (name, text)
        found[name] = found.get(name, set()) | site.s.found_in(text)
    for s in site.all:
        s.stop()
    for name, text in site.written():
        looked += [name] if OLD in text or NEW in text else []
        found[name] = site.s.found_in(text)
    assert set(LOGS) <= set(looked), looked
    assert not {k: v for k, v in found.items() if v}
    print(f"{len(site.s.known)} secrets, {len(found)} places")
    for path in site.files:  # where they are: this finds them
        assert site.s.found_in(read(path)), path
