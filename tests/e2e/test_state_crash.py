"""kill -9 of everything at random instants during 200 changes: the state file
is always whole, and what was acknowledged is there."""
import http.client
import random
import threading
import time

from rig import wait_until
from rig.segued import pool, service

CHANGES = 200


class Model:
    """What commands should have made of the state."""

    def __init__(self):
        self.share = 0
        self.admin = {}
        self.added = frozenset()

    def after(self, verb, args):
        m = Model()
        m.share, m.admin, m.added = self.share, dict(self.admin), self.added
        if verb == "share":
            m.share = round(float(args["share"][:-1]) * 100)
        elif verb == "instance":
            m.admin[args["instance"]] = args["admin"]
        elif verb == "add-instance":
            m.added |= {args["instance"]}
        elif verb == "remove-instance":
            m.added -= {args["instance"]}
        return m

    def is_like(self, status):
        pools = {p["name"]: p for p in status["services"][0]["pools"]}
        instances = {i["name"]: i for p in pools.values()
                     for i in p["instances"]}
        return pools["v2"]["share_bp"] == self.share and \
            all(instances[n]["admin"] == a for n, a in self.admin.items()) \
            and {n for n, i in instances.items() if i["added"]} == self.added


def next_command(model, n, port):
    kind = n % 4
    if kind == 0 and not model.added:
        return "add-instance", {"pool": "v2", "instance": f"x{n}",
                                "address": f"127.0.0.1:{port}"}
    if kind == 0:
        return "remove-instance", {"pool": "v2",
                                   "instance": next(iter(model.added)),
                                   "force": True}
    if kind == 2:
        word = "in" if model.admin.get("a2") == "drain" else "drain"
        return "instance", {"pool": "v1", "instance": "a2", "admin": word,
                            "force": True}
    return "share", {"pool": "v2", "share": f"{(n * 37 % 9999 + 1) / 100}%",
                     "force": True}


class Operator(threading.Thread):
    """Types commands until the daemon is gone."""

    def __init__(self, segued, model, n, port):
        super().__init__(daemon=True)
        self.segued, self.model, self.n, self.port = segued, model, n, port
        self.asked = None  # not acknowledged (yet)
        self.refused = None
        self.start()

    def run(self):
        try:
            while True:
                verb, args = next_command(self.model, self.n, self.port)
                self.asked = self.model.after(verb, args)
                code, value = self.segued.admin.command(verb, **args)
                if code != 200:
                    self.refused = (verb, args, code, value)
                    return
                self.model, self.asked = self.asked, None
                self.n += 1
        except (OSError, ValueError, http.client.HTTPException):
            return  # killed in the middle


def test_kill_everything(rig):
    a1, a2 = rig.scripted("v1", "a1"), rig.scripted("v1", "a2")
    b = rig.scripted("v2", "b")
    extra = rig.scripted("v2", "x")
    s = rig.segued(service(pool("v1", [a1, a2], share="100%"),
                           pool("v2", [b])))
    seed = time.time_ns() % 100000
    dice = random.Random(seed)
    print(f"seed {seed}")
    model, n, kills = Model(), 0, 0
    while n < CHANGES:
        operator = Operator(s, model, n, extra.port.number)
        time.sleep(dice.uniform(0.001, 0.025) * min(rig.slower, 5))
        s.kill_all()
        operator.join(10)
        assert operator.refused is None, operator.refused
        kills += 1
        s.start(ready=False)
        status = s.admin.status()
        candidates = [operator.model] + \
            ([operator.asked] if operator.asked else [])
        found = [m for m in candidates if m.is_like(status)]
        assert found, (
            f"after {operator.n} changes (seed {seed})",
            [vars(m) for m in candidates],
            [(p["name"], p["share_bp"], [(i["name"], i["admin"], i["added"])
                                         for i in p["instances"]])
             for p in status["services"][0]["pools"]])
        model = found[0]
        n = operator.n + (1 if model is operator.asked else 0)
    print(f"{n} changes, {kills} kills, all of them found again")
    wait_until(s.is_up)
