"""A wrong configuration: said in full, with its place; nothing half started."""
import os
import re
import socket

import pytest

from rig.segued import pool, service

# why, what takes the place of which text, what must be said
ROWS = [
    ("an unknown key names the nearest",
     ("workers: 1", "wrokers: 1"),
     [r"segue.yaml:1:1: wrokers: there is no such key; did you mean "
      r"workers\?"]),
    ("a wrong type", ("workers: 1", "workers: many"),
     [r":1:10: workers: many is not a whole number"]),
    ("out of its range", ("path: /health", "path: /health, rise: 1000"),
     [r"probe\.rise: 1000 is not in 1\.\.100"]),
    ("two services with one rule", ("name: two", "name: two, match: '*'"),
     [r"leads to services\[0\] already"]),
    ("two services of one name", ("name: two", "name: one"),
     [r"services\[1\]\.name: one"]),
    ("no pool", ("pools: [ { name: w1, instances: [ '127.0.0.1:1' ] } ]",
                 "via: on"),
     [r"services\[1\]\.pools: is missing"]),
    ("shares that do not add up", ("name: v1,", "name: v1, share: 30%,"),
     [r"share"]),
    ("all errors in one go",
     ("workers: 1", "wrokers: 1\nstop: { deadline: soon }"),
     [r":1:1: wrokers", r":2:19: stop\.deadline: soon is not"]),
    ("no YAML at all", ("workers: 1", "workers: ["),
     [r"segue.yaml:\d+:\d+: "]),
]

TEXT = """\
workers: 1
state_dir: {dir}/state
admin: {{ socket: {dir}/admin.sock }}
listeners: [ '{listen}' ]
services:
- {{ name: one, match: one.example.org, pools: [ {{ name: v1, instances: [ '127.0.0.1:1' ], probe: {{ path: /health }} }}, {{ name: v2, instances: [ '127.0.0.1:2' ] }} ] }}
- {{ name: two, match: two.example.org, pools: [ {{ name: w1, instances: [ '127.0.0.1:1' ] }} ] }}
"""


def write(s, change=None):
    text = TEXT.format(dir=s.dir, listen=s.address)
    if change is not None:
        assert change[0] in text
        if "match: '*'" in change[1]:
            text = text.replace("match: two.example.org, ", "") \
                .replace("match: one.example.org, ", "")
            change = ("name: two", "name: two, match: '*'")
        text = text.replace(*change, 1)
    s.write_config(text)


@pytest.mark.parametrize("why,change,said", ROWS, ids=[r[0] for r in ROWS])
def test_is_refused(rig, why, change, said):
    s = rig.segued(service(pool("v1", [])), start=False)
    write(s, change)
    for words in (["-t", "-c", s.config_path], ["-T", "-c", s.config_path],
                  ["-c", s.config_path]):
        done = s.run_to_end(*words)
        assert done.returncode == 1, (words, done)
        for pattern in said:
            assert re.search(pattern, done.stderr), (pattern, done.stderr)
        assert done.stdout == ""
    assert not os.path.exists(s.socket)
    assert os.listdir(f"{s.dir}/state") == []
    with socket.socket() as sock:
        assert sock.connect_ex((s.port.host, s.port.number)) != 0


def test_good_one_is_checked_and_dumped(rig):
    """-T prints what -t accepts and what means the same."""
    s = rig.segued(service(pool("v1", [])), start=False)
    write(s)
    assert s.run_to_end("-t", "-c", s.config_path).returncode == 0
    dump = s.run_to_end("-T", "-c", s.config_path)
    assert dump.returncode == 0 and "first_byte: 30s" in dump.stdout
    s.write_config(dump.stdout)
    again = s.run_to_end("-T", "-c", s.config_path)
    assert again.stdout == dump.stdout


@pytest.mark.parametrize("words", [
    ["--no-such-option"], ["-c"], ["word"], ["--listen", ":1"],
    ["--pool", "v1=127.0.0.1:1"],
    ["-c", "f", "--listen", ":1", "--pool", "v1=127.0.0.1:1"]],
    ids=" ".join)
def test_wrong_usage(rig, words):
    s = rig.segued(service(pool("v1", [])), start=False)
    done = s.run_to_end(*words)
    assert done.returncode == 2 and done.stderr != ""


def test_version_and_help(rig):
    s = rig.segued(service(pool("v1", [])), start=False)
    assert re.match(r"segued \d+\.\d+\.\d+\n", s.run_to_end("--version").stdout)
    done = s.run_to_end("--help")
    assert done.returncode == 0 and "--pool" in done.stdout
