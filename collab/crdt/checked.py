"""What the gate learnt about an update that it let through; what the room's bookkeeping needs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    text     what was typed, if it is but one short string; else None
    right    of such a string: the bytes of its right origin, empty if it has none
    follows  whether such a string goes on where its author's last element ended
    """

    __slots__ = ("body", "count", "deletes", "follows", "needs", "raw", "right", "runs", "tail", "text")

    def __init__(
        self,
        raw: bytes,
        runs: Sequence[Range],
        needs: Mapping[int, int],
        deletes: Sequence[Range],
        count: int,
        body: int,
        tail: int,
        text: bytes | None = None,
        right: bytes = b"",
        follows: bool = False,
    ) -> None:
        self.raw = raw
        self.runs = runs
        self.needs = needs
        self.deletes = deletes
        self.count = count
        self.body = body
        self.tail = tail
        self.text = text
        self.right = right
        self.follows = follows

    def __repr__(self) -> str:
        return f"Checked({len(self.raw)} bytes, runs={self.runs[:4]}, deletes={self.deletes[:4]})"


class Weighed(Checked):
    """One with very many runs or deletions, asked in steps before it is taken (`Clocks.weighing`).

    It has all that it needs; `adds` says whether it brought anything then, `newer` of which clients, and up to which
    clocks, `fresh` which of them were new to the document. None of it can turn for the worse while others go on. Its
    deletions are noted in steps, too, once it is taken.
    """

    __slots__ = ("adds", "fresh", "newer")

    def __init__(self, checked: Checked, adds: bool, newer: dict[int, int], fresh: list[int]) -> None:
        super().__init__(
            checked.raw, checked.runs, checked.needs, checked.deletes, checked.count, checked.body, checked.tail
        )
        self.adds = adds
        self.newer = newer
        self.fresh = fresh
