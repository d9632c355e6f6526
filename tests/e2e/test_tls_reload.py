"""Certificates change under a running daemon: at a reload, by themselves."""
import os
import ssl
import subprocess
import threading

import pytest

from rig import wait_until
from rig.certs import Authority, TlsClient, settles, tls_once
from rig.segued import pool, service
from rig.wire import once


@pytest.fixture
def ca(rig):
    return Authority(rig)


@pytest.fixture
def s(rig, ca):
    rig.a = rig.scripted("v1", "a")
    s = rig.segued(service(pool("v1", [rig.a], share="100%")), start=False)
    s.leaf = ca.leaf("localhost", "old.org", path=f"{ca.dir}/web")
    s.tls = {"certificates": [s.leaf.row()], "watch": False}
    s.config["listeners"][0]["tls"] = s.tls
    s.write_config()
    s.start()
    return s


def names(s, ca):
    with TlsClient(s.address, ca.trusting()) as c:
        return c.peer_names()


def reload(s):
    s.write_config()
    r = s.segue("reload", "--json")
    return r.code, r.json() if r.out else r.err


def test_new_content(s, ca):
    with TlsClient(s.address, ca.trusting()) as c:
        assert c.get().status == 200
        ca.leaf("localhost", "new.org", path=f"{ca.dir}/web")
        settles(lambda: names(s, ca) == ["localhost", "old.org"])
        code, r = reload(s)
        assert code == 0, r
        assert sorted(r["changed"]) == [
            f"listeners[web].tls.certificates[0].{f}: new content"
            for f in ("certificate", "key")], r
        assert r["restart"] == []
        settles(lambda: names(s, ca) == ["localhost", "new.org"])
        assert c.get().status == 200, "the old connection goes on"
        c.address = "old.org"
        assert c.get().status == 200, "with what it was told"
        c.address = "new.org"
        assert c.get().status == 421
    code, r = reload(s)
    assert code == 0 and r["changed"] == [], r


def test_more_certificates_and_off(s, ca):
    s.tls["certificates"].append(ca.leaf("more.org").row())
    assert reload(s)[0] == 0
    settles(lambda: tls_once(s.address, ca.trusting(),
                             host="more.org").status == 200)
    del s.config["listeners"][0]["tls"]
    assert reload(s)[0] == 0
    settles(lambda: once(s.address).status == 200)
    s.config["listeners"][0]["tls"] = s.tls
    assert reload(s)[0] == 0
    settles(lambda: tls_once(s.address, ca.trusting(),
                             host="more.org").status == 200)


FAULTS = {
    "mismatch": ("web.pem: the key is not that of the certificate",
                 lambda ca: os.rename(ca.leaf("x.org").key,
                                      f"{ca.dir}/web.key")),
    "expired": ("web.pem: it has expired",
                lambda ca: ca.leaf("localhost", path=f"{ca.dir}/web",
                                   days=-1)),
    "gone": ("web.key cannot be read: does not exist",
             lambda ca: os.unlink(f"{ca.dir}/web.key")),
    "garbage": ("web.pem: there is no certificate in it",
                lambda ca: open(f"{ca.dir}/web.pem", "w",
                                encoding="ascii").close()),
    "a FIFO": ("web.pem cannot be read: it is not a regular file",
               lambda ca: (os.unlink(f"{ca.dir}/web.pem"),
                           os.mkfifo(f"{ca.dir}/web.pem"))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_used(s, ca, fault):
    why, spoil = FAULTS[fault]
    spoil(ca)
    s.write_config()
    r = s.segue("reload")
    assert r.code == 1 and why in r.err + r.out, r
    assert "listeners[web].tls" in r.err + r.out
    settles(lambda: names(s, ca) == ["localhost", "old.org"])
    assert s.admin.metrics()["segue_reload_ok"] == 0
    # the same is an error at a start, and when only checked
    s.stop()
    r = subprocess.run(s.command("-t", "-c", s.config_path),
                       capture_output=True, text=True, check=False)
    assert r.returncode == 1 and why in r.stderr, r
    child = subprocess.run(s.command("-c", s.config_path),
                           capture_output=True, text=True, check=False,
                           timeout=20)
    assert child.returncode == 1 and why in child.stderr, child
    ca.leaf("localhost", path=f"{ca.dir}/web")
    s.start()
    settles(lambda: names(s, ca) == ["localhost"])


def test_settings_that_openssl_does_not_know(s, ca):
    s.tls["groups"] = "X25519:P-1"
    s.write_config()
    r = s.segue("reload")
    assert r.code == 1, r
    assert "listeners[web].tls.groups: X25519:P-1: " in r.err + r.out
    settles(lambda: names(s, ca) == ["localhost", "old.org"])


def test_changes_are_seen(rig, s, ca):
    s.tls["watch"] = True
    s.config["services"][0]["timeouts"] = {"first_byte": "7s"}
    assert reload(s)[0] == 0
    # what else is changed on disk waits for a reload
    s.config["services"][0]["timeouts"] = {"first_byte": "8s"}
    s.write_config()
    ca.leaf("localhost", "new.org", path=f"{ca.dir}/web")
    wait_until(lambda: names(s, ca) == ["localhost", "new.org"], 12)
    assert "first_byte: 7s" in s.admin.raw("GET", "/v1/config")[2]
    log = rig.text("segued/segue.log")
    assert "event=certificates_changed" in log
    assert 'what="listeners[web].tls.certificates[0].certificate: ' \
        'new content"' in log
    # a bad one is told once, and what runs stays; then it is mended
    ca.leaf("localhost", path=f"{ca.dir}/web", days=-1)
    wait_until(lambda: s.admin.metrics()["segue_reload_ok"] == 0, 12)
    settles(lambda: names(s, ca) == ["localhost", "new.org"])
    told = [e for e in s.admin.events() if e["type"] == "reload"][-1]
    assert "web.pem: it has expired" in told["text"], told
    ca.leaf("localhost", "third.org", path=f"{ca.dir}/web")
    wait_until(lambda: names(s, ca) == ["localhost", "third.org"], 12)
    assert s.admin.metrics()["segue_reload_ok"] == 1
    assert rig.text("segued/segue.log").count(
        'event=reload_refused what=') == 1


def test_after_a_crash_the_newest_are_there(rig, s, ca):
    ca.leaf("localhost", "new.org", path=f"{ca.dir}/web")
    assert reload(s)[0] == 0
    os.unlink(f"{ca.dir}/web.key")
    network = [p for p in rig.descendants(s.child.pid)][0]
    os.kill(network, 9)
    wait_until(lambda: network not in rig.descendants(s.child.pid))
    wait_until(s.is_up)
    settles(lambda: names(s, ca) == ["localhost", "new.org"])


def test_keys_are_nowhere_else(rig, s, ca):
    """Not in the state directory, not in what the daemon shows, not in the
    environment of its processes."""
    ca.leaf("localhost", "new.org", path=f"{ca.dir}/web")
    assert reload(s)[0] == 0
    with open(f"{ca.dir}/web.key", encoding="ascii") as f:
        secret = f.read().splitlines()[1]
    for root, _, files in os.walk(s.dir):
        for name in files:
            path = f"{root}/{name}"
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    assert secret.encode() not in f.read(), path
    assert secret not in s.admin.raw("GET", "/v1/config")[2]
    for pid in [s.child.pid, *rig.descendants(s.child.pid)]:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            assert "memfd" not in os.readlink(f"/proc/{pid}/fd/{fd}")


def test_no_handshake_fails_while_they_change(rig, s, ca):
    """30 reloads under handshakes: none fails, no kept connection breaks."""
    stop, failed, done = threading.Event(), [], [0, 0]

    def knock():
        context = ca.trusting()
        while not stop.is_set():
            try:
                assert tls_once(s.address, context).status == 200
                done[0] += 1
            except (OSError, AssertionError, ssl.SSLError) as e:
                failed.append(repr(e))

    def stay():
        try:
            with TlsClient(s.address, ca.trusting()) as c:
                while not stop.is_set():
                    assert c.get().status == 200
                    done[1] += 1
        except (OSError, AssertionError, ssl.SSLError) as e:
            failed.append(repr(e))

    threads = [threading.Thread(target=t)
               for t in (knock, knock, stay, stay)]
    for t in threads:
        t.start()
    try:
        for i in range(30):
            ca.leaf("localhost", f"n{i}.org", path=f"{ca.dir}/web")
            code, r = s.admin.reload()
            assert code == 200, r
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failed, failed[:5]
    assert min(done) > 30, done
    settles(lambda: names(s, ca) == ["localhost", "n29.org"])


# ---- tickets ----

def new_key(path, old=b""):
    with open(path + ".new", "wb") as f:
        f.write(os.urandom(80) + old)
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)


def resumes(s, ca, version, session=None, host="localhost"):
    """Whether that session is resumed, and the one that came of it."""
    v = getattr(ssl.TLSVersion, version)
    if session is None:
        resumes.context = ca.trusting(minimum_version=v, maximum_version=v)
    with TlsClient(s.address, resumes.context, host=host,
                   session=session) as c:
        assert c.get().status == 200  # tickets come before the answer
        return c.sock.session_reused, c.sock.session


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tickets(rig, s, ca, version):
    """A reload keeps our own key; a file goes over restarts, between proxies
    and over a change of keys."""
    _, kept = resumes(s, ca, version)
    ca.leaf("localhost", "new.org", path=f"{ca.dir}/web")
    assert reload(s)[0] == 0
    assert resumes(s, ca, version, kept)[0]
    s.stop()
    s.start()
    assert not resumes(s, ca, version, kept)[0], "its own key is gone"
    path = f"{ca.dir}/tickets"
    new_key(path)
    s.tls["tickets"] = {"file": path}
    assert reload(s)[0] == 0
    settles(lambda: resumes(s, ca, version, kept)[0] is False)
    _, kept = resumes(s, ca, version)
    assert resumes(s, ca, version, kept)[0]
    s.stop()
    s.start()
    assert resumes(s, ca, version, kept)[0], "after a restart"
    other = rig.segued(service(pool("v1", [rig.a], share="100%")),
                       name="other", start=False)
    other.config["listeners"][0]["tls"] = s.tls
    other.write_config()
    other.start()
    assert resumes(other, ca, version, kept)[0], "at another proxy"
    with open(path, "rb") as f:
        old = f.read()
    new_key(path, old)
    code, r = reload(s)
    assert code == 0 and r["changed"] == [
        "listeners[web].tls.tickets.file: new content"], r
    again, kept = resumes(s, ca, version, kept)
    assert again, "the old key opens, where it is the only one, too"
    new_key(path)
    assert reload(s)[0] == 0
    settles(lambda: not resumes(s, ca, version, kept)[0])
    text = s.admin.raw("GET", "/metrics")[2]
    label = version.replace("_", ".")
    assert f'segue_tls_resumed_total{{version="{label}"}} 0' not in text


def test_tickets_off(s, ca):
    s.tls["tickets"] = "off"
    assert reload(s)[0] == 0
    settles(lambda: not resumes(s, ca, "TLSv1_2")[1].has_ticket)
    _, kept = resumes(s, ca, "TLSv1_2")
    assert not resumes(s, ca, "TLSv1_2", kept)[0]


def test_ticket_file_of_a_wrong_size(s, ca):
    path = f"{ca.dir}/tickets"
    with open(path, "wb") as f:
        f.write(b"x" * 79)
    s.tls["tickets"] = {"file": path}
    s.write_config()
    r = s.segue("reload")
    assert r.code == 1 and "1 to 16 keys of 80 bytes" in r.err + r.out
    settles(lambda: names(s, ca) == ["localhost", "old.org"])


# ---- OCSP ----

def stapled(s):
    """What openssl(1) is told of the certificate; None: nothing."""
    r = subprocess.run(
        ["openssl", "s_client", "-connect", s.address, "-status",
         "-servername", "localhost"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=20)
    if "OCSP response: no response sent" in r.stdout:
        return None
    assert "OCSP Response Status: successful" in r.stdout, r.stdout
    assert "Cert Status: good" in r.stdout
    return r.stdout.split("OCSP Response Data:")[1].split("======")[0]


def test_ocsp(rig, s, ca):
    """Stapled where there is one; a new one is seen; a wrong one is refused."""
    assert stapled(s) is None
    path = ca.ocsp(s.leaf, f"{ca.dir}/web.ocsp")
    s.tls["certificates"][0]["ocsp"] = path
    s.tls["watch"] = True
    assert reload(s)[0] == 0
    settles(lambda: stapled(s) is not None)
    first = stapled(s)
    assert names(s, ca) == ["localhost", "old.org"]
    key = 'segue_tls_staples_total{state="stapled"}'
    assert s.admin.metrics()[key] > 0
    assert s.admin.metrics()[key.replace("stapled", "overdue")] == 0
    ca.ocsp(s.leaf, path)
    wait_until(lambda: stapled(s) != first, 12)
    assert "ocsp: new content" in rig.text("segued/segue.log")
    s.tls["watch"] = False
    assert reload(s)[0] == 0
    for spoil, why in (
            (lambda: ca.ocsp(ca.leaf("localhost"), path),
             "it is not about this certificate"),
            (lambda: ca.ocsp(s.leaf, path, revoked=True),
             "it says that the certificate was revoked"),
            (lambda: open(path, "w", encoding="ascii").close(),
             "it is no response of OCSP in DER")):
        spoil()
        r = s.segue("reload")
        assert r.code == 1, r
        assert f"listeners[web].tls.certificates[0].ocsp: {path}: {why}" in \
            r.err + r.out
    settles(lambda: stapled(s) is not None)
