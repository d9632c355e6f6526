"""HTTP/2 frame by frame: what the RFCs say of it comes true, and what is
against them never reaches an instance.

Each row is sent in clear and over TLS, whole and byte by byte; where the
connection lives on, a ping and a request behind it are answered.
"""
import itertools
import threading
import time

import pytest

from http2_rows import ROWS
from http2_rows.row import ANY
from rig import wait_until
from rig.certs import Authority
from rig.h2wire import H2
from rig.segued import pool, service


class Seen:
    """What an instance was asked; the last request of a connection, too."""

    def __init__(self):
        self.requests, self.lock = [], threading.Lock()

    def __call__(self, conn):
        while (r := conn.request()) is not None:
            with self.lock:
                self.requests.append(r)
            if r.field("upgrade") is not None:
                conn.switch(r)
                while conn.sock.recv(65536):
                    pass
                return conn.close()
            if r.target == "/slow":
                time.sleep(0.2)
            conn.answer(b"well", fields="X-Seen: yes\r\n")


@pytest.fixture(scope="module")
def site():
    from rig import Rig
    rig, seen = Rig(), Seen()
    try:
        a = rig.scripted("v1", "a", seen)
        s = rig.segued(service(pool("v1", [a], probe={
            "interval": "30s", "fast_interval": "30ms"}), match=[
                "web.example"], sticky={"scope": "none"}), start=False)
        ca, port = Authority(rig), rig.port()
        plain = s.config["listeners"][0]
        plain["limits"] = {"target": 500, "field": "12KiB", "head": "14KiB"}
        s.config["listeners"].append({
            **plain, "name": "tls", "address": port.address,
            "tls": {"certificates": [ca.leaf("web.example").row()]}})
        s.write_config()
        s.start()
        context = ca.trusting()
        context.set_alpn_protocols(["h2"])
        yield seen, {
            "h2c": lambda source: H2(s.address, source=source),
            "tls": lambda source: H2(
                port.address, source=source, wrap=lambda sock: (
                    context.wrap_socket(sock,
                                        server_hostname="web.example")))}
    except BaseException:
        rig.end(check=False)
        raise
    rig.end(check=True)
    rig.forget()


def send(c, row, bytewise):
    if not bytewise:
        c.send(row.send)
        return
    for i in range(len(row.send)):
        c.send(row.send[i:i + 1])


def check(c, row):
    if row.codes:
        assert c.end() in row.codes, c.frames
        return
    if row.status is not None:
        assert c.answer(row.stream) == row.status, c.frames
    elif row.resets:
        assert c.until(lambda: row.stream in c.resets), c.frames
        assert c.resets[row.stream] in row.resets, c.frames
    assert c.ping(), c.frames
    assert c.get(1001, "/after") == 200, c.frames


# Of what is long, whole is enough.
CASES = [pytest.param(over, row, bytewise, id=f"{over} {row.ref}: {row.why}" +
                      (", by bytes" if bytewise else ""))
         for over in ("h2c", "tls")
         for row in ROWS for bytewise in (False, True)
         if not bytewise or len(row.send) <= 4000]


# A request may come late, when the next row has begun: each has an address.
SOURCES = itertools.cycle(f"127.0.0.{n}" for n in range(2, 250))


@pytest.mark.parametrize("over, row, bytewise", CASES)
def test_row(site, over, row, bytewise):
    seen, connect = site
    source = next(SOURCES)
    seen.requests = [r for r in seen.requests
                     if r.field("x-forwarded-for") != source]
    with connect[over](source) as c:
        send(c, row, bytewise)
        check(c, row)

    def got():
        return [r for r in seen.requests if r.target != "/after" and
                r.field("x-forwarded-for") == source]

    if row.seen == ANY:
        return
    wait_until(lambda: len(got()) >= row.seen, what="the instance's part")
    assert len(got()) == row.seen, got()
