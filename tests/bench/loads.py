"""loads - who asks: bench-load, or h2load where HTTP/2 is spoken.

Each says when its warm-up is over and when the measured time is, so that the
proxy's CPU can be read at both ends.
"""
import json
import re
import subprocess

import place


class Gave(RuntimeError):
    """The load gave up."""


class Native:
    """bench-load."""

    def __init__(self, env, scenario, seconds, warm):
        tls = ["--tls"] if scenario.tls else []
        self.process = subprocess.Popen(
            place.on_core(0) + [
                env.load, f"127.0.0.1:{env.port}", *scenario.args, *tls,
                "--seconds", str(seconds), "--warm", str(warm)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.line = ""

    def wait_start(self):
        if self.process.stdout.readline().strip() != "start":
            raise Gave

    def wait_end(self):
        self.line = self.process.stdout.readline()
        if not self.line:
            raise Gave

    def result(self):
        self.process.communicate()
        return json.loads(self.line)


class H2load:
    """h2load, over TLS; its times are means."""

    def __init__(self, env, scenario, seconds, warm):
        self.process = subprocess.Popen(
            place.on_core(0) + [
                env.h2load, *scenario.args, "-D", f"{seconds * 1000:.0f}ms",
                f"--warm-up-time={warm * 1000:.0f}ms",
                f"https://127.0.0.1:{env.port}/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.seconds = seconds

    def until(self, text):
        for line in self.process.stdout:
            if text in line:
                return
        raise Gave

    def wait_start(self):
        self.until("Main benchmark duration is started")

    def wait_end(self):
        self.until("Main benchmark duration is over")

    def result(self):
        out = self.process.communicate()[0]
        done, failed, errored = (int(n) for n in re.search(
            r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored",
            out).groups())
        good = int(re.search(r"status codes: (\d+) 2xx", out)[1])
        return {"requests": done, "seconds": self.seconds,
                "rps": done / self.seconds,
                "errors": failed + errored + done - good}


def start(env, scenario, seconds, warm):
    return (H2load if scenario.h2 else Native)(env, scenario, seconds, warm)
