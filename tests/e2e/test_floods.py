"""Floods beside clients that behave: these are served, each flood ends with
the code and the reason that fit it, and memory is bounded and comes back."""
import contextlib
import itertools
import socket
import subprocess
import threading
import time

import pytest

from rig import sessions, wait_until
from rig.certs import Authority
from rig.h2wire import (CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, H2,
                        HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
                        WINDOW_UPDATE, block, frame, headers, request,
                        setting)
from rig.segued import pool, service
from rig.watch import Steady, Watch

ATTACKERS = 4
SECONDS = 1
STREAMS = 100  # of a connection, limits.streams


class Beside:
    """segued in clear and over TLS, clients of each protocol that behave,
    and what is watched meanwhile."""

    def __init__(self, rig):
        ca, secure = Authority(rig), rig.port()
        s = self.s = rig.segued(service(
            pool("v1", [rig.nginx("v1", n) for n in ("a1", "a2")])),
            start=False)
        timeouts = {"handshake": "1s", "head": "1s", "write": "1s"}
        s.config["listeners"][0]["timeouts"] = timeouts
        s.config["listeners"].append({
            "name": "tls", "address": secure.address, "timeouts": timeouts,
            "tls": {"certificates": [ca.leaf("localhost").row()]}})
        s.write_config()
        s.start()
        self.tls = secure.address
        self.watch = Watch(s)
        self.good = [Steady(None, connect=sessions.of(where, kind, ca))
                     for kind, where in (("h1", s.address), ("h2", self.tls))]
        for g in self.good:
            wait_until(lambda g=g: g.served > 2)

    def ended(self, reason):
        return self.s.admin.metrics()[
            f'segue_http2_ended_total{{reason="{reason}"}}']

    def flood(self, attack, **bound):
        """Attackers go on for a while, each of their connections to its end;
        how many connections that were."""
        until, n, wrong = time.monotonic() + SECONDS, itertools.count(), []

        def go_on():
            try:
                while time.monotonic() < until:
                    attack()
                    next(n)
            except AssertionError as e:
                wrong.append(e)

        threads = [threading.Thread(target=go_on) for _ in range(ATTACKERS)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            self.watch.check_bound(**bound)
            time.sleep(0.05)
        assert not wrong, wrong[:3]
        return next(n)

    def check(self):
        """The clients noticed nothing, and nothing is left of the flood."""
        for g in self.good:
            g.check()
        self.watch.check_back()


@pytest.fixture
def beside(rig):
    return Beside(rig)


# ---- HTTP/2 ----

def unended(n, part):
    """A head that does not end; n: how often it has been asked for."""
    return frame(CONTINUATION, 0, 1, part) if n > 1 else \
        frame(HEADERS, END_STREAM, 1, block(request())) + unended(2, part)


# The reason that is counted, and what is sent; n is 1, 3, 5 ...
FLOODS = {
    "resets": ("resets", lambda n: headers(n, request("/slow/5")) +
               frame(RST_STREAM, 0, n, b"\0\0\0\x08")),
    "pings": ("pings", lambda n: frame(PING, 0, 0, b"12345678") * 20),
    "settings": ("settings", lambda n: frame(
        SETTINGS, 0, 0, setting(3, n)) * 20),
    "empty DATA": ("empty_frames", lambda n: (
        headers(n, request("/post", "POST"), END_HEADERS) if n == 1
        else frame(DATA, 0, 1))),
    "window updates": ("window_updates", lambda n: frame(
        WINDOW_UPDATE, 0, 0, b"\0\0\0\x01") * 20),
    "priorities": ("priorities", lambda n: frame(
        PRIORITY, 0, n, b"\0\0\0\0\x10") * 20),
    "empty CONTINUATION": ("continuations", lambda n: unended(n, b"")),
    "full CONTINUATION": ("continuations", lambda n: unended(
        n, block([("x", "y" * 10000)]))),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_http2(beside, kind):
    reason, part = FLOODS[kind]

    def attack():
        with H2(beside.s.address, timeout=30) as c:
            for n in range(1, 40001, 2):
                c.send(part(n))
                if n % 101 == 0 and "CONT" not in kind and \
                        not c.ping(b"%08d" % n):
                    break
            assert c.end() == CALM, c.frames[-3:]

    n = beside.flood(attack, clients=2 * ATTACKERS, h2=2 * ATTACKERS,
                     exchanges=ATTACKERS * STREAMS,
                     slabs=ATTACKERS * STREAMS * 2)
    print(n, "connections")
    assert n >= ATTACKERS
    assert beside.ended(reason) >= ATTACKERS
    assert beside.s.log_has(rf"event=http2_ended .* why={reason}")
    beside.check()


@pytest.mark.parametrize("kind", ["pings", "settings"])
def test_http2_answers_that_nobody_reads(beside, kind):
    """They are not kept without a bound."""
    def attack():
        with H2(beside.s.address, timeout=30) as c:
            for n in range(1, 2001, 2):
                c.send(FLOODS[kind][1](n))
            assert c.end() == CALM

    beside.flood(attack, clients=2 * ATTACKERS, h2=2 * ATTACKERS)
    beside.check()


# A window of nothing for each stream, or for all of them.
WINDOWS = {"of streams": setting(4, 0), "of the connection": b""}


@pytest.mark.parametrize("which", WINDOWS)
def test_http2_dead_windows(beside, which):
    """Each stream has its time to write; then it is reset."""
    resets = []

    def attack():
        with H2(beside.s.address, timeout=30, settings=WINDOWS[which]) as c:
            wanted = range(1, 2 * STREAMS, 2)
            c.send(b"".join(headers(n, request("/big")) for n in wanted))
            c.until(lambda: len(c.resets) == STREAMS)
            resets.append(len(c.resets))

    beside.flood(attack, clients=2 * ATTACKERS, h2=2 * ATTACKERS,
                 exchanges=ATTACKERS * STREAMS,
                 slabs=ATTACKERS * STREAMS * 2, large=ATTACKERS * STREAMS)
    assert set(resets) == {STREAMS}
    outcomes = beside.s.admin.status()["services"][0]["outcomes"]
    assert outcomes["client_timeout"] == STREAMS * len(resets), outcomes
    beside.check()


# ---- TLS ----

def raw(address):
    host, port = address.rsplit(":", 1)
    return contextlib.closing(socket.create_connection((host, int(port)), 30))


def to_end(sock):
    """Reads until the peer is done with us, one way or the other."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def stall(address):
    """Fifty that begin and do not go on."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(raw(address)) for _ in range(50)]
        for sock in socks:
            sock.sendall(HELLO)
        for sock in socks:
            to_end(sock)


def send(data):
    def attack(address):
        with raw(address) as sock:
            try:
                sock.sendall(data)
            except ConnectionError:
                pass
            to_end(sock)
    return attack


def s_client(letter, *more):
    """openssl s_client reads a command a line: R renegotiates, K asks for
    new keys."""
    def attack(address):
        subprocess.run(
            ["openssl", "s_client", *more, "-connect", address, "-servername",
             "localhost"], input=letter * 200, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False, timeout=30)
    return attack


# What one attacker does, and what it counts as: None, it is no failure.
TLS = {
    "stalls": (stall, "timeout"),
    "garbage": (send(bytes(range(1, 250)) * 40), "garbage"),
    "a hello that lies": (send(HELLO + b"\xff" * 600), "protocol"),
    "nothing": (lambda address: raw(address).__enter__().close(), "closed"),
    "renegotiation": (s_client(b"R\n", "-tls1_2"), None),
    "new keys": (s_client(b"K\n", "-tls1_3"), None),
}


@pytest.mark.parametrize("kind", TLS)
def test_tls(beside, kind):
    attack, reason = TLS[kind]
    n = beside.flood(lambda: attack(beside.tls), clients=ATTACKERS * 60,
                     tls=ATTACKERS * 60, shaking=ATTACKERS * 60,
                     exchanges=2 * ATTACKERS)
    print(n, "times")
    assert n >= ATTACKERS
    if reason is not None:
        wait_until(lambda: sum(
            v for k, v in beside.s.admin.metrics().items()
            if k.startswith("segue_tls_") and f'"{reason}"' in k)
            >= n, what=f"{n} of {reason}")
    beside.check()
