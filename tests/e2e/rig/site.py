"""site - the usual journey: two versions of two nginx each, segued, load."""
from rig.load import say
from rig.rig import wait_until
from rig.segued import pool, service


def posts_done_once(instances, answered):
    """Of instances that nobody killed: each post of those that a client saw
    answered was done at one of them, and only once."""
    def done():
        return [i for n in instances for i in n.answered_ids()]

    # nginx writes its log behind the answer
    wait_until(lambda: len(done()) >= answered, what="the lines of all posts")
    ids = done()
    assert len(ids) == len(set(ids)), "a post was done twice"
    assert len(ids) == answered


class Site:
    """V1 serves; V2 stands ready beside it."""

    def __init__(self, rig, arrivals=False, sticky=None, segued=None, name="",
                 send_proxy="off", **more):
        """name: tells several sites of one test apart."""
        self.rig = rig
        self.v1, self.v2 = (
            [rig.nginx(v, n + name, arrivals=arrivals,
                       proxy_protocol=send_proxy != "off") for n in names]
            for v, names in (("v1", ("a1", "a2")), ("v2", ("b1", "b2"))))
        self.instances = self.v1 + self.v2
        self.segued = rig.segued(service(
            pool("v1", self.v1, share="100%", send_proxy=send_proxy),
            pool("v2", self.v2, send_proxy=send_proxy),
            sticky=sticky or {}, **more), name="segued" + name,
            **(segued or {}))
        self.admin = self.segued.admin
        self.load = None

    def start_load(self, answers=500, where=None, **options):
        self.load = self.rig.load(where or self.segued, **{
            "clients": 200, "think": "25ms", "session": 12, **options})
        self.wait_answers(answers)

    def wait_answers(self, more, seconds=20):
        """Until so many more requests were answered."""
        n = self.load.report()["answers"] + more
        wait_until(lambda: self.load.report()["answers"] >= n, seconds,
                   f"answer {n}", every=0.05)

    def finish(self):
        """Ends the load; nothing failed, nobody bounced, all adds up."""
        final = self.load.stop()
        print(say(final))
        assert final["failed"] == 0, (final["failures_safe"],
                                      final["failures_unsafe"],
                                      final["samples"])
        assert final["bounces"] == 0, final["samples"]
        assert final["answers"] == final["requests"]
        self.check_posts(final)
        a = self.admin.status()["accounting"]
        assert a["holds"] is True and a["in_flight"] == 0, a
        assert a["answered"] == a["accepted"] == final["answers"], a
        return final

    def check_posts(self, final):
        """Each post was done once: nowhere twice, none was lost."""
        posts_done_once(self.instances, final["posts_answered"])
