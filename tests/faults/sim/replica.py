"""A replica that keeps bytes, as a client's document does: what it knows, in which order, and what it waits for."""

from __future__ import annotations

from hashlib import sha256

from collab.crdt.clocks import Clocks
from collab.crdt.diff import diff
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.merge import merge
from collab.crdt.split import split


class Replica:
    """Applies what is ready and holds back what is not, like yjs; its content is whatever the codec folds it to."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.updates: list[bytes] = []
        self.pending: list[bytes] = []

    def apply(self, update: bytes) -> None:
        """Takes an update in, whole or in part, and then whatever waited for it."""
        if not self._take(update):
            return
        while self.pending:
            waiting, self.pending = self.pending, []
            if not sum(self._take(one) for one in waiting):
                return

    def _take(self, update: bytes) -> bool:
        checked = check(update)
        if self.clocks.adds_nothing(checked):
            return False
        if not self.clocks.is_ready(checked):
            ready, ahead = split(checked, self.clocks)
            if ahead is not None:
                self.pending.append(ahead)
            if ready is None:
                return False
            checked = check(ready)
        self.clocks.advance(checked)
        self.updates.append(checked.raw)
        return True

    def state(self) -> bytes:
        """Everything, as one update."""
        if len(self.updates) != 1:
            self.updates = [merge(self.updates)]
        return self.updates[0]

    def lacking(self, vector: dict[int, int]) -> bytes:
        """The answer to a step 1; yjs puts what it holds back into it as well."""
        return diff(merge([self.state(), *self.pending]), None, vector)

    def content(self) -> str:
        """Equal for two replicas exactly if they hold the same elements, values and deletions."""
        return sha256(fold(None, self.updates)).hexdigest()[:16]
