"""Sets of clock ranges per client, kept sorted and disjoint; a V1 delete set is one.

Format of a delete set (yjs `DeleteSet.js`, `writeDeleteSet`): count of clients, then for each the client id, a count
of ranges and (clock, length) pairs, all variable-length integers. Every encoder we know writes a client once and its
ranges ascending and disjoint; overlapping ranges would make a reader walk the same structs again and again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from collab.crdt.varints import read_varuint
from collab.errors import BadUpdate
from collab.limits import DEFAULT, Limits
from collab.protocol.varint import write_varuint

Range = tuple[int, int, int]
"""(client, first clock, end clock), the end exclusive."""


RANGES_AT_ONCE = 1_000


class IdRanges:
    """Which clocks of which clients are in the set.

    Per client one flat ascending list `[start, end, start, end, ...]` with exclusive ends and no touching ranges,
    so a clock is inside when an odd number of bounds is at or below it.
    """

    __slots__ = ("bounds",)

    def __init__(self, bounds: dict[int, list[int]] | None = None) -> None:
        self.bounds: dict[int, list[int]] = {} if bounds is None else bounds

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> IdRanges:
        """The union of ranges in any order."""
        made = cls()
        made.update(ranges)
        return made

    def __bool__(self) -> bool:
        return bool(self.bounds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdRanges) and self.bounds == other.bounds

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Range]:
        """Ranges ascending within each client, in the order in which clients were first added."""
        for client, bounds in self.bounds.items():
            for at in range(0, len(bounds), 2):
                yield client, bounds[at], bounds[at + 1]

    def copy(self) -> IdRanges:
        return IdRanges({client: bounds.copy() for client, bounds in self.bounds.items()})

    def ranges_of(self, client: int) -> list[int]:
        """The flat bounds of one client; do not change the list."""
        return self.bounds.get(client, [])

    def add(self, client: int, start: int, end: int) -> None:
        """Adds start <= clock < end; costs a shift of what lies above, so use `update` for many."""
        bounds = self.bounds.get(client)
        if not bounds:
            self.bounds[client] = [start, end]
        elif start > bounds[-1]:
            bounds += (start, end)
        elif start == bounds[-1]:
            bounds[-1] = end
        else:
            low, high = bisect_left(bounds, start), bisect_right(bounds, end)
            bounds[low:high] = ([] if low & 1 else [start]) + ([] if high & 1 else [end])

    def update(self, ranges: Iterable[Range]) -> None:
        """Adds many; linear in what is there and what is added, however they interleave."""
        groups: dict[int, list[tuple[int, int]]] = {}
        for client, start, end in ranges:
            groups.setdefault(client, []).append((start, end))
        for client, added in groups.items():
            if len(added) <= 8:
                for start, end in added:
                    self.add(client, start, end)
            else:
                old = self.bounds.get(client, [])
                self.bounds[client] = _union(sorted([*added, *zip(old[::2], old[1::2], strict=True)]))

    def adding(self, ranges: Sequence[Range]) -> Iterator[None]:
        """Adds many that ascend within each client, in steps of a millisecond at most; others may add between two."""
        at = 0
        while at < len(ranges):
            at += self._add_some(ranges[at : at + RANGES_AT_ONCE])
            yield

    def _add_some(self, ranges: Sequence[Range]) -> int:
        """Adds the first ones; returns how many."""
        done = cost = 0
        for client, group in groupby(ranges, itemgetter(0)):
            added = [(start, end) for _, start, end in group]
            taken, looked_at = self._lay_in(client, added)
            done, cost = done + taken, cost + looked_at
            if taken < len(added) or cost >= RANGES_AT_ONCE:
                break
        return done

    def _lay_in(self, client: int, added: list[tuple[int, int]]) -> tuple[int, int]:
        """Adds the first of one client's ranges; returns how many, and how many were looked at for it."""
        bounds = self.bounds.setdefault(client, [])
        low = bisect_left(bounds, added[0][0]) & ~1
        while (high := bisect_right(bounds, added[-1][1]) + 1 & ~1) - low > 2 * RANGES_AT_ONCE and len(added) > 1:
            added = added[: len(added) // 2]  # much lies between them
        if len(added) == 1:
            self.add(client, *added[0])
            return 1, 1
        inside = bounds[low:high]
        bounds[low:high] = _union(sorted([*added, *zip(inside[::2], inside[1::2], strict=True)]))
        return len(added), len(added) + len(inside) // 2

    def contains(self, client: int, start: int, end: int) -> bool:
        """Whether the whole range is in the set."""
        bounds = self.bounds.get(client)
        if bounds is None:
            return False
        at = bisect_right(bounds, start)
        return bool(at & 1) and end <= bounds[at]

    def covers(self, ranges: Iterable[Range]) -> bool:
        """Whether every one of the ranges is wholly in the set."""
        known: int | None = None
        bounds: list[int] = []
        for client, start, end in ranges:  # there may be half a million
            if client != known:
                known, bounds = client, self.bounds.get(client, [])
            at = bisect_right(bounds, start)
            if not at & 1 or end > bounds[at]:
                return False
        return True

    def missing(self, ranges: Iterable[Range]) -> list[Range]:
        """The parts of the ranges that are not in the set, in the order given."""
        out: list[Range] = []
        for client, start, end in ranges:
            bounds = self.bounds.get(client, [])
            at = bisect_right(bounds, start)
            if at & 1:
                start = bounds[at]
                at += 1
            while start < end:
                stop = min(end, bounds[at]) if at < len(bounds) else end
                out.append((client, start, stop))
                start = bounds[at + 1] if at < len(bounds) else end
                at += 2
        return out

    def encode(self) -> bytes:
        """A V1 delete set, clients descending as yjs writes them; no range is longer than the gate lets through."""
        out = [write_varuint(len(self.bounds))]
        for client in sorted(self.bounds, reverse=True):
            bounds = self.bounds[client]
            ranges = [
                write_varuint(start) + write_varuint(min(end - start, DEFAULT.deleted_run_max))
                for first, end in zip(bounds[::2], bounds[1::2], strict=True)
                for start in range(first, end, DEFAULT.deleted_run_max)
            ]
            out += (write_varuint(client), write_varuint(len(ranges)), *ranges)
        return b"".join(out)

    @classmethod
    def decode(cls, data: bytes, offset: int = 0, limits: Limits = DEFAULT) -> IdRanges:
        """Reads a V1 delete set that ends where data ends. Raises BadUpdate."""
        for made in cls.decoding(data, offset, limits):
            if made is not None:
                return made
        raise AssertionError

    @classmethod
    def decoding(cls, data: bytes, offset: int = 0, limits: Limits = DEFAULT) -> Iterator[IdRanges | None]:
        """The same in steps of a millisecond at most: None while there is more to do, then the set."""
        bounds: dict[int, list[int]] = {}
        end = offset
        try:
            for some, at in _read_delete_set(data, offset, limits):
                end = at
                for client, start, stop in some:
                    row = bounds.setdefault(client, [])
                    if row and row[-1] == start:
                        row[-1] = stop
                    else:
                        row += (start, stop)
                yield None
        except IndexError:
            raise BadUpdate("the delete set ends early", len(data)) from None
        if end != len(data):
            raise BadUpdate("bytes follow the delete set", end)
        yield cls(bounds)


def read_delete_set(data: bytes, offset: int, limits: Limits) -> tuple[list[Range], int]:
    """Returns (ranges, next offset); raises BadUpdate unless each client is listed once with ascending ranges."""
    ranges: list[Range] = []
    end = offset
    try:
        for some, at in _read_delete_set(data, offset, limits):
            ranges += some
            end = at
    except IndexError:
        raise BadUpdate("the delete set ends early", len(data)) from None
    return ranges, end


def _read_delete_set(data: bytes, offset: int, limits: Limits) -> Iterator[tuple[list[Range], int]]:
    """Yields some of the ranges at a time, and the offset behind them; the last ones may be none."""
    some: list[Range] = []
    left = limits.deleted_ranges_max
    clients, offset = read_varuint(data, offset)
    if clients > min(len(data) - offset, limits.clients_max):
        raise BadUpdate(f"{clients} clients announced in the delete set", offset)
    seen: set[int] = set()
    for _ in range(clients):
        client, offset = read_varuint(data, offset)
        if client > limits.client_id_max or client in seen:
            raise BadUpdate("a client id is too large, or listed twice in the delete set", offset)
        seen.add(client)
        count, offset = read_varuint(data, offset)
        if count > min(len(data) - offset, left):
            raise BadUpdate(f"{count} deleted ranges announced", offset)
        left -= count
        floor = 0
        for _ in range(count):
            start, offset = read_varuint(data, offset)
            length, offset = read_varuint(data, offset)
            end = start + length
            if start < floor or end > limits.clock_max or not 0 < length <= limits.deleted_run_max:
                raise BadUpdate("a deleted range is empty, too long, out of order or overlaps another", offset)
            some.append((client, start, end))
            floor = end
            if len(some) == RANGES_AT_ONCE:
                yield some, offset
                some = []
    yield some, offset


def _union(spans: list[tuple[int, int]]) -> list[int]:
    """Flat bounds of ascending spans that may overlap or touch."""
    out = [*spans[0]]
    for start, end in spans:
        if start > out[-1]:
            out += (start, end)
        elif end > out[-1]:
            out[-1] = end
    return out
