"""What the gate learnt about an update that it let through; what the room's bookkeeping needs of it."""

from __future__ import annotations

from collections.abc import Mapping

from collab.crdt.ids import Range

NOTHING_NEEDED: Mapping[int, int] = {}
"""Shared by all updates that refer to no other client; never changed."""


class Checked:
    """An update that passed the gate.

    raw      the bytes, as they came
    runs     (client, first clock, end clock) of what it adds; more than one per client if there are gaps
    needs    other clients' clocks that must be known first, exclusive, unless the update brings them itself
    deletes  (client, first clock, end clock), ascending and disjoint within each client
    count    structs, gaps included
    body     offset of the first struct of the first client
    tail     offset of the delete set
    """

    __slots__ = ("body", "count", "deletes", "needs", "raw", "runs", "tail")

    def __init__(
        self,
        raw: bytes,
        runs: tuple[Range, ...],
        needs: Mapping[int, int],
        deletes: tuple[Range, ...],
        count: int,
        body: int,
        tail: int,
    ) -> None:
        self.raw = raw
        self.runs = runs
        self.needs = needs
        self.deletes = deletes
        self.count = count
        self.body = body
        self.tail = tail

    def __repr__(self) -> str:
        return f"Checked({len(self.raw)} bytes, runs={self.runs[:4]}, deletes={self.deletes[:4]})"
