"""bars - what the benchmark must reach, a row each, and whether it does.

The bars are ratios and counts taken in one run: they hold on any machine that
is quiet, and on no other.
"""
import collections

# key: which figure of segued; to: None, or the scenario by whose figure it is
# divided.
Bar = collections.namedtuple("Bar", "what scenario key to most")

KEPT = ["keepalive-64", "keepalive-1000", "keepalive-5000"]
EVERY = KEPT + ["answer-16k", "new", "instances-2", "instances-100",
                "instances-1000", "log", "workers-2", "down-64m", "up-64m",
                "tls-keepalive-64", "tls-full", "tls-resumed", "h2-1",
                "h2-100", "tls-down-64m", "tls-up-64m"]

BARS = [
    Bar("CPU of a kept-alive request, to the floor", "keepalive-64",
        "to_floor", None, 1.15),
    Bar("CPU of a kept-alive request, to the floor", "keepalive-1000",
        "to_floor", None, 1.15),
    Bar("CPU with 5,000 connections, to the floor's", "keepalive-5000",
        "to_floor", None, 1.2),
    Bar("CPU with 1,000 instances, to that with 2", "instances-1000",
        "cpu_us", "instances-2", 1.2),
    *[Bar("system calls of a request but for epoll_wait", s, "io_calls", None,
          4.05) for s in KEPT],
    Bar("bytes of an idle client connection", "idle-5000", "bytes_per_idle",
        None, 1024),
    Bar("bytes of an idle TLS connection, to the better of the peers",
        "tls-idle-2000", "to_peer", None, 1.0),
    *[Bar("CPU, to the better of the peers", s, "to_peer", None, 1.0)
      for s in EVERY],
]


def figure(everything, scenario, key):
    row = everything.get(scenario, {}).get("median", {}).get("segued", {})
    if key == "io_calls":
        calls, waits = row.get("syscalls"), row.get("waits")
        return None if calls is None or waits is None else calls - waits
    return row.get(key)


def verdict(everything, bar):
    """What was measured, None when it was not."""
    value = figure(everything, bar.scenario, bar.key)
    if value is None or bar.to is None:
        return value
    other = figure(everything, bar.to, bar.key)
    return value / other if other else None


def check(everything):
    """Prints a line a bar; true when each of them holds.

    A bar whose scenario was not run is left out; one that should have been
    measured and was not does not hold.
    """
    print("\nbars")
    good = True
    for bar in BARS:
        if any(s not in everything
               for s in (bar.scenario, bar.to or bar.scenario)):
            continue
        value = verdict(everything, bar)
        holds = value is not None and value <= bar.most
        good = good and holds
        said = "not measured" if value is None else f"{value:,.2f}"
        print(f"{'holds' if holds else 'MISSED':7} {bar.scenario:15} "
              f"{bar.what}: {said}, at most {bar.most:,g}")
    return good
