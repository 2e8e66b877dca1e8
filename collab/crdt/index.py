"""The side table of a stored state, so that loading and answering need not parse it.

It tells where each client's structs lie and, every 64 structs, which clock is at which byte. It is stored
beside the state and trusted no further than its bounds can be checked.

Format, integers variable-length: version, length of the state, offset of its delete set, count of clients, then for
each: client, clock of the first struct, clocks spanned, next clock that is known without gap, count of structs, offset
of the first struct, bytes, count of marks, and each mark as (structs, clocks, bytes) since the one before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from collab.crdt.content import SKIP
from collab.crdt.decode import STORED, Section, Struct, decode, read_structs
from collab.crdt.ids import IdRanges
from collab.crdt.varints import read_varuint
from collab.errors import BadUpdate
from collab.protocol.varint import write_varuint

VERSION = 1
PARTS_AT_ONCE = 128
MARK_EVERY = 64
"""Structs between marks: parsing that many costs a tenth of a millisecond, a mark takes some five bytes."""


class Mark(NamedTuple):
    """Struct number `number` of its client begins at `clock` and byte `offset`."""

    number: int
    clock: int
    offset: int


class Part(NamedTuple):
    """Where one client's structs lie: `state[start:stop]`; clocks below `known` have no gap before them."""

    client: int
    clock: int
    end: int
    known: int
    total: int
    start: int
    stop: int
    marks: list[Mark]


class StateIndex:
    """The decoded side table, bound to its state; the delete set begins at `tail`."""

    __slots__ = ("_encoded", "parts", "state", "tail")

    def __init__(self, state: bytes, tail: int, parts: list[Part], encoded: bytes | None = None) -> None:
        """`encoded`: the bytes of this table, by whoever has them."""
        self._encoded = encoded
        self.state = state
        self.tail = tail
        self.parts = parts

    @classmethod
    def decode(cls, index: bytes, state: bytes) -> StateIndex:
        """Raises BadUpdate unless the table fits a state of this length."""
        for made in cls.decoding(index, state):
            if made is not None:
                return made
        raise AssertionError

    @classmethod
    def decoding(cls, index: bytes, state: bytes) -> Iterator[StateIndex | None]:
        """The same in steps of a millisecond at most: None while there is more to do, then the table."""
        try:
            for read in _read(index, len(state)):
                yield None if read is None else cls(state, *read, index)
        except IndexError:
            raise BadUpdate("the index ends early", len(index)) from None

    def encode(self) -> bytes:
        """The table as it is stored."""
        if self._encoded is None:
            head = (len(self.state), self.tail, len(self.parts))
            self._encoded = b"".join((bytes((VERSION,)), *map(write_varuint, head), *map(_write_part, self.parts)))
        return self._encoded

    def clocks(self) -> dict[int, int]:
        """Client to next clock, of everything before the first gap."""
        return {part.client: part.known for part in self.parts if part.known}

    def deleted(self) -> IdRanges:
        """The state's delete set."""
        return IdRanges.decode(self.state, self.tail, STORED)

    def reading_deleted(self) -> Iterator[IdRanges | None]:
        """The same in steps, as `decoding`."""
        return IdRanges.decoding(self.state, self.tail, STORED)

    def structs_from(self, part: Part, clock: int) -> tuple[int, list[Struct]]:
        """Parses the few structs around `clock`. Returns (structs from the first of them to the part's end, them)."""
        at = bisect_right(part.marks, clock, key=_clock) - 1
        mark = part.marks[at]
        stop = part.marks[at + 1].number if at + 1 < len(part.marks) else part.total
        structs = read_structs(self.state, mark.offset, stop - mark.number, part.client, mark.clock)
        return part.total - mark.number, structs


def build(state: bytes) -> bytes:
    """The side table of a state. Raises BadUpdate if the state is no update."""
    decoded = decode(state)
    return StateIndex(state, decoded.tail, [_part(section) for section in decoded.sections]).encode()


def _clock(mark: Mark) -> int:
    return mark.clock


def _part(section: Section) -> Part:
    structs = section.structs
    marks = [Mark(at, structs[at].clock, structs[at].start) for at in range(0, len(structs), MARK_EVERY)]
    known, total = _known(section), len(structs)
    return Part(section.client, section.clock, section.end, known, total, section.start, section.stop, marks)


def _write_part(part: Part) -> bytes:
    numbers = [part.client, part.clock, part.end - part.clock, part.known, part.total]
    numbers += [part.start, part.stop - part.start, len(part.marks)]
    before = Mark(0, part.clock, part.start)
    for mark in part.marks:
        numbers += (mark.number - before.number, mark.clock - before.clock, mark.offset - before.offset)
        before = mark
    return b"".join(map(write_varuint, numbers))


def _known(section: Section) -> int:
    """The next clock that is known without gap."""
    if section.clock > 0:
        return 0
    return next((struct.clock for struct in section.structs if struct.info == SKIP), section.end)


def _read(index: bytes, size: int) -> Iterator[tuple[int, list[Part]] | None]:
    if index[0] != VERSION:
        raise BadUpdate(f"an index of version {index[0]}", 0)
    length, at = read_varuint(index, 1)
    tail, at = read_varuint(index, at)
    count, at = read_varuint(index, at)
    if length != size or tail >= size or count > len(index) - at:
        raise BadUpdate("the index belongs to another state", at)
    parts: list[Part] = []
    for _ in range(count):
        part, at = _read_part(index, at)
        if part.start < (parts[-1].stop if parts else 1) or part.stop > tail:
            raise BadUpdate("a client of the index lies outside of the state", at)
        parts.append(part)
        if not len(parts) % PARTS_AT_ONCE:
            yield None
    if at != len(index):
        raise BadUpdate("bytes follow the index", at)
    yield tail, parts


def _read_part(index: bytes, at: int) -> tuple[Part, int]:
    numbers = []
    for _ in range(8):
        number, at = read_varuint(index, at)
        numbers.append(number)
    client, clock, span, known, structs, start, length, count = numbers
    if not 0 < count <= structs <= length or known > clock + span or count > len(index) - at:
        raise BadUpdate("a client of the index is inconsistent", at)
    marks: list[Mark] = []
    mark = Mark(0, clock, start)
    for _ in range(count):
        steps = []
        for _ in range(3):
            step, at = read_varuint(index, at)
            steps.append(step)
        mark = Mark(mark.number + steps[0], mark.clock + steps[1], mark.offset + steps[2])
        marks.append(mark)
    if mark.number >= structs or mark.clock >= clock + span or mark.offset >= start + length:
        raise BadUpdate("a mark of the index lies outside of its client", at)
    return Part(client, clock, clock + span, known, structs, start, start + length, marks), at
