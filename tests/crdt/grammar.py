"""Valid V1 updates written from scratch, with what they mean; shares no code with the codec but the integer writer."""

from __future__ import annotations

import json
import struct as packing
from dataclasses import dataclass, field

from hypothesis import strategies as st

from collab.protocol.varint import write_varuint as uint

Id = tuple[int, int]


@dataclass
class Made:
    """One struct: its encoded content, how many clocks it takes, and where it lies."""

    kind: int
    length: int
    content: bytes
    origin: Id | None = None
    right: Id | None = None
    parent: bytes | Id | None = None
    key: bytes | None = None

    def encode(self) -> bytes:
        if self.kind in (0, 10):
            return bytes((self.kind,)) + self.content
        info = self.kind | (128 if self.origin else 0) | (64 if self.right else 0) | (32 if self.key is not None else 0)
        out = bytes((info,))
        for reference in (self.origin, self.right):
            if reference is not None:
                out += uint(reference[0]) + uint(reference[1])
        if self.origin is None and self.right is None:
            out += b"\x01" + sized(self.parent) if isinstance(self.parent, bytes) else b"\x00" + ident(self.parent)
            out += sized(self.key) if self.key is not None else b""
        return out + self.content


@dataclass
class MadeUpdate:
    """Client to (first clock, structs), and deleted (clock, length) ranges of clients."""

    sections: dict[int, tuple[int, list[Made]]] = field(default_factory=dict)
    deletes: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def encode(self) -> bytes:
        out = uint(len(self.sections))
        for client, (clock, structs) in self.sections.items():
            out += uint(len(structs)) + uint(client) + uint(clock)
            out += b"".join(made.encode() for made in structs)
        out += uint(len(self.deletes))
        for client, ranges in self.deletes.items():
            out += uint(client) + uint(len(ranges)) + b"".join(uint(clock) + uint(length) for clock, length in ranges)
        return out

    def runs(self) -> list[tuple[int, int, int]]:
        """(client, first clock, end clock) between gaps."""
        out = []
        for client, (clock, structs) in self.sections.items():
            start = clock
            for made in structs:
                if made.kind == 10:
                    out += [(client, start, clock)] if clock > start else []
                    start = clock + made.length
                clock += made.length
            out += [(client, start, clock)] if clock > start else []
        return out


def sized(data: bytes) -> bytes:
    return uint(len(data)) + data


def ident(reference: Id | None) -> bytes:
    assert reference is not None
    return uint(reference[0]) + uint(reference[1])


def units(text: str) -> int:
    """Clocks that a text takes: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CLIENTS = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1), st.integers(0, 2**53 - 1))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False).encode())


def _varint(value: int) -> bytes:
    sign, value = (64 if value < 0 else 0), abs(value)
    head = value & 63 | sign | (128 if value > 63 else 0)
    return bytes((head,)) + (uint(value >> 6) if value > 63 else b"")


ANY_VALUES = st.recursive(
    st.sampled_from([b"\x7f", b"\x7e", b"\x79", b"\x78"])
    | st.integers(-(2**53 - 1), 2**53 - 1).map(lambda n: b"\x7d" + _varint(n))
    | st.floats(width=32).map(lambda x: b"\x7c" + packing.pack(">f", x))
    | st.floats().map(lambda x: b"\x7b" + packing.pack(">d", x))
    | st.integers(-(2**63), 2**63 - 1).map(lambda n: b"\x7a" + packing.pack(">q", n))
    | TEXT.map(lambda text: b"\x77" + sized(text.encode()))
    | st.binary(max_size=8).map(lambda data: b"\x74" + sized(data)),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda row: b"\x75" + uint(len(row)) + b"".join(row))
        | st.dictionaries(TEXT, inner, max_size=3).map(
            lambda row: b"\x76" + uint(len(row)) + b"".join(sized(k.encode()) + v for k, v in row.items())
        )
    ),
    max_leaves=6,
)

LENGTHS = st.one_of(st.integers(1, 5), st.integers(1, 10_000))

CONTENTS = st.one_of(
    LENGTHS.map(lambda n: Made(0, n, uint(n))),
    LENGTHS.map(lambda n: Made(1, n, uint(n))),
    st.lists(JSON_VALUES | st.just(b"undefined"), min_size=1, max_size=3).map(
        lambda row: Made(2, len(row), uint(len(row)) + b"".join(map(sized, row)))
    ),
    st.binary(max_size=8).map(lambda data: Made(3, 1, sized(data))),
    TEXT.filter(bool).map(lambda text: Made(4, units(text), sized(text.encode()))),
    JSON_VALUES.map(lambda value: Made(5, 1, sized(value))),
    st.tuples(TEXT, JSON_VALUES).map(lambda pair: Made(6, 1, sized(pair[0].encode()) + sized(pair[1]))),
    st.sampled_from([0, 1, 2, 4, 6]).map(lambda kind: Made(7, 1, uint(kind))),
    TEXT.map(lambda name: Made(7, 1, b"\x03" + sized(name.encode()))),
    st.lists(ANY_VALUES, min_size=1, max_size=3).map(lambda row: Made(8, len(row), uint(len(row)) + b"".join(row))),
    TEXT.map(lambda guid: Made(9, 1, sized(guid.encode()) + b"\x76\x00")),
    LENGTHS.map(lambda n: Made(10, n, uint(n))),
)


@st.composite
def updates(draw: st.DrawFn) -> MadeUpdate:
    """Any update that the gate must let through. Foreign references go to clients that the update does not bring."""
    made = MadeUpdate()
    elsewhere = draw(CLIENTS)
    for client in draw(st.lists(CLIENTS.filter(lambda c: c != elsewhere), max_size=3, unique=True)):
        clock = draw(st.integers(0, 300) | st.integers(0, 2**30))
        structs = draw(st.lists(CONTENTS, min_size=1, max_size=5))
        while structs and structs[-1].kind == 10:
            structs.pop()
        while structs and structs[0].kind == 10:
            structs.pop(0)
        if structs:
            made.sections[client] = clock, structs
            _place(draw, client, clock, structs, elsewhere)
    for client in draw(st.lists(CLIENTS, max_size=3, unique=True)):
        made.deletes[client] = draw(ranges())
    return made


def _place(draw: st.DrawFn, client: int, clock: int, structs: list[Made], elsewhere: int) -> None:
    """Gives each struct origins, or a parent."""
    types: list[Id] = [(elsewhere, 7)]
    for made in structs:
        if made.kind not in (0, 10):
            ids = [(elsewhere, draw(st.integers(0, 1000)))] + (
                [(client, draw(st.integers(0, clock - 1)))] if clock else []
            )
            made.origin = draw(st.none() | st.sampled_from(ids))
            made.right = draw(st.none() | st.sampled_from(ids))
            if made.origin is None and made.right is None:
                roots: list[bytes | Id] = [b"", b"t", "tü".encode()]
                made.parent = draw(st.sampled_from([*roots, *types]))
                single = made.length == 1 or made.kind == 1
                made.key = draw(st.none() | st.just(b"k")) if single and made.kind != 6 else None
            if made.kind == 7:
                types.append((client, clock))
        clock += made.length


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Ascending disjoint (clock, length) pairs, some of them touching."""
    out, clock = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 200), LENGTHS), max_size=4)):
        out.append((clock + gap, length))
        clock += gap + length
    return out
