"""A replica that keeps bytes, as a client's document does: what it knows, in which order, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from collab.crdt.clocks import Clocks
from collab.crdt.diff import diff
from collab.crdt.split import split
from tests.faults.sim.known import folded, known, merged


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
        checked = known(update)
        if self.clocks.adds_nothing(checked):
            return False
        if not self.clocks.is_ready(checked):
            ready, ahead = split(checked, self.clocks)
            if ahead is not None:
                self.pending.append(ahead)
            if ready is None:
                return False
            checked = known(ready)
        self.clocks.advance(checked)
        self.updates.append(checked.raw)
        return True

    def state(self) -> bytes:
        """Everything, as one update."""
        if len(self.updates) != 1:
            self.updates = [merged(tuple(self.updates))]
        return self.updates[0]

    def lacking(self, vector: dict[int, int]) -> bytes:
        """The answer to a step 1; yjs puts what it holds back into it as well."""
        return diff(merged((self.state(), *self.pending)), None, vector)

    def content(self) -> str:
        """Equal for two replicas exactly if they hold the same elements, values and deletions."""
        return content_of(self.updates)


def content_of(updates: Sequence[bytes]) -> str:
    """A digest of what these updates, in an order in which they can be applied, amount to."""
    return sha256(folded(tuple(updates))).hexdigest()[:16]
