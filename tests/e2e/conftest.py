"""End-to-end tests: real sockets, real nginx, the programs of SEGUE_BIN.

    SEGUE_BIN=build /usr/bin/python3 -m pytest tests/e2e

SEGUE_E2E_ROUNDS says how often the journeys under load are repeated.
"""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from rig import Rig  # noqa: E402

# What runs us in the background may ignore it, and our children would.
signal.signal(signal.SIGINT, signal.default_int_handler)


# These ask nothing of the daemon that others do not, and take a minute and a
# half: once, in the build that is used, is enough.
collect_ignore = ["test_examples.py"] if os.environ.get("SEGUE_SANITIZER") \
    else []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + report.when, report)
    rig = getattr(item, "rig", None)
    if rig is not None and report.failed:
        report.sections.append(("where", rig.dir))
        report.sections += [("log " + path, text)
                            for path, text in rig.logs()]


@pytest.fixture
def rig(request):
    r = request.node.rig = Rig()
    yield r
    called = getattr(request.node, "report_call", None)
    passed = called is not None and called.passed
    r.end(check=passed)
    if passed:
        r.forget()


@pytest.fixture(scope="session")
def rounds():
    return int(os.environ.get("SEGUE_E2E_ROUNDS", "2"))
