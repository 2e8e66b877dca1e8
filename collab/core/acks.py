"""How a Hocuspocus provider counts what is unsaved, and which of its changes it may be told are saved.

A provider sets its count to 1 with each step 1 it sends, adds 1 with each update and takes 1 off with each "saved".
So the step 2 that answers ours after its step 1 is owed one, and so is each update. Updates between the two are the
trouble: those that it made before and had queued are in the 1 already, those that it made since are counted. What was
inserted since has clocks that its step 1 did not name; of deletions nobody can tell. One "saved" too many would show as
saved what is not, one too few never: so what is doubtful is told last, once nothing has come for a while. Provider 2
counts below zero, too, and 3 cannot be told from it: these are made to connect anew then, which begins a new count.
"""

from __future__ import annotations

from collab.errors import BadFrame
from collab.protocol.varint import read_varbytes, read_varuint

VECTOR_BYTES_MAX = 1024  # of a step 1 that is read here; above it what follows is doubtful


class Acks:
    """One provider's account. Numbers count from the session's beginning."""

    __slots__ = ("_told", "_vector", "_withheld", "awaits_step2", "owed")

    def __init__(self) -> None:
        self.owed = 0  # so many will have been told when all that came is saved
        self.awaits_step2 = True  # it begins with a step 1
        self._told = 0
        self._withheld = 0
        self._vector: dict[int, int] | None = None

    @property
    def withholds(self) -> bool:
        """True if there are some that `release` would add."""
        return self._withheld > 0 and not self.awaits_step2

    def step1(self, message: bytes) -> None:
        """It begins to count anew; what it is owed of before is in that."""
        self._told, self._withheld, self.awaits_step2 = self.owed, 0, True
        self._vector = _vector(message)

    def step2(self) -> None:
        """The first answers for its step 1; others answer a step 1 that we sent on our own, and are not counted."""
        if self.awaits_step2:
            self.awaits_step2, self._vector = False, None
            self.owed += 1

    def update(self, message: bytes) -> None:
        """It has made a change."""
        if not self.awaits_step2:
            self.owed += 1
            return
        first = _first_run(message)
        if first is None or self._vector is None:
            self._withheld += 1
        elif first[1] >= self._vector.get(first[0], 0):
            self.owed += 1

    def release(self) -> None:
        """Nothing has come for a while."""
        self.owed, self._withheld = self.owed + self._withheld, 0

    def tell(self, upto: int) -> int:
        """All that came until `upto` were owed is saved; returns how many are to be told now."""
        more = max(0, upto - self._told)
        self._told += more
        return more


def _vector(message: bytes) -> dict[int, int] | None:
    """What a step 1 names; None if it is long, or cannot be read."""
    if len(message) > VECTOR_BYTES_MAX:
        return None
    try:
        body, _ = read_varbytes(message, 2)
        count, at = read_varuint(body, 0)
        clocks = {}
        for _ in range(count):
            client, at = read_varuint(body, at)
            clocks[client], at = read_varuint(body, at)
    except BadFrame:
        return None
    return clocks


def _first_run(message: bytes) -> tuple[int, int] | None:
    """(client, clock) of the first struct in an update; None if it only deletes, or cannot be read."""
    try:
        _, at = read_varuint(message, 2)
        clients, at = read_varuint(message, at)
        if clients == 0:
            return None
        _, at = read_varuint(message, at)
        client, at = read_varuint(message, at)
        return client, read_varuint(message, at)[0]
    except BadFrame:
        return None
