"""Putting updates together from pieces of others, byte for byte where nothing had to be cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from collab.crdt.content import DELETED, GC, JSON, SKIP, STRING, read_buffer, read_count, skip_any
from collab.crdt.decode import HAS_KEY, HAS_ORIGIN, Struct
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


_write_client = lru_cache(1 << 14)(write_varuint)  # the same few type all day, under ids of five to eight bytes


def encode(runs: Iterable[Run], delete_set: bytes) -> bytes:
    """An update of the runs, higher clients first: so conflicts resolve with the fewest steps (yjs `encoding.js`)."""
    pieces: list[bytes] = []
    ordered = sorted(runs, key=lambda run: run.client, reverse=True)
    for run in ordered:
        pieces += (write_varuint(run.count), _write_client(run.client), write_varuint(run.clock), *run.pieces)
    return b"".join((write_varuint(len(ordered)), *pieces, delete_set))


def write_skip(length: int) -> bytes:
    """A gap of so many clocks."""
    return bytes((SKIP,)) + write_varuint(length)


def write_id(client: int, clock: int) -> bytes:
    """A reference to one element."""
    return write_varuint(client) + write_varuint(clock)


def cut(data: bytes, struct: Struct, client: int, start: int, end: int) -> bytes:
    """The clocks start <= c < end of a struct, as a struct of its own (yjs `updates.js`, `sliceStruct`).

    If its start is cut off, its origin is the element before. Content is copied as it is; half of a surrogate pair
    becomes U+FFFD.
    """
    kind = struct.info & 31
    if kind in (GC, SKIP):
        return data[struct.start : struct.body] + write_varuint(end - start)
    if start == struct.clock:
        head = data[struct.start : struct.body]
    else:
        head = bytes(((struct.info & ~HAS_KEY) | HAS_ORIGIN,)) + write_id(client, start - 1)
        head += b"" if struct.right is None else write_id(*struct.right)
    return head + _cut_content(data, struct, start - struct.clock, end - struct.clock)


def _cut_content(data: bytes, struct: Struct, first: int, last: int) -> bytes:
    """Encoded content from element `first` up to `last`. Only kinds that can hold several elements are ever cut."""
    kind = struct.info & 31
    if kind == DELETED:
        return write_varuint(last - first)
    if kind == STRING:
        text = read_buffer(data, struct.body)[0]
        return write_varbytes(text[first:last] if text.isascii() else slice_text(utf16(text), first, last))
    at = value_offsets(data, read_count(data, struct.body)[1], kind, last)
    return write_varuint(last - first) + data[at[first] : at[last]]


def value_offsets(data: bytes, offset: int, kind: int, count: int) -> list[int]:
    """Where each of `count` values of JSON or ANY content begins, and where the last one ends."""
    offsets = [offset]
    for _ in range(count):
        offset = read_buffer(data, offset)[1] if kind == JSON else skip_any(data, offset, DEFAULT.nesting_max)
        offsets.append(offset)
    return offsets


def utf16(text: bytes) -> bytes:
    """UTF-8 as little-endian UTF-16, in which clocks are pairs of bytes."""
    return text.decode().encode("utf-16-le")


def slice_text(units: bytes, start: int, end: int) -> bytes:
    """UTF-8 of a range of UTF-16-LE code units; halves of surrogate pairs at its ends become U+FFFD."""
    part = units[2 * start : 2 * end]
    before = after = b""
    if part and 0xDC <= part[1] <= 0xDF:
        before, part = REPLACEMENT, part[2:]
    if part and 0xD8 <= part[-1] <= 0xDB:
        after, part = REPLACEMENT, part[:-2]
    return before + part.decode("utf-16-le").encode() + after


def whole(data: bytes, structs: Sequence[Struct]) -> bytes:
    """The bytes of adjacent structs."""
    return data[structs[0].start : structs[-1].stop] if structs else b""
