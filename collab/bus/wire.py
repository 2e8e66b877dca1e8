"""Frames between nodes as bytes: version (1 byte, 1), then frames one after the other.

A frame: kind, node, lineage, first seq, last seq, count of bodies, bodies. Integers are var-ints, the rest
length-prefixed bytes. The document is not in it: that is the channel's name.
"""

from __future__ import annotations

from collections.abc import Iterable

from collab.bus.base import BusFrame, Kind
from collab.errors import BadFrame
from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint
from collab.types import DocumentId

VERSION = b"\x01"


def encode(frame: BusFrame) -> bytes:
    """One frame; put VERSION before the first one of a message."""
    parts = [
        bytes((frame.kind,)),
        write_varbytes(frame.node.encode()),
        write_varbytes(frame.lineage.encode()),
        write_varuint(frame.first_seq),
        write_varuint(frame.last_seq),
        write_varuint(len(frame.bodies)),
    ]
    for body in frame.bodies:
        parts += (write_varuint(len(body)), body)
    return b"".join(parts)


def decode(message: bytes, document: DocumentId) -> Iterable[BusFrame]:
    """The frames of a message. Raises BadFrame, for another version too: such a node reads the log instead."""
    if message[:1] != VERSION:
        raise BadFrame(f"bus message of version {message[:1]!r}")
    offset = 1
    while offset < len(message):
        try:
            kind = Kind(message[offset])
            frame, offset = _read(message, offset + 1, kind, document)
        except (ValueError, IndexError) as error:
            raise BadFrame(f"bus message: {error}") from error
        yield frame


def _read(message: bytes, offset: int, kind: Kind, document: DocumentId) -> tuple[BusFrame, int]:
    node, offset = read_varbytes(message, offset)
    lineage, offset = read_varbytes(message, offset)
    first, offset = read_varuint(message, offset)
    last, offset = read_varuint(message, offset)
    count, offset = read_varuint(message, offset)
    bodies = []
    for _ in range(count):
        body, offset = read_varbytes(message, offset)
        bodies.append(body)
    return BusFrame(kind, node.decode(), document, lineage.decode(), first, last, tuple(bodies)), offset
