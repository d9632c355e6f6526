"""http1_rows - raw HTTP/1 messages and what must become of them.

Data and the little that is needed to play it; no test.  Whoever has a proxy
to look at plays REQUESTS against an instance that runs instance.serve(), and
ANSWERS from an instance that runs answers.Stage.

    row.py        what a row of a request says, and short ways to write one
    heads.py      start lines, targets, Host, fields
    bodies.py     lengths, chunks, Transfer-Encoding
    flow.py       connections, pipelining, Expect, upgrades, limits
    answers.py    what an instance answers, and what the client gets
    cuts.py       the ways in which a message may come
    instance.py   an instance that acts as the target asks
    talk.py       a client that plays one row
"""
from http1_rows import bodies, flow, heads

REQUESTS = heads.ROWS + bodies.ROWS + flow.ROWS
