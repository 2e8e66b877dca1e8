"""What has arrived at one author over the wire, merged into its text or not yet."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from pycrdt import Doc, TransactionEvent

from collab.protocol.varint import read_varuint
from collab.replay.screen import clocks_and_deletes

Id = tuple[int, int]
"""A character that was typed: (client, clock)."""


class Arrivals:
    """A document fed with everything sent and received, whose clocks and deletions can be asked for.

    State vectors say nothing of deletions, so deleted characters are remembered one by one.
    """

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.clocks: dict[int, int] = {}
        self.deleted: set[Id] = set()
        self._news = False
        self._watch = self.doc.observe(self._note)

    def take(self, update: bytes) -> bool:
        """Merges an update; says whether it brought anything new."""
        self._news = False
        self.doc.apply_update(update)
        return self._news

    def has(self, client: int, clock: int, deleted: Set[Id]) -> bool:
        """Whether the client's text up to `clock`, and these deletions, are here."""
        return self.clocks.get(client, 0) >= clock and deleted <= self.deleted

    def _note(self, event: TransactionEvent) -> None:
        self._news = True
        vector, deletes = clocks_and_deletes(event)
        self.clocks = read_vector(vector)
        self.deleted |= read_deletes(deletes)


def read_vector(data: bytes) -> dict[int, int]:
    """Client ids and the clock that comes next for each, from an encoded state vector."""
    count, offset = read_varuint(data, 0)
    clocks = {}
    for _ in range(count):
        client, offset = read_varuint(data, offset)
        clocks[client], offset = read_varuint(data, offset)
    return clocks


def read_deletes(data: bytes) -> set[Id]:
    """Every deleted id of an encoded delete set."""
    count, offset = read_varuint(data, 0)
    deleted: set[Id] = set()
    for _ in range(count):
        client, offset = read_varuint(data, offset)
        ranges, offset = read_varuint(data, offset)
        for _ in range(ranges):
            clock, offset = read_varuint(data, offset)
            length, offset = read_varuint(data, offset)
            deleted.update((client, c) for c in range(clock, clock + length))
    return deleted
