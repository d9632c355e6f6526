"""haproxy - a balancer in front of a daemon that says who its clients are."""
CONFIG = """\
global
  nbthread 1
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  unique-id-format id-%[src]
frontend front
  bind {address} {bind}
  default_backend back
backend back
  server segue {to} {words} {source} check inter 200ms
"""


class Haproxy:
    """source: the address it comes from; to may be a unix@ path."""

    def __init__(self, rig, to, words, source="127.0.0.9", bind="",
                 name="haproxy"):
        self.port = rig.port()
        self.address = self.port.address
        path = f"{rig.dir}/{name}.cfg"
        with open(path, "w", encoding="ascii") as f:
            f.write(CONFIG.format(address=self.address, to=to, words=words,
                                  bind=bind, source=f"source {source}" if
                                  not to.startswith("unix@") else ""))
        self.child = rig.spawn(["haproxy", "-db", "-f", path],
                               f"{name}-out.log")
        rig.wait_listening(self.port, self.child)
