"""cuts - the ways in which one message may come: whole, and in pieces."""
LONG = 400    # bytes; longer ones are not sent byte by byte
CUTS = 50     # places at which those are cut


def ways(raw):
    """Pairs: how it comes, in words, and the parts."""
    yield "whole", [raw]
    step = len(raw) // CUTS if len(raw) > LONG else 1
    for i in range(1, len(raw), step):
        yield f"cut at {i}", [raw[:i], raw[i:]]
    if len(raw) <= LONG:
        yield "byte by byte", [raw[i:i + 1] for i in range(len(raw))]
