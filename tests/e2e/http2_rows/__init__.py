"""Frames of a client and what must become of them (RFC 9113, 7541, 8441)."""
from . import frames, heads, packing, streams, websocket

ROWS = [*frames.ROWS, *heads.ROWS, *packing.ROWS, *streams.ROWS,
        *websocket.ROWS]
