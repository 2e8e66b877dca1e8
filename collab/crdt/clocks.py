"""What a room knows of its document: the next clock of each client, and what is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from collab.crdt.checked import Checked, Weighed
from collab.crdt.ids import IdRanges, Range
from collab.protocol.varint import write_varuint

if TYPE_CHECKING:
    from collab.crdt.index import StateIndex


AT_ONCE = 1_000
"""Runs or deletions that are looked at in one step: half a millisecond or less."""

FEW_CLIENTS = 1_000
"""The state vector of a document with more is not written anew for each who joins, but where it has changed."""


class Clocks:
    """Bookkeeping that never looks at content.

    An update is *ready* when nothing it builds on is missing; a room stores and shows only those. Once it is stored
    and shown, `advance` says so.
    """

    __slots__ = ("_pieces", "_stale", "_vector", "deleted", "next")

    def __init__(self, next: dict[int, int] | None = None, deleted: IdRanges | None = None) -> None:
        self.next: dict[int, int] = {} if next is None else next
        """Client id to the first clock not known; clocks below are all known."""
        self.deleted = IdRanges() if deleted is None else deleted
        self._vector: bytes | None = None  # encoded, until a clock advances
        self._pieces: dict[int, bytes] = {}  # of it, by client, where there are many
        self._stale: set[int] | None = None  # clients whose pieces are not there or old; None while there are few

    @classmethod
    def from_index(cls, index: StateIndex) -> Clocks:
        """What a stored state holds; its structs are not parsed."""
        return cls(index.clocks(), index.deleted())

    def copy(self) -> Clocks:
        return Clocks(self.next.copy(), self.deleted.copy())

    def adds_nothing(self, update: Checked) -> bool:
        """Whether all its structs and all its deletions are known: it can be dropped."""
        if isinstance(update, Weighed):
            return not update.adds
        known = self.next.get
        for client, _, end in update.runs:
            if end > known(client, 0):
                return False
        return not update.deletes or self.deleted.covers(update.deletes)

    def is_ready(self, update: Checked) -> bool:
        """Whether its structs follow on what is known and it refers to, and deletes, only known clocks."""
        if len(update.runs) == 1 and not update.needs and not update.deletes:
            client, start, _ = update.runs[0]
            return start <= self.next.get(client, 0)
        if isinstance(update, Weighed):
            return True
        if len(update.runs) > 1 and not update.needs and not update.deletes:  # thousands of clients, perhaps
            known = self.next.get
            if not any(start > known(client, 0) for client, start, _ in update.runs):
                return True
        return not self._lacks(update)

    def missing(self, update: Checked) -> dict[int, int]:
        """What an update waits for: client to the first exclusive clock that brings it further; empty if it is ready.

        Each of them by itself: the update may hold several people's edits, and not all of them need ever come.
        """
        return next(made for made in self.finding_missing(update) if made is not None)

    def finding_missing(self, update: Checked) -> Iterator[dict[int, int] | None]:
        """The same in steps: None at each, then what it waited for when that was looked at."""
        after: dict[int, int] = {}
        missing: dict[int, int] = {}
        for some in _chunks(update.runs):
            for client, start, end in some:
                clock = after.get(client, self.next.get(client, 0))
                if start > clock:
                    missing[client] = min(start, missing.get(client, start))
                after[client] = max(clock, end)
            yield None
        for some in chain(_needs(update), _chunks(update.deletes)):
            for client, _, end in some:
                if end > after.get(client, self.next.get(client, 0)):
                    missing[client] = min(end, missing.get(client, end))
            yield None
        yield missing

    def has_reached(self, awaited: Mapping[int, int]) -> bool:
        """Whether nothing is awaited any more, or some of it is known: what waits should be looked at again."""
        known = self.next.get
        return not awaited or any(known(client, 0) >= clock for client, clock in awaited.items())

    def reading_known(self, update: Checked) -> Iterator[dict[int, int] | None]:
        """The next clocks of the clients that an update mentions, as far as there are any: in steps, None at each."""
        known: dict[int, int] = {}
        for some in chain(_chunks(update.runs), _needs(update), _chunks(update.deletes)):
            known.update((client, self.next[client]) for client, _, _ in some if client in self.next)
            yield None
        yield known

    def weighing(self, update: Checked) -> Iterator[Checked | None]:
        """Asks `is_ready` and `adds_nothing` in steps, None at each; then gives the update, as Weighed if it is ready.

        Clocks and deletions only grow, so what others bring between two steps changes no yes to a no.
        """
        newer: dict[int, int] = {}
        fresh: list[int] = []
        for some in _chunks(update.runs):
            if any(start > self.next.get(client, 0) for client, start, _ in some):
                yield update  # or it follows on itself: whoever cuts it will see
                return
            newer.update((client, end) for client, _, end in some if end > self.next.get(client, 0))
            fresh += (client for client, _, _ in some if client not in self.next)
            yield None
        for some in chain(_needs(update), _chunks(update.deletes)):
            if any(end > self.next.get(client, 0) and end > newer.get(client, 0) for client, _, end in some):
                yield update
                return
            yield None
        adds = bool(newer)
        for some in _chunks(() if adds else update.deletes):
            adds = adds or not self.deleted.covers(some)
            yield None
        yield Weighed(update, adds, newer, fresh)

    def _lacks(self, update: Checked) -> bool:
        after: dict[int, int] = {}
        known = self.next.get
        for client, start, end in update.runs:
            clock = after.get(client, known(client, 0))
            if start > clock:
                return True
            after[client] = max(clock, end)
        for client, clock in update.needs.items():
            if clock > after.get(client, known(client, 0)):
                return True
        for client, _, end in update.deletes:  # as fast as it goes
            if end > after.get(client, known(client, 0)):
                return True
        return False

    def advance(self, update: Checked) -> None:
        """Notes that a ready update is now part of the document. Of a Weighed one `noting` does the rest, in steps."""
        next_clock = self.next
        self._vector = None
        if isinstance(update, Weighed):
            newer, known = update.newer, next_clock.get
            for client in [client for client, end in newer.items() if end <= known(client, 0)]:
                del newer[client]  # others have brought it meanwhile
            next_clock.update(newer)
            if self._stale is not None:
                self._stale.update(newer)
            return
        for client, _, end in update.runs:
            if end > next_clock.get(client, 0):
                next_clock[client] = end
                if self._stale is not None:
                    self._stale.add(client)
        if len(update.deletes) == 1:
            self.deleted.add(*update.deletes[0])
        elif update.deletes:
            self.deleted.update(update.deletes)

    def reach(self, client: int, clock: int) -> None:
        """The same for a letter that is known to be the client's next one."""
        self.next[client] = clock
        self._vector = None
        if self._stale is not None:
            self._stale.add(client)

    def before(self, updates: Iterable[Checked]) -> dict[int, int]:
        """The next clocks as they were before these updates, the newest that were noted."""
        clocks = self.next.copy()
        for update in updates:
            for client, start, _ in update.runs:
                clocks[client] = min(start, clocks[client])
        return clocks

    def new_clients(self, update: Checked) -> list[int]:
        """Clients that have not written in this document yet."""
        brought = dict.fromkeys(update.fresh if isinstance(update, Weighed) else (run[0] for run in update.runs))
        return [client for client in brought if client not in self.next]

    def noting(self, deletes: Sequence[Range]) -> Iterator[None]:
        """What `advance` leaves of a Weighed update, in steps: its deletions, and its part of the state vector."""
        yield from self.deleted.adding(deletes)
        if self._stale is None:
            if len(self.next) <= FEW_CLIENTS:
                return
            self._stale = set(self.next)
        while self._stale:
            for _ in range(min(AT_ONCE, len(self._stale))):
                client = self._stale.pop()
                self._pieces[client] = write_varuint(client) + write_varuint(self.next[client])
            yield

    def encode_state_vector(self) -> bytes:
        """Count, then client and next clock; clients descending as yjs writes them, unless there are very many."""
        if self._vector is None and len(self.next) > FEW_CLIENTS:
            for _ in self.noting(()):
                pass
            self._vector = write_varuint(len(self._pieces)) + b"".join(self._pieces.values())
        if self._vector is None:
            out = bytearray(write_varuint(len(self.next)))
            for client in sorted(self.next, reverse=True):
                out += write_varuint(client)
                out += write_varuint(self.next[client])
            self._vector = bytes(out)
        return self._vector


def is_long(update: Checked) -> bool:
    """Whether it is better looked at in steps."""
    return length(update) > AT_ONCE


def length(update: Checked) -> int:
    """How much there is to look at."""
    return len(update.runs) + len(update.needs) + len(update.deletes)


def _needs(update: Checked) -> Iterator[Sequence[Range]]:
    needs = iter(update.needs.items())
    while some := [(client, 0, clock) for client, clock in islice(needs, AT_ONCE)]:
        yield some


def _chunks(ranges: Sequence[Range]) -> Iterator[Sequence[Range]]:
    for at in range(0, len(ranges), AT_ONCE):
        yield ranges[at : at + AT_ONCE]
