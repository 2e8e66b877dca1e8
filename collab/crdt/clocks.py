"""What a room knows of its document: the next clock of each client, and what is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from collab.crdt.checked import Checked
from collab.crdt.ids import IdRanges
from collab.protocol.varint import write_varuint

if TYPE_CHECKING:
    from collab.crdt.index import StateIndex


class Clocks:
    """Bookkeeping that never looks at content.

    An update is *ready* when nothing it builds on is missing; a room stores and shows only those. Once it is stored
    and shown, `advance` says so.
    """

    __slots__ = ("_vector", "deleted", "next")

    def __init__(self, next: dict[int, int] | None = None, deleted: IdRanges | None = None) -> None:
        self.next: dict[int, int] = {} if next is None else next
        """Client id to the first clock not known; clocks below are all known."""
        self.deleted = IdRanges() if deleted is None else deleted
        self._vector: bytes | None = None  # encoded, until a clock advances

    @classmethod
    def from_index(cls, index: StateIndex) -> Clocks:
        """What a stored state holds; its structs are not parsed."""
        return cls(index.clocks(), index.deleted())

    def copy(self) -> Clocks:
        return Clocks(self.next.copy(), self.deleted.copy())

    def adds_nothing(self, update: Checked) -> bool:
        """Whether all its structs and all its deletions are known: it can be dropped."""
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
        if len(update.runs) > 1 and not update.needs and not update.deletes:  # thousands of clients, perhaps
            known = self.next.get
            if not any(start > known(client, 0) for client, start, _ in update.runs):
                return True
        return next(self._lacks(update), None) is None

    def missing(self, update: Checked) -> dict[int, int]:
        """What an update waits for: client to the first exclusive clock that brings it further; empty if it is ready.

        Each of them by itself: the update may hold several people's edits, and not all of them need ever come.
        """
        missing: dict[int, int] = {}
        for client, clock in self._lacks(update):
            missing[client] = min(clock, missing.get(client, clock))
        return missing

    def _lacks(self, update: Checked) -> Iterator[tuple[int, int]]:
        after: dict[int, int] = {}
        known = self.next.get
        for client, start, end in update.runs:
            clock = after.get(client, known(client, 0))
            if start > clock:
                yield client, start
            after[client] = max(clock, end)
        for client, clock in update.needs.items():
            if clock > after.get(client, known(client, 0)):
                yield client, clock
        for client, _, end in update.deletes:
            if end > after.get(client, known(client, 0)):
                yield client, end

    def advance(self, update: Checked) -> None:
        """Notes that a ready update is now part of the document."""
        next_clock = self.next
        self._vector = None
        for client, _, end in update.runs:
            if end > next_clock.get(client, 0):
                next_clock[client] = end
        if len(update.deletes) == 1:
            self.deleted.add(*update.deletes[0])
        elif update.deletes:
            self.deleted.update(update.deletes)

    def reach(self, client: int, clock: int) -> None:
        """The same for a letter that is known to be the client's next one."""
        self.next[client] = clock
        self._vector = None

    def before(self, updates: Iterable[Checked]) -> dict[int, int]:
        """The next clocks as they were before these updates, the newest that were noted."""
        clocks = self.next.copy()
        for update in updates:
            for client, start, _ in update.runs:
                clocks[client] = min(start, clocks[client])
        return clocks

    def new_clients(self, update: Checked) -> list[int]:
        """Clients that have not written in this document yet."""
        return [client for client in dict.fromkeys(run[0] for run in update.runs) if client not in self.next]

    def encode_state_vector(self) -> bytes:
        """Count, then client and next clock, clients descending as yjs writes them."""
        if self._vector is None:
            out = bytearray(write_varuint(len(self.next)))
            for client in sorted(self.next, reverse=True):
                out += write_varuint(client)
                out += write_varuint(self.next[client])
            self._vector = bytes(out)
        return self._vector
