"""row - one case: what is sent behind the preface, what is answered."""
from dataclasses import dataclass, field


ANY = -1


@dataclass
class Row:
    ref: str     # section; 7541 is named, else it is of RFC 9113
    why: str
    send: bytes
    codes: tuple = ()     # of GOAWAY, and the connection ends
    stream: int = 1       # whose status or reset is looked at
    resets: tuple = ()    # codes of RST_STREAM, any of them
    status: int = None    # of the answer
    seen: int = field(default=None)  # requests the instance got; ANY: or not

    def __post_init__(self):
        if self.seen is None:
            self.seen = 1 if self.status == 200 else 0


def bad(ref, why, send, *codes, seen=0):
    """The connection must end, with one of these codes."""
    return Row(ref, why, send, codes=codes, seen=seen)


def cut(ref, why, send, *codes, stream=1, seen=0):
    """The stream must be reset; the connection goes on."""
    return Row(ref, why, send, resets=codes, stream=stream, seen=seen)


def good(ref, why, send, stream=1, status=200, seen=None):
    return Row(ref, why, send, stream=stream, status=status, seen=seen)


def calm(ref, why, send):
    """Nothing comes of it."""
    return Row(ref, why, send)
