"""WebSocket framing of what the server sends: unmasked, so one frame's bytes serve every recipient (RFC 6455 5.2)."""

from __future__ import annotations

from collections.abc import Iterator


def frame(message: bytes) -> bytes:
    """One binary message as it goes on the wire."""
    size = len(message)
    if size < 126:
        return bytes((0x82, size)) + message
    if size < 65536:
        return b"\x82\x7e" + size.to_bytes(2, "big") + message
    return b"\x82\x7f" + size.to_bytes(8, "big") + message


def messages(wire: bytes) -> Iterator[bytes]:
    """The messages in a run of frames made by `frame`, for transports that do their own framing."""
    offset = 0
    while offset < len(wire):
        size = wire[offset + 1]
        offset += 2
        if size == 126:
            size, offset = int.from_bytes(wire[offset : offset + 2], "big"), offset + 2
        elif size == 127:
            size, offset = int.from_bytes(wire[offset : offset + 8], "big"), offset + 8
        yield wire[offset : offset + size]
        offset += size


def first_byte(wire: bytes) -> int:
    """The first byte of the first message in a run of frames: its type, in every dialect that is served."""
    size = wire[1]
    return wire[2 if size < 126 else 4 if size == 126 else 10]
