"""Header compression (RFC 7541)."""
import hpack
from rig.h2wire import (COMPRESSION, END_HEADERS, END_STREAM, HEADERS, block,
                        frame, integer, request, text)

from .row import ANY, bad, good

ALL = END_STREAM | END_HEADERS
GET = block(request())


def packed(data, stream=1):
    return frame(HEADERS, ALL, stream, data)


def kept(name, value):
    """With incremental indexing."""
    return b"\x40" + text(name) + text(value)


HUFF = hpack.Encoder().encode(request(more=[("x-long", "www.example.com")]))

ROWS = [
    good("7541 C.4", "Huffman and the static table", packed(HUFF)),
    good("7541 2.3.2", "an entry used by the next block",
         packed(GET + kept("x-a", "1")) + packed(GET + b"\xbe", 3), stream=3,
         seen=2),
    bad("7541 2.3.3", "index 0", packed(GET + b"\x80"), COMPRESSION),
    bad("7541 2.3.3", "an index past both tables",
        packed(GET + integer(70, 7, 0x80)), COMPRESSION),
    bad("7541 2.3.3", "a name's index past both tables",
        packed(GET + integer(70, 6, 0x40) + text("v")), COMPRESSION),
    good("7541 4.2", "a table made smaller",
         packed(integer(100, 5, 0x20) + GET)),
    bad("7541 4.2", "a table larger than we allow",
        packed(integer(4097, 5, 0x20) + GET), COMPRESSION),
    bad("7541 4.2", "a new size behind a field",
        packed(GET + integer(100, 5, 0x20)), COMPRESSION),
    good("7541 4.4", "an entry larger than the table empties it",
         packed(GET + kept("x-a", "y" * 5000))),
    bad("7541 4.4", "... and is not in it",
        packed(GET + kept("x-a", "y" * 5000)) + packed(GET + b"\xbe", 3),
        COMPRESSION, seen=ANY),
    bad("7541 5.1", "an integer without end",
        packed(GET + b"\xff" + b"\xff" * 12), COMPRESSION),
    bad("7541 5.1", "an integer past 32 bits",
        packed(GET + b"\x40" + b"\x7f" + b"\xff" * 5 + b"\x0f"), COMPRESSION),
    bad("7541 5.2", "a text longer than the block",
        packed(GET + b"\x00" + b"\x7f\x01" + b"abc"), COMPRESSION),
    bad("7541 5.2", "Huffman padding longer than 7 bits",
        packed(GET + b"\x00" + text("x") + b"\x84" + b"\xff" * 4),
        COMPRESSION),
    bad("7541 5.2", "Huffman padding of zeros",
        packed(GET + b"\x00" + text("x") + b"\x81\x00"),
        COMPRESSION),
    bad("7541 5.2", "EOS in Huffman",
        packed(GET + b"\x00" + text("x") + b"\x84\xff\xff\xff\xfc"),
        COMPRESSION),
    good("7541 6.2.3", "a field never to be indexed",
         packed(GET + b"\x10" + text("authorization") + text("Basic x"))),
]
