#!/usr/bin/python3
"""systemctl.py - starts and stops the stand-ins of identity servers by the
names of units:

  systemctl.py UNITS start|stop|restart UNIT...

UNITS is a file of JSON: {unit: {"words": [program, ...], "address":
"host:port", "ready": "http://..." or null, "log": file}}.  start waits until
somebody listens there and, where "ready" says so, until that is answered 200,
as a unit of Type=notify would; stop until the process is gone.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def is_listening(address):
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
        return True
    except OSError:
        return False


def is_ready(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as r:
            return r.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until(true, what, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"systemctl.py: {what} did not come")
        time.sleep(0.02)


def pid_of(unit, directory):
    try:
        with open(f"{directory}/{unit}.pid", encoding="ascii") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return pid if f.read() else None
    except (OSError, ValueError):
        return None


def start(unit, u, directory):
    if pid_of(unit, directory) is None:
        with open(u["log"], "ab") as log:
            child = subprocess.Popen(
                u["words"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        with open(f"{directory}/{unit}.pid", "w", encoding="ascii") as f:
            f.write(str(child.pid))
    wait_until(lambda: is_listening(u["address"]), f"{unit} to listen")
    if u["ready"]:
        wait_until(lambda: is_ready(u["ready"]), f"{unit} to be ready")


def stop(unit, _, directory):
    pid = pid_of(unit, directory)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: pid_of(unit, directory) is None, f"{unit} to end")


def restart(unit, u, directory):
    stop(unit, u, directory)
    start(unit, u, directory)


def main():
    path, word, *units = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        known = json.load(f)
    for unit in units:
        words = {"start": start, "stop": stop, "restart": restart}
        words[word](unit, known[unit], os.path.dirname(path))


if __name__ == "__main__":
    main()
