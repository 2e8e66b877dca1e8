"""What is on its way: edits that were sent and have not arrived at every author yet.

The server may join whatever reaches it in one turn of its loop into one frame. If such a frame held edits of two
epochs of its receiver, that author could not take in the one without the other. So nothing is sent towards a
receiver while edits of another of its epochs are on their way to it. This never blocks for good: what is under way
arrives whatever anybody does, and then the oldest edit not yet sent may go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collab.replay.arrivals import Arrivals, Id


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive transactions of one author that travel as one update (empty if they changed nothing).

    `client`'s next clock after it is `clock`. `epochs` gives, per agent, the epoch before which it merges this.
    """

    author: int
    count: int
    update: bytes
    client: int
    clock: int
    deleted: frozenset[Id]
    epochs: Sequence[int]


class Flight:
    """The batches under way to each author, and how many transactions of each author have arrived there."""

    def __init__(self, agent_count: int) -> None:
        self.arrived = [[0] * agent_count for _ in range(agent_count)]
        self._under_way: list[list[Batch]] = [[] for _ in range(agent_count)]
        self._epoch = [0] * agent_count

    def may_send(self, batch: Batch) -> bool:
        """Whether everything on its way to each receiver is of the same epoch there."""
        return all(
            not batches or receiver == batch.author or batch.epochs[receiver] == self._epoch[receiver]
            for receiver, batches in enumerate(self._under_way)
        )

    def send(self, batch: Batch) -> None:
        """Notes that the batch is on its way to everybody but its author."""
        for receiver, batches in enumerate(self._under_way):
            if receiver != batch.author:
                batches.append(batch)
                self._epoch[receiver] = batch.epochs[receiver]

    def epoch(self, receiver: int) -> int:
        """The receiver's epoch to which a frame belongs that arrives now."""
        return self._epoch[receiver]

    def settle(self, receiver: int, arrivals: Arrivals) -> None:
        """Strikes off what has arrived, in the order in which each author sent it."""
        waiting: list[Batch] = []
        blocked: set[int] = set()
        for batch in self._under_way[receiver]:
            if batch.author not in blocked and arrivals.has(batch.client, batch.clock, batch.deleted):
                self.arrived[receiver][batch.author] += batch.count
            else:
                blocked.add(batch.author)
                waiting.append(batch)
        self._under_way[receiver] = waiting
