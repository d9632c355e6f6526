"""answers - what instances answer, and what the client gets.

Made for a proxy that sends each request to the one instance that runs
Stage.script(); ask() asks for /row and tells what came.
"""
import socket
import threading
import time

from http1_rows.row import CHUNKED, H, UPGRADE
from rig.wire import Answer, Closed, Reader

OK = "HTTP/1.1 200 OK\r\n"
NO_BODY = "Content-Length: 0\r\n\r\n"
ABC = "Content-Length: 3\r\n\r\nabc"
KEEP = "Connection: keep-alive\r\n"
CUT, ANY = None, ...  # of a body


class Row:
    """why; what the instance answers; what the client gets.

    status, body: of the final answer; CUT: cut so that it is seen; ANY.
    interim: statuses before it.  again: the instance's connection serves the
    next request, too.  ends: the instance closes behind its bytes; RESET: it
    resets once the client has the beginning of the body, up to its "c".
    send: bytes behind the request's head; early: the instance answers before
    it has read them.  has, hasnot: in the head the client gets.
    """

    def __init__(self, why, raw, status, body=b"", again=True, ends=False,
                 method="GET", version="1.1", interim=(), has=(), hasnot=(),
                 fields="", send=b"", early=False):
        self.why, self.status, self.body = why, status, body
        self.raw = raw.encode("latin-1")
        self.again, self.ends, self.method = again, ends, method
        self.version, self.interim = version, list(interim)
        self.has, self.hasnot, self.fields = has, hasnot, fields
        self.send, self.early = send, early

    def request(self):
        return (f"{self.method} /row HTTP/{self.version}\r\n{H}"
                f"{self.fields}\r\n").encode() + self.send


RESET = "reset"


def bad(why, raw, **kw):
    """Malformed before any byte of it went to the client."""
    kw.setdefault("body", ANY)
    return Row(why, raw, 502, again=False, **kw)


def cut(why, raw, **kw):
    """Malformed or ended within its body."""
    return Row(why, raw, 200, CUT, again=False, **kw)


def once(why, raw, status=200, body=b"", **kw):
    """Well, but the instance's connection is not used again."""
    return Row(why, raw, status, body, again=False, **kw)


def chunks(text):
    return OK + CHUNKED + "\r\n" + text


START_LINES = [  # RFC 9112 4
    Row("the plainest", OK + NO_BODY, 200),
    Row("no reason phrase", "HTTP/1.1 200 \r\n" + NO_BODY, 200),
    Row("nor the space before it", "HTTP/1.1 200\r\n" + NO_BODY, 200),
    Row("an unknown status passes", "HTTP/1.1 299 Odd\r\n" + NO_BODY, 299),
    Row("the highest status", "HTTP/1.1 599 Odd\r\n" + NO_BODY, 599),
    Row("obs-text in the reason", "HTTP/1.1 200 \xe4\r\n" + NO_BODY, 200),
    Row("a tab in the reason", "HTTP/1.1 200 a\tb\r\n" + NO_BODY, 200),
    Row("a later minor version is 1.1", "HTTP/1.2 200 OK\r\n" + NO_BODY, 200),
    bad("no HTTP at all", "SSH-2.0-x\r\n\r\n"),
    bad("a body without a head: HTTP/0.9", "<html></html>\r\n\r\n",
        ends=True),
    bad("HTTP/2", "HTTP/2.0 200 OK\r\n" + NO_BODY),
    bad("HTTP/0.9 by name", "HTTP/0.9 200 OK\r\n" + NO_BODY),
    bad("a lower-case version", "http/1.1 200 OK\r\n" + NO_BODY),
    bad("a version with two digits", "HTTP/1.10 200 OK\r\n" + NO_BODY),
    bad("an empty line before it", "\r\n" + OK + NO_BODY),
    bad("a space before it", " " + OK + NO_BODY),
    bad("two spaces", "HTTP/1.1  200 OK\r\n" + NO_BODY),
    bad("a tab for a space", "HTTP/1.1\t200 OK\r\n" + NO_BODY),
    bad("no status", "HTTP/1.1\r\n" + NO_BODY),
    bad("a status of two digits", "HTTP/1.1 20 OK\r\n" + NO_BODY),
    bad("a status of four digits", "HTTP/1.1 2000 OK\r\n" + NO_BODY),
    bad("a status of letters", "HTTP/1.1 OK 200\r\n" + NO_BODY),
    bad("a negative status", "HTTP/1.1 -20 OK\r\n" + NO_BODY),
    bad("a status below 100", "HTTP/1.1 099 No\r\n" + NO_BODY),
    bad("a status above 599, 9110 15", "HTTP/1.1 600 No\r\n" + NO_BODY),
    bad("a bare LF ends it", "HTTP/1.1 200 OK\n" + NO_BODY),
    bad("CR CR LF ends it", "HTTP/1.1 200 OK\r\r\n" + NO_BODY),
    bad("NUL in the reason", "HTTP/1.1 200 O\0K\r\n" + NO_BODY),
    bad("a bare CR in the reason", "HTTP/1.1 200 O\rK\r\n" + NO_BODY),
]

FIELDS = [  # RFC 9112 5, 9110 7.6.1
    bad("a space before the colon", OK + "X-A : b\r\n" + NO_BODY),
    bad("a folded line", OK + "X-A: b\r\n c\r\n" + NO_BODY),
    bad("a folded first line", OK + " X-A: b\r\n" + NO_BODY),
    bad("no colon", OK + "X-A\r\n" + NO_BODY),
    bad("an empty name", OK + ": b\r\n" + NO_BODY),
    bad("a name that is no token", OK + "X(A): b\r\n" + NO_BODY),
    bad("a bare CR in a value", OK + "X-A: b\rc\r\n" + NO_BODY),
    bad("a bare LF ends a field", OK + "X-A: b\n" + NO_BODY),
    bad("a NUL in a value", OK + "X-A: b\0c\r\n" + NO_BODY),
    bad("a control byte in a value", OK + "X-A: b\x01c\r\n" + NO_BODY),
    bad("a bare LF ends the head", OK + "Content-Length: 0\r\n\n"),
    bad("a field too big", OK + "X-A: " + "b" * 70000 + "\r\n" + NO_BODY),
    Row("an empty value", OK + "X-A:\r\n" + NO_BODY, 200, has=["X-A:"]),
    Row("obs-text in a value", OK + "X-A: \xe4\r\n" + NO_BODY, 200,
        has=["X-A: \xe4\r\n"]),
    Row("fields of one hop go no further", OK + "Connection: X-Hop\r\n"
        "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: b\r\n"
        "X-Stay: 1\r\n" + NO_BODY, 200, has=["X-Stay: 1"],
        hasnot=["X-Hop", "Keep-Alive", "Proxy-Auth"]),
    Row("what two Connection fields name goes no further",
        OK + "X-Other: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
        "connection: , x-other,\r\n" + NO_BODY, 200,
        hasnot=["X-Hop", "X-Other", "onnection:"]),
    Row("Connection cannot name the length away",
        OK + "Connection: content-length\r\n" + ABC, 200, b"abc",
        has=["Content-Length: 3"]),
    Row("Connection cannot name the coding away",
        OK + "Connection: transfer-encoding\r\n" + CHUNKED +
        "\r\n1\r\na\r\n0\r\n\r\n", 200, b"a"),
    Row("an Upgrade in a plain answer is of one hop",
        OK + "Connection: upgrade\r\nUpgrade: h2c\r\n" + NO_BODY, 200,
        hasnot=["Upgrade"]),
    Row("each Set-Cookie stays", OK + "Set-Cookie: a=1\r\n"
        "Set-Cookie: b=2; Path=/\r\n" + NO_BODY, 200,
        has=["Set-Cookie: a=1\r\n", "Set-Cookie: b=2; Path=/\r\n"]),
    Row("a Date stays", OK + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
        NO_BODY, 200, has=["Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"]),
    Row("a Date comes where there is none, 9110 6.6.1", OK + NO_BODY, 200,
        has=["Date: "]),
]

LENGTHS = [  # RFC 9112 6.2, 6.3
    Row("a length", OK + ABC, 200, b"abc"),
    Row("zeros before a length", OK + "Content-Length: 003\r\n\r\nabc", 200,
        b"abc"),
    bad("two lengths", OK + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"
        "abcd"),
    bad("one length twice", OK + "Content-Length: 3\r\n" + ABC),
    bad("a list of lengths", OK + "Content-Length: 3, 3\r\n\r\nabc"),
    bad("a signed length", OK + "Content-Length: +3\r\n\r\nabc"),
    bad("a negative length", OK + "Content-Length: -1\r\n\r\nabc"),
    bad("an empty length", OK + "Content-Length:\r\n\r\nabc"),
    bad("a length in hexadecimal", OK + "Content-Length: 0x3\r\n\r\nabc"),
    bad("a length above 63 bits",
        OK + "Content-Length: 9223372036854775808\r\n\r\n"),
    bad("a length above 64 bits",
        OK + "Content-Length: 99999999999999999999\r\n\r\n"),
    bad("a bad length on 204", "HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n"),
    bad("a length and chunked, 6.3",
        OK + CHUNKED + "Content-Length: 3\r\n\r\n0\r\n\r\n"),
    cut("it closes within the body", OK + "Content-Length: 9\r\n\r\nabc",
        ends=True),
    cut("it resets within the body", OK + "Content-Length: 9\r\n\r\nabc",
        ends=RESET),
    cut("it closes before the body", OK + "Content-Length: 9\r\n\r\n",
        ends=True),
    cut("it closes within the body, for a client of 1.0",
        OK + "Content-Length: 9\r\n\r\nabc", ends=True, version="1.0"),
    bad("it closes within the status line", "HTTP/1.1 20", ends=True),
    bad("it closes within the head", OK + "Content-Le", ends=True),
    bad("it closes before the empty line", OK + "Content-Length: 0\r\n",
        ends=True),
]

CHUNKS = [  # RFC 9112 7.1
    Row("chunks", chunks("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), 200, b"abcd"),
    Row("no chunk", chunks("0\r\n\r\n"), 200, b""),
    Row("sizes in both cases", chunks("A\r\n0123456789\r\na\r\n0123456789"
                                      "\r\n0\r\n\r\n"), 200,
        b"0123456789" * 2),
    Row("zeros before a size", chunks("0003\r\nabc\r\n000\r\n\r\n"), 200,
        b"abc"),
    Row("extensions", chunks("3;a=b\r\nabc\r\n0;c\r\n\r\n"), 200, b"abc"),
    Row("a semicolon in a quoted extension",
        chunks("3;a=\";\"\r\nabc\r\n0\r\n\r\n"), 200, b"abc"),
    Row("trailers", chunks("3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), 200, b"abc"),
    Row("empty elements in the list", OK + "Transfer-Encoding: ,chunked,\r\n"
        "\r\n1\r\na\r\n0\r\n\r\n", 200, b"a"),
    cut("it closes within a size", chunks("3\r\nabc\r\n1"), ends=True),
    cut("it closes within a chunk", chunks("9\r\nabc"), ends=True),
    cut("it resets within a chunk", chunks("9\r\nabc"), ends=RESET),
    cut("it closes behind a chunk's data", chunks("3\r\nabc"), ends=True),
    cut("it closes before the last chunk", chunks("3\r\nabc\r\n"), ends=True),
    cut("it closes within the last chunk", chunks("3\r\nabc\r\n0\r\n"),
        ends=True),
    cut("it closes within trailers", chunks("3\r\nabc\r\n0\r\nX-T: 1\r\n"),
        ends=True),
    cut("it closes within a chunk, for a client of 1.0",
        chunks("9\r\nabc"), ends=True, version="1.0"),
    cut("it closes before the last chunk, for a client of 1.0",
        chunks("3\r\nabc\r\n"), ends=True, version="1.0"),
    cut("a bad size", chunks("3\r\nabc\r\nzz\r\n")),
    cut("a bad first size", chunks("zz\r\n")),
    cut("a negative size", chunks("-1\r\nabc\r\n")),
    cut("a size with 0x", chunks("0x3\r\nabc\r\n0\r\n\r\n")),
    cut("a size above 64 bits", chunks("10000000000000003\r\nabc\r\n")),
    cut("a space behind a size", chunks("3 \r\nabc\r\n0\r\n\r\n")),
    cut("a bare LF behind a size", chunks("3\nabc\r\n0\r\n\r\n")),
    cut("a bare LF in an extension", chunks("3;\nabc\r\n0\r\n\r\n")),
    cut("an extension without end", chunks("3;" + "a" * 9000)),
    cut("no CRLF behind a chunk", chunks("3\r\nabcd\r\n0\r\n\r\n")),
    cut("a bare LF behind a chunk", chunks("3\r\nabc\n0\r\n\r\n")),
    cut("a bad trailer", chunks("3\r\nabc\r\n0\r\nX-T : 1\r\n\r\n")),
    cut("a length as trailer",
        chunks("3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n")),
    cut("a bad size, for a client of 1.0", chunks("3\r\nabc\r\nzz\r\n"),
        version="1.0"),
    bad("another coding", OK + "Transfer-Encoding: gzip\r\n\r\nabc",
        ends=True),
    bad("gzip, then chunked",
        OK + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    bad("chunked is not last",
        OK + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    bad("chunked twice", OK + CHUNKED + CHUNKED + "\r\n0\r\n\r\n"),
    bad("identity", OK + "Transfer-Encoding: identity\r\n" + ABC),
    bad("chunked in 1.0, 6.1",
        "HTTP/1.0 200 OK\r\n" + CHUNKED + "\r\n0\r\n\r\n"),
]

CLOSES = [  # RFC 9112 6.3, 9.3
    once("no length: until close", OK + "\r\nabc", 200, b"abc", ends=True),
    once("no length and no body: until close", OK + "\r\n", ends=True),
    cut("no length, and a reset", OK + "\r\nabc", ends=RESET),
    cut("no length, and a reset, for a client of 1.0", OK + "\r\nabc",
        ends=RESET, version="1.0"),
    once("no length, for a client of 1.0 that would stay", OK + "\r\nabc",
         200, b"abc", ends=True, version="1.0", fields=KEEP,
         has=["Connection: close"]),
    once("HTTP/1.0, until close", "HTTP/1.0 200 OK\r\n\r\nabc", 200, b"abc",
         ends=True, has=["HTTP/1.1 200"]),
    once("HTTP/1.0 with a length closes", "HTTP/1.0 200 OK\r\n" + ABC, 200,
         b"abc"),
    Row("HTTP/1.0 that stays", "HTTP/1.0 200 OK\r\n" + KEEP + ABC, 200,
        b"abc", hasnot=["keep-alive"]),
    once("HTTP/1.0 that stays, but has no length",
         "HTTP/1.0 200 OK\r\n" + KEEP + "\r\nabc", 200, b"abc", ends=True),
    Row("1.0 on both sides, and both stay",
        "HTTP/1.0 200 OK\r\n" + KEEP + ABC, 200, b"abc", version="1.0",
        fields=KEEP, has=["Connection: keep-alive"]),
    once("1.0 on both sides, and the instance closes",
         "HTTP/1.0 200 OK\r\n" + ABC, 200, b"abc", version="1.0",
         fields=KEEP, has=["Connection: keep-alive"]),
    Row("1.0 on both sides, and the client closes",
        "HTTP/1.0 200 OK\r\n" + KEEP + ABC, 200, b"abc", version="1.0",
        has=["Connection: close"]),
    once("Connection: close", OK + "Connection: close\r\n" + ABC, 200,
         b"abc"),
    once("close in a list", OK + "Connection: x, CLOSE\r\n" + ABC, 200,
         b"abc"),
    once("close beats keep-alive",
         OK + KEEP + "Connection: close\r\n" + ABC, 200, b"abc"),
    Row("chunked for a client of 1.0", chunks("3\r\nabc\r\n0\r\n\r\n"), 200,
        b"abc", version="1.0", has=["Connection: close"],
        hasnot=["Transfer-Encoding"]),
]

BODYLESS = [  # RFC 9110 6.4.1, 9.3.2, 15.3.5, 15.3.6, 15.4.5
    Row("204", "HTTP/1.1 204 No Content\r\n\r\n", 204,
        hasnot=["Content-Length", "Transfer-Encoding"]),
    Row("204 with a length, 8.6", "HTTP/1.1 204 No Content\r\n"
        "Content-Length: 0\r\n\r\n", 204, hasnot=["Content-Length"]),
    once("204 with a length and a body", "HTTP/1.1 204 No Content\r\n" + ABC,
         204, hasnot=["Content-Length"]),
    once("204 with chunks", "HTTP/1.1 204 No Content\r\n" + CHUNKED +
         "\r\n0\r\n\r\n", 204, hasnot=["Transfer-Encoding"]),
    Row("205 with length zero", "HTTP/1.1 205 Reset\r\n" + NO_BODY, 205),
    Row("205 with a body keeps its frame", "HTTP/1.1 205 Reset\r\n" + ABC,
        205, b"abc"),
    Row("304 with a length", "HTTP/1.1 304 Not Modified\r\n"
        "Content-Length: 77\r\n\r\n", 304, has=["Content-Length: 77"]),
    Row("304 with chunked", "HTTP/1.1 304 Not Modified\r\n" + CHUNKED +
        "\r\n", 304),
    once("304 with a body", "HTTP/1.1 304 Not Modified\r\n" + ABC, 304),
    Row("HEAD with a length", OK + "Content-Length: 77\r\n\r\n", 200,
        method="HEAD", has=["Content-Length: 77"]),
    Row("HEAD without a length", OK + "\r\n", 200, method="HEAD",
        hasnot=["Content-Length"]),
    Row("HEAD with chunked", OK + CHUNKED + "\r\n", 200, method="HEAD"),
    once("HEAD with a body", OK + ABC, 200, method="HEAD"),
    Row("HEAD and 404", "HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n", 404,
        method="HEAD", has=["Content-Length: 9"]),
    Row("HEAD for a client of 1.0", OK + "Content-Length: 77\r\n\r\n", 200,
        method="HEAD", version="1.0", has=["Content-Length: 77"]),
]

INTERIMS = [  # RFC 9110 15.2, 7.8
    Row("103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK +
        NO_BODY, 200, interim=[103]),
    Row("two of them", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + OK +
        NO_BODY, 200, interim=[103, 103]),
    Row("100 nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n" + OK + ABC,
        200, b"abc", interim=[100]),
    Row("102, 100 and 103", "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
        "HTTP/1.1 103 E\r\n\r\n" + OK + ABC, 200, b"abc",
        interim=[102, 100, 103]),
    Row("an unknown one", "HTTP/1.1 199 Odd\r\n\r\n" + OK + ABC, 200, b"abc",
        interim=[199]),
    Row("a length on 103 is no length", "HTTP/1.1 103 E\r\n"
        "Content-Length: 9\r\n\r\n" + OK + ABC, 200, b"abc", interim=[103]),
    Row("103 before chunks", "HTTP/1.1 103 E\r\n\r\n" +
        chunks("3\r\nabc\r\n0\r\n\r\n"), 200, b"abc", interim=[103]),
    Row("103 before HEAD's answer", "HTTP/1.1 103 E\r\n\r\n" + OK +
        "Content-Length: 7\r\n\r\n", 200, interim=[103], method="HEAD"),
    Row("a client of 1.0 gets none", "HTTP/1.1 103 E\r\n\r\n" + OK + NO_BODY,
        200, version="1.0"),
    bad("103 and then no HTTP", "HTTP/1.1 103 E\r\n\r\nSSH-2.0-x\r\n\r\n",
        interim=[103]),
    bad("103 and then the end", "HTTP/1.1 103 E\r\n\r\n", interim=[103],
        ends=True),
    bad("a bad length on 103",
        "HTTP/1.1 103 E\r\nContent-Length: x\r\n\r\n" + OK + NO_BODY),
    bad("101 nobody asked for", "HTTP/1.1 101 Switching Protocols\r\n"
        "Connection: upgrade\r\nUpgrade: x\r\n\r\n"),
    bad("101 for h2c, which we did not pass on",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        "Upgrade: h2c\r\n\r\n", fields="Connection: upgrade\r\n"
        "Upgrade: h2c\r\n"),
    once("101 with data right behind it",
         "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
         "Upgrade: websocket\r\n\r\nhello", 101, b"hello", ends=True,
         fields=UPGRADE, has=["Upgrade: websocket\r\n"]),
    once("101 with what looks like an answer behind it",
         "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
         "Upgrade: websocket\r\n\r\n" + OK + NO_BODY, 101,
         (OK + NO_BODY).encode(), ends=True, fields=UPGRADE),
    once("103, then 101", "HTTP/1.1 103 E\r\n\r\n"
         "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
         "Upgrade: websocket\r\n\r\nhello", 101, b"hello", ends=True,
         interim=[103], fields=UPGRADE),
    Row("a refused upgrade", "HTTP/1.1 426 Upgrade Required\r\n"
        "Connection: upgrade\r\nUpgrade: x\r\n" + ABC, 426, b"abc",
        fields=UPGRADE, hasnot=["Connection: upgrade"]),
]

BEHIND = [  # RFC 9112 9.2
    once("bytes behind it", OK + NO_BODY + "HTTP/1.1 200 Evil\r\n" + NO_BODY),
    once("bytes behind a body", OK + ABC + "EVIL", 200, b"abc"),
    once("bytes behind chunks", chunks("3\r\nabc\r\n0\r\n\r\nEVIL"), 200,
         b"abc"),
    once("CRLF behind a body", OK + ABC + "\r\n", 200, b"abc"),
    once("an interim answer behind it",
         OK + ABC + "HTTP/1.1 103 E\r\n\r\n", 200, b"abc"),
    once("bytes behind 204", "HTTP/1.1 204 No Content\r\n\r\nEVIL", 204),
    once("bytes behind 304", "HTTP/1.1 304 Not\r\n\r\n" + OK + NO_BODY, 304),
    once("it closes behind it", OK + NO_BODY, ends=True),
    once("it closes behind a body", OK + ABC, 200, b"abc", ends=True),
    once("it closes behind chunks", chunks("0\r\n\r\n"), ends=True),
]

EARLY = [  # RFC 9112 9.3: the rest of the request must not be the next one
    once("an early answer", OK + ABC, 200, b"abc", method="POST",
         fields="Content-Length: 9\r\n", send=b"abc", early=True,
         has=["Connection: close"]),
    once("an early answer that closes", OK + "Connection: close\r\n" + ABC,
         200, b"abc", method="POST", fields="Content-Length: 9\r\n",
         send=b"abc", early=True, ends=True),
    once("an early answer within chunks", OK + ABC, 200, b"abc",
         method="POST", fields=CHUNKED, send=b"3\r\nabc\r\n", early=True),
    once("an early answer in chunks", chunks("3\r\nabc\r\n0\r\n\r\n"), 200,
         b"abc", method="POST", fields="Content-Length: 9\r\n", send=b"abc",
         early=True),
    once("an early refusal", "HTTP/1.1 413 Too Large\r\n" + ABC, 413, b"abc",
         method="POST", fields="Content-Length: 9\r\n", send=b"abc",
         early=True),
    cut("an early answer that is cut", OK + "Content-Length: 9\r\n\r\nabc",
        method="POST", fields="Content-Length: 9\r\n", send=b"abc",
        early=True, ends=True),
    bad("an early answer that is malformed", OK + "X : 1\r\n" + NO_BODY,
        method="POST", fields="Content-Length: 9\r\n", send=b"abc",
        early=True),
]

ROWS = (START_LINES + FIELDS + LENGTHS + CHUNKS + CLOSES + BODYLESS +
        INTERIMS + BEHIND + EARLY)


class Stage:
    """What the instance does at /row, set before each run."""

    def __init__(self):
        self.row, self.parts = None, []
        self.lock = threading.Lock()
        self.conns = []  # which connection served each request
        self.has_body = threading.Event()  # the client has some of it

    def set(self, row, parts):
        self.row, self.parts = row, parts
        self.conns.clear()
        self.has_body.clear()

    def script(self, conn):
        while (r := conn.request(body=False)) is not None:
            with self.lock:
                self.conns.append((r.target, id(conn)))
            if r.target != "/row":
                conn.answer(b"next")
                continue
            if not self.row.early:
                conn.reader.body(r.head, is_request=True)
            for i, part in enumerate(self.parts):
                if i > 0:
                    time.sleep(0.0002)
                conn.send(part)
            if self.row.ends == RESET:
                self.has_body.wait(5)
                conn.reset()
            if self.row.ends:
                return


def read_final(reader, row, has_body):
    """(interim statuses, head, body or CUT); the head None: cut before it."""
    interim = []
    while True:
        try:
            head = reader.head()
        except (Closed, ConnectionResetError):
            return interim, None, CUT
        status = Answer(head, b"").status
        if status >= 200 or status == 101:
            break
        interim.append(status)
    try:
        if row.ends == RESET:
            while b"c" not in reader.have:
                reader.more()
            has_body.set()
        body = reader.rest() if status == 101 else reader.body(
            head, bodyless=row.method == "HEAD" or status in (204, 304))
    except (Closed, ConnectionResetError):
        body = CUT
    return interim, head, body


def ask(host, port, row, has_body):
    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(row.request())
        return read_final(Reader(sock), row, has_body)


def ask_next(host, port):
    """The body of a plain answer to a client that comes after it."""
    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(f"GET /next HTTP/1.1\r\n{H}\r\n".encode())
        reader = Reader(sock)
        return reader.body(reader.head())
