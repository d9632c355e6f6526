"""place - programs, ports and cores: what run, count and race share."""
import http.client
import os
import shutil
import socket
import ssl
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


def certificate(where):
    """The paths of a new one for 127.0.0.1 and its key; HAProxy wants both
    in one file, and others take them so."""
    key, cert = f"{where}/key.pem", f"{where}/cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert], check=True, capture_output=True)
    with open(key, encoding="ascii") as f, open(
            cert, "a", encoding="ascii") as out:
        out.write(f.read())
    return cert, key


def connection(port, scheme):
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is ours
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=1,
                                       context=context)


def wait_for_answer(port, process, scheme="http", seconds=15.0):
    """Until the proxy answers 200 on /; None, or what went wrong."""
    end = time.monotonic() + seconds
    why = "no answer"
    while time.monotonic() < end:
        if process.poll() is not None:
            return f"ended at once with {process.returncode}"
        try:
            c = connection(port, scheme)
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
