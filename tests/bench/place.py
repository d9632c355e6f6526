"""place - programs, ports and cores: what run, count and race share."""
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time


def find(program, given):
    """The program in the directory given, or where builds leave it."""
    here = os.path.dirname(os.path.realpath(__file__))
    places = [given] if given else [here, "tests/bench", "build/tests/bench"]
    for place in places:
        path = os.path.join(place, program)
        if os.access(path, os.X_OK):
            return os.path.realpath(path)
    sys.exit(f"{program} is missing: build it, or --bin DIR")


def program(name):
    """Where an installed program is, also among those of administrators."""
    return shutil.which(
        name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_ports(n):
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def on_core(n, count=1):
    """Words that keep a program to count cores from the n-th on."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", ",".join(str(c) for c in cores[n:n + count])]


def wait_for_answer(port, process, seconds=15.0):
    """Until the proxy answers 200 on /; None, or what went wrong."""
    end = time.monotonic() + seconds
    why = "no answer"
    while time.monotonic() < end:
        if process.poll() is not None:
            return f"ended at once with {process.returncode}"
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            c.request("GET", "/")
            status = c.getresponse().status
            c.close()
            if status == 200:
                return None
            why = f"answers {status}"
        except (OSError, http.client.HTTPException) as e:
            why = str(e)
        time.sleep(0.05)
    return why


def stop(process, sig):
    """Asks it to end, and makes sure."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
