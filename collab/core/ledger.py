"""What is entered, what is durable, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable


class Ledger:
    """Counts a room's accepted updates 1, 2, 3… and learns from commits which of them are on disk.

    `seq` is the document's sequence number up to which nothing is missing here: where several nodes write, a commit
    may be known before one that came earlier. This node's own commits arrive in the order of entry.
    """

    __slots__ = ("_ahead", "_waiting", "durable", "entered", "seq")

    def __init__(self, seq: int) -> None:
        self.entered = 0
        self.durable = 0
        self.seq = seq
        self._waiting: list[tuple[int, Callable[[int], None]]] = []
        self._ahead: dict[int, int] = {}  # first to last seq of commits known beyond a gap

    def enter(self) -> int:
        """Counts one more accepted update; returns its number."""
        self.entered += 1
        return self.entered

    def is_durable(self, number: int) -> bool:
        """True once the update with this number, and all before it, are committed."""
        return number <= self.durable

    def when_durable(self, number: int, tell: Callable[[int], None]) -> None:
        """Calls tell(seq) once the update is committed: at once if it is."""
        if number <= self.durable:
            tell(self.seq)
        else:
            self._waiting.append((number, tell))

    def forget(self, tell: Callable[[int], None]) -> None:
        """Who waited has given up."""
        self._waiting = [w for w in self._waiting if w[1] is not tell]

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def gap(self) -> bool:
        """True while a commit is known but not all before it."""
        return bool(self._ahead)

    def reach(self, first_seq: int, last_seq: int) -> None:
        """What was committed under these numbers, here or elsewhere, is in the room."""
        if first_seq > self.seq + 1:
            self._ahead[first_seq] = max(last_seq, self._ahead.get(first_seq, 0))
            return
        self.seq = max(self.seq, last_seq)
        while self._ahead and (first := min(self._ahead)) <= self.seq + 1:
            self.seq = max(self.seq, self._ahead.pop(first))

    def commit(self, first_seq: int, last_seq: int) -> None:
        """The oldest (last_seq - first_seq + 1) updates that were not durable are, under these numbers."""
        before = self.durable
        self.durable += last_seq - first_seq + 1
        self.reach(first_seq, last_seq)
        if self._waiting:
            due = [w for w in self._waiting if w[0] <= self.durable]
            self._waiting = [w for w in self._waiting if w[0] > self.durable]
            for number, tell in due:
                tell(first_seq + max(number - before, 1) - 1)
