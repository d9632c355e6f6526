"""Frames of a client and what must become of them (RFC 9113, RFC 7541)."""
from . import frames, heads, packing, streams

ROWS = [*frames.ROWS, *heads.ROWS, *packing.ROWS, *streams.ROWS]
