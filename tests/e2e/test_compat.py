"""segue compat: may two versions run side by side?  No daemon is asked."""
import json
import subprocess

import pytest

PERSISTENT = {"enabled": True, "version": 1, "updatePolicy": "SHUTDOWN"}


def metadata(version="26.6.1", hash_="a", **features):
    return {"keycloak": {"version": version},
            "database": {"db": "postgres", "unsupported-changeset-hash": hash_},
            "feature-compatibility": {k: json.dumps(v)
                                      for k, v in features.items()}}


@pytest.fixture
def compat(rig, tmp_path):
    def put(name, what):
        text = what if isinstance(what, str) else json.dumps(what)
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    def run(*words, old=None, new=None):
        files = []
        for name, what in (("old", old), ("new", new)):
            if what is not None:
                files += [f"--{name}", put(f"{name}.json", what)]
        return subprocess.run(
            [rig.program("src/segue/segue"), "compat", *words, *files],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=10, check=False, env=rig.sanitizer_env("compat"))
    run.put = put
    return run


def test_same(compat):
    r = compat("check", old=metadata(), new=metadata())
    assert (r.returncode, r.stdout, r.stderr) == (
        0, "rolling: they may run side by side\n", "")


def test_differences_are_told(compat):
    r = compat("check", old=metadata(s=PERSISTENT),
               new=metadata("26.6.2", "b"))
    assert r.returncode == 3 and r.stderr == ""
    lines = r.stdout.splitlines()
    assert lines[0].split() == [
        "PROVIDER", "ATTRIBUTE", "OLD", "NEW", "RULE", "ALLOWS"]
    assert lines[1].split() == [
        "database", "unsupported-changeset-hash", "a", "b", "value",
        "recreate"]
    assert lines[2].startswith("feature-compatibility  s ")
    assert lines[3].split() == [
        "keycloak", "version", "26.6.1", "26.6.2", "version", "rolling"]
    assert lines[-1].startswith("recreate: every old one must be gone")


def test_json(compat):
    r = compat("check", "--json", "--patch-rolling=off", old=metadata(),
               new=metadata("26.6.2"))
    assert r.returncode == 3
    assert json.loads(r.stdout) == {
        "verdict": "recreate", "exit": 3, "patches_roll": False,
        "differences": [{
            "provider": "keycloak", "attribute": "version", "old": "26.6.1",
            "new": "26.6.2", "rule": "version", "allows": "recreate"}]}


def test_switched_off(compat):
    r = compat("check", old=metadata(), new=metadata(
        **{"rolling-updates": {"enabled": False, "version": 1}}))
    assert r.returncode == 4 and "disabled: " in r.stdout


@pytest.mark.parametrize("old, why", [
    ('{"keycloak": {"version": "26', "old.json: line 1 column "),
    ("", "old.json: line 1 column 0"),
    ('{"feature-compatibility": {"f": "yes"}}',
     "old.json: feature-compatibility.f: line 1 column "),
    ("[1]", "old.json: an object of providers is expected"),
    pytest.param("x" * (1 << 21), "old.json: more than 1 MiB", id="too big"),
])
def test_damaged(compat, old, why):
    r = compat("check", old=old, new=metadata())
    assert r.returncode == 1 and why in r.stderr and r.stdout == "", r
    r = compat("check", "--json", old=old, new=metadata())
    assert r.returncode == 1 and why in json.loads(r.stdout)["message"]


def test_empty_is_no_answer(compat):
    r = compat("check", old={}, new={})
    assert r.returncode == 1 and "new.json: it has no keycloak" in r.stderr, r
    r = compat("check", old={}, new=metadata())
    assert r.returncode == 3 and "(absent)" in r.stdout, r


def test_no_file(compat):
    r = compat("check", "--old", "/nowhere/a.json", new=metadata())
    assert r.returncode == 1 and "/nowhere/a.json: " in r.stderr


@pytest.mark.parametrize("words", [
    ["check"], ["check", "--old", "a"], ["check", "--new", "a"],
    ["check", "a", "b"], ["check", "a", "--old", "a", "--new", "b"],
    ["show"], ["show", "a", "--old", "b"], ["shw", "a"], [],
    ["check", "--patch-rolling", "never", "--old", "a", "--new", "b"],
])
def test_wrong_usage(compat, words):
    r = compat(*words)
    assert r.returncode == 2 and r.stdout == "" and "segue: " in r.stderr, r


def test_show(compat):
    path = compat.put("a.json", metadata(s=PERSISTENT))
    r = compat("show", path)
    assert r.returncode == 0
    assert ["keycloak", "version", "26.6.1"] in [
        line.split() for line in r.stdout.splitlines()]
    assert ["s", "yes", "1", "SHUTDOWN"] in [
        line.split() for line in r.stdout.splitlines()]
    assert "{" not in r.stdout
    assert json.loads(compat("show", "--json", path).stdout) == {
        "database": {"db": "postgres", "unsupported-changeset-hash": "a"},
        "keycloak": {"version": "26.6.1"},
        "feature-compatibility": {"s": {
            "enabled": True, "version": 1, "policy": "SHUTDOWN"}}}


# ---- files that the vendor's check does not look into ----

def test_files(compat, tmp_path):
    """Never seen, seen, changed, gone."""
    one, two = compat.put("cache.xml", "<a/>"), compat.put("x.conf", "b=1")
    seen = str(tmp_path / "seen.json")
    words = ["files", f"{one},{two}", "--seen", seen]

    r = compat(*words)
    assert r.returncode == 5 and r.stderr == "", r
    assert [x.split()[-1] for x in r.stdout.splitlines()[1:3]] == ["before"] * 2
    r = compat(*words, "--record")
    assert (r.returncode, r.stdout) == (0, "2 files are recorded\n")
    r = compat(*words)
    assert r.returncode == 0 and r.stdout.endswith(
        "2 files are what they were\n"), r
    compat.put("cache.xml", "<b/>")
    r = compat(*words)
    assert r.returncode == 5, r
    assert [x.split()[-1] for x in r.stdout.splitlines()[1:3]] == [
        "changed", "same"], r
    assert r.stdout.endswith("1 of 2 files have changed, or were never seen\n")
    told = json.loads(compat(*words, "--json").stdout)
    assert told["exit"] == 5
    assert [x["standing"] for x in told["files"]] == ["changed", "same"]
    (tmp_path / "x.conf").unlink()
    r = compat(*words)
    assert (r.returncode, r.stdout) == (1, "") and \
        r.stderr == f"segue: {two}: does not exist\n", r


def test_a_file_named_twice(compat, tmp_path):
    one = compat.put("a", "1")
    words = ["files", f"{one},{one}", "--seen", str(tmp_path / "seen.json")]
    r = compat(*words, "--record", "--json")
    assert r.returncode == 0 and len(json.loads(r.stdout)["files"]) == 1, r
    assert compat(*words).returncode == 0


@pytest.mark.parametrize("words", [
    [], ["a"], ["a", "--record"], ["--seen", "x"], [",", "--seen", "x"],
    ["a", "--seen", "x", "--old", "y"]])
def test_files_wrong_usage(compat, words):
    r = compat("files", *words)
    assert r.returncode == 2, r


def test_files_that_are_damaged(compat):
    """What cannot be read says nothing about files."""
    path = compat.put("a", "1")
    for text in ("[]", "{", "garbage"):
        r = compat("files", path, "--seen", compat.put("seen", text))
        assert r.returncode == 1 and "it is not what --record wrote" in \
            r.stderr, r
