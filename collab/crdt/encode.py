"""Putting updates together from pieces of others, byte for byte where nothing had to be cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collab.crdt.content import ANY, DELETED, GC, JSON, SKIP, STRING, read_buffer, read_count, skip_any
from collab.crdt.decode import HAS_KEY, HAS_ORIGIN, Struct
from collab.crdt.varints import read_varuint
from collab.limits import DEFAULT
from collab.protocol.varint import write_varbytes, write_varuint

REPLACEMENT = "\ufffd".encode()

NO_DELETES = b"\0"
"""An empty delete set."""


class Run:
    """The structs of one client in the making; `pieces` hold `count` structs from `clock` on."""

    __slots__ = ("client", "clock", "count", "pieces")

    def __init__(self, client: int, clock: int, pieces: list[bytes], count: int) -> None:
        self.client = client
        self.clock = clock
        self.pieces = pieces
        self.count = count


def encode(runs: Iterable[Run], delete_set: bytes) -> bytes:
    """An update of the runs, higher clients first: so conflicts resolve with the fewest steps (yjs `encoding.js`)."""
    pieces: list[bytes] = []
    ordered = sorted(runs, key=lambda run: run.client, reverse=True)
    for run in ordered:
        pieces += (write_varuint(run.count), write_varuint(run.client), write_varuint(run.clock), *run.pieces)
    return b"".join((write_varuint(len(ordered)), *pieces, delete_set))


def write_skip(length: int) -> bytes:
    """A gap of so many clocks."""
    return bytes((SKIP,)) + write_varuint(length)


def write_id(client: int, clock: int) -> bytes:
    """A reference to one element."""
    return write_varuint(client) + write_varuint(clock)


def cut(data: bytes, struct: Struct, client: int, clock: int) -> bytes:
    """The part of a struct from `clock` on, as a struct of its own (yjs `updates.js`, `sliceStruct`).

    Its origin is the element before it. Content is copied as it is; half of a surrogate pair becomes U+FFFD.
    """
    kind, skipped = struct.info & 31, clock - struct.clock
    if kind in (GC, SKIP):
        return bytes((kind,)) + write_varuint(struct.end - clock)
    head = bytes(((struct.info & ~HAS_KEY) | HAS_ORIGIN,)) + write_id(client, clock - 1)
    if struct.right is not None:
        head += write_id(*struct.right)
    return head + cut_content(data, struct.body, kind, skipped)


def cut_content(data: bytes, body: int, kind: int, skipped: int) -> bytes:
    """Encoded content without its first elements. Only kinds that can hold several elements are ever cut."""
    if kind == DELETED:
        return write_varuint(read_varuint(data, body)[0] - skipped)
    if kind == STRING:
        return write_varbytes(cut_text(read_buffer(data, body)[0], skipped))
    if kind not in (JSON, ANY):
        raise ValueError(f"content {kind} has one element")
    count, offset = read_count(data, body)
    for _ in range(skipped):
        offset = read_buffer(data, offset)[1] if kind == JSON else skip_any(data, offset, DEFAULT.nesting_max)
    stop = offset
    for _ in range(count - skipped):
        stop = read_buffer(data, stop)[1] if kind == JSON else skip_any(data, stop, DEFAULT.nesting_max)
    return write_varuint(count - skipped) + data[offset:stop]


def cut_text(text: bytes, skipped: int) -> bytes:
    """UTF-8 without its first UTF-16 code units."""
    if text.isascii():
        return text[skipped:]
    return slice_text(text.decode().encode("utf-16-le"), skipped, None)


def slice_text(units: bytes, start: int, end: int | None) -> bytes:
    """UTF-8 of a range of UTF-16-LE code units; halves of surrogate pairs at its ends become U+FFFD."""
    part = units[2 * start : None if end is None else 2 * end]
    if not part:
        return b""
    before = after = b""
    if 0xDC <= part[1] <= 0xDF:
        before, part = REPLACEMENT, part[2:]
    if part and 0xD8 <= part[-1] <= 0xDB:
        after, part = REPLACEMENT, part[:-2]
    return before + part.decode("utf-16-le").encode() + after


def whole(data: bytes, structs: Sequence[Struct]) -> bytes:
    """The bytes of adjacent structs."""
    return data[structs[0].start : structs[-1].stop] if structs else b""
