"""row - what a row of a request says, and short ways to write one."""
OPEN, CLOSED, TUNNEL = "open", "closed", "tunnel"
H = "Host: a.example\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class Row:
    """why; the bytes; statuses in order; what follows.

    wait, then:  once that status has come, these bytes are sent.
    half_close:  FIN behind the bytes.
    interim:     the statuses below 200, in order; None: any.
    heads:       which answers are to HEAD (0 is the first).
    seen:        request lines the instance got whole (None: as many as 200s;
                 ...: whatever).  has, hasnot: texts in the last head of them;
    body:        what it read; trailers: names it got behind chunks.
    echo:        with TUNNEL: what comes out of it.
    """

    def __init__(self, why, raw, status, after, seen=None, has=(), hasnot=(),
                 body=None, half_close=False, wait=None, then="",
                 interim=None, heads=(), trailers=None, echo=b""):
        self.why, self.after, self.seen = why, after, seen
        self.raw = raw.encode("latin-1")
        self.status = [status] if isinstance(status, int) else status
        self.has, self.hasnot, self.body = has, hasnot, body
        self.half_close, self.interim, self.heads = half_close, interim, heads
        self.wait, self.then = wait, then.encode("latin-1")
        self.trailers, self.echo = trailers, echo


def good(why, raw, **kw):
    kw.setdefault("after", OPEN)
    return Row(why, raw, kw.pop("status", 200), **kw)


def bad(why, raw, status=400):
    """Refused, and nothing of it reaches the instance as a request."""
    return Row(why, raw, status, CLOSED, seen=[])


def get(target="/", fields=H, version="1.1", method="GET"):
    return f"{method} {target} HTTP/{version}\r\n{fields}\r\n"


def post(fields, body, host=H, target="/p"):
    return f"POST {target} HTTP/1.1\r\n{host}{fields}\r\n{body}"


def chunked(body, target="/p"):
    return post(CHUNKED, body, target=target)
