"""load - runs e2e-load (tests/e2e/load.c) and reads its report."""
import json
import subprocess


class Load:
    def __init__(self, rig, address, **options):
        words = [rig.program("tests/e2e/e2e-load"), "--target", address]
        for name, value in options.items():
            if value is True:
                words.append("--" + name.replace("_", "-"))
            else:
                words += ["--" + name.replace("_", "-"), str(value)]
        self.child = rig.spawn(words, "load.log", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        self.final = None

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def phase(self, name):
        """From now on counts go to a stretch of that name."""
        self.tell("phase " + name)

    def report(self):
        return self.tell("report")

    def stop(self):
        """The final report, once what was in flight has ended."""
        if self.final is None:
            self.final = self.tell("stop")
            self.child.wait(20)
        return self.final


def of_phase(report, name):
    return next(p for p in report["phases"] if p["name"] == name)


def on(phase, version):
    """What a version answered in a phase; zeros when nothing."""
    return phase["on"].get(version, {
        "answers": 0, "sessions": 0, "first_us": 0, "last_us": 0,
        "first_session_us": 0, "last_session_sent_us": 0})


def say(report):
    """One line for people."""
    return (f"{report['answers']} answers, {report['failed']} failed, "
            f"{report['bounces']} bounces, {report['sessions']} sessions, "
            f"{report['connections']} connections, {report['posts']} posts")
