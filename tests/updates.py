"""Small V1 updates written by hand, for tests that need exact bytes without a CRDT engine."""

from __future__ import annotations

from collab.protocol.varint import write_varbytes, write_varuint


def typed(client: int, clock: int, text: str, root: str = "t") -> bytes:
    """`client` types `text` at `clock`: first in the root if clock is 0, else right after its own last character."""
    head = b"\x01\x01" + write_varuint(client) + write_varuint(clock)
    if clock == 0:
        where = b"\x04\x01" + write_varbytes(root.encode())
    else:
        where = b"\x84" + write_varuint(client) + write_varuint(clock - 1)
    return head + where + write_varbytes(text.encode()) + b"\x00"


def typed_after(client: int, clock: int, text: str, origin: tuple[int, int]) -> bytes:
    """`client` types `text` after a character of somebody."""
    head = b"\x01\x01" + write_varuint(client) + write_varuint(clock)
    return (
        head + b"\x84" + write_varuint(origin[0]) + write_varuint(origin[1]) + write_varbytes(text.encode()) + b"\x00"
    )


def deleted(client: int, clock: int, length: int) -> bytes:
    """Somebody deletes `length` characters of `client` from `clock` on."""
    return b"\x00\x01" + write_varuint(client) + b"\x01" + write_varuint(clock) + write_varuint(length)


def vector(clocks: dict[int, int]) -> bytes:
    """A state vector."""
    body = b"".join(write_varuint(client) + write_varuint(clock) for client, clock in clocks.items())
    return write_varuint(len(clocks)) + body
