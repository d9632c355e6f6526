"""Instances that close kept connections early: under load nothing fails."""
from rig import wait_until
from rig.load import say
from rig.segued import pool, service
from rig.site import posts_done_once
from rig.wire import Client

# of one pool: keepalive_timeout, with or without the field, and
# keepalive_requests of each nginx
INSTANCES = {
    "said": ("1s 1s", 1000),
    "unsaid": ("1s", 1000),
    "often": ("75s", 5),
    "both": ("1s 1s", 5),
}


def test_nothing_fails(rig):
    instances = [rig.nginx("v1", name, keepalive=timeout, requests=requests)
                 for name, (timeout, requests) in INSTANCES.items()]
    # longer than most of them: without their word they close first
    s = rig.segued(service(pool("v1", instances,
                                keepalive={"idle": "10s"})))
    # few clients with long pauses: connections idle for about a second
    load = rig.load(s, clients=40, think="400ms", session=20, posts=40)
    wait_until(lambda: load.report()["answers"] >= 240, 10, "answers")
    final = load.stop()
    print(say(final))
    assert final["failed"] == 0, (final["failures_safe"],
                                  final["failures_unsafe"],
                                  final["samples"])
    posts_done_once(instances, final["posts_answered"])
    for name in INSTANCES:
        def count(what):
            return next(v for k, v in s.admin.metrics().items()
                        if k.startswith(f"segue_instance_{what}_total")
                        and f'instance="{name}"' in k)
        assert count("lost") == 0
        assert count("connections_reused") > 0
        assert count("connections_opened") > 1


def test_its_word_is_kept(rig):
    """Our end comes first: the script itself never closes."""
    def script(conn):
        while conn.request() is not None:
            conn.answer(b"ok", fields="Keep-Alive: timeout=2\r\n")

    a = rig.scripted("v1", "a", script)
    s = rig.segued(service(pool("v1", [a], probe={"type": "tcp"},
                                keepalive={"idle": "60s"})))
    with Client(s.address) as c:
        answer = c.get("/x")
        assert answer.status == 200 and answer.field("keep-alive") is None
        assert s.admin.instance("a")["connections"] == 1
        wait_until(lambda: s.admin.instance("a")["connections"] == 0, 3,
                   "our end of the idle connection")
        assert c.get("/y").status == 200
