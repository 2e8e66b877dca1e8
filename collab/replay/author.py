"""One author of a trace: types its edits when it had seen what the trace says, and sends them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from pycrdt import Doc

from collab.replay.arrivals import Arrivals, Id, read_deletes, read_vector
from collab.replay.flight import Batch, Flight
from collab.replay.schedule import Schedule
from collab.replay.screen import Screen, Typed
from collab.replay.trace import Patch, Trace

NOTHING = Typed(b"", b"\x00", b"\x00")


class Link(Protocol):
    """The author's side of a connection: a Peer, or a simulated one.

    `live` while sending makes sense; `saved` is how many transactions are durable.
    """

    live: bool
    saved: int

    def send(self, update: bytes) -> None:
        """Sends an update that is in the replica already."""


class Author:
    """Two replicas: what arrived over the wire, and the screen, which lags behind by what it must not see yet.

    Alone, both are the same document.
    """

    def __init__(
        self,
        agent: int,
        trace: Trace,
        schedule: Schedule,
        flight: Flight,
        root: str,
        connect: Callable[[Doc[Any], Callable[[bytes], None]], Link],
    ) -> None:
        self.agent = agent
        self.made = 0
        self.sent = 0
        self.screen = Screen(root, trace.ascii_only, trace.client_ids[agent] if trace.client_ids else None)
        self._trace, self._schedule, self._flight = trace, schedule, flight
        self._own, self._epochs = schedule.own[agent], schedule.epochs[agent]
        self._arrivals = Arrivals() if trace.agent_count > 1 else None
        self._held: deque[tuple[int, bytes]] = deque()
        self._outgoing: deque[Batch] = deque()
        replica = self._arrivals.doc if self._arrivals else self.screen.doc
        self.link = connect(replica, self._receive)

    @property
    def total(self) -> int:
        """How many transactions this author makes."""
        return len(self._own)

    @property
    def done(self) -> bool:
        """All typed, sent and confirmed as durable, and everybody else's edits merged."""
        return self.link.saved == self.sent == self.total and not self._held and self._all_arrived()

    def turn(self, budget: int, per_frame: int = 1) -> int:
        """Merges what is due, types at most `budget` transactions, sends what may go. Returns how many were typed.

        At most `per_frame` transactions travel as one update.
        """
        if self._arrivals:
            self._flight.settle(self.agent, self._arrivals)
        typed = 0
        self._merge()
        while typed < budget and self._may_type():
            typed += self._type(min(per_frame, budget - typed))
            self._merge()  # the next one may be of the next epoch, and what that needs be here already
        while self._outgoing and self.link.live and self._flight.may_send(self._outgoing[0]):
            self._send(self._outgoing.popleft())
        return typed

    def _receive(self, update: bytes) -> None:
        if self._arrivals is None:
            self.screen.merge(update)
        elif self._arrivals.take(update):
            self._held.append((self._flight.epoch(self.agent), update))

    def _epoch(self) -> int:
        """The epoch of the next transaction; one past the last epoch when all are typed."""
        return self._epochs[self.made] if self.made < self.total else len(self._schedule.needs[self.agent])

    def _merge(self) -> None:
        """Brings due frames to the screen. With three and more authors a later frame may be due before an earlier."""
        if self._held:
            epoch = self._epoch()
            for due, update in self._held:
                if due <= epoch:
                    self.screen.merge(update)
            self._held = deque(held for held in self._held if held[0] > epoch)

    def _may_type(self) -> bool:
        if self.made == self.total or not self.link.live:
            return False
        need = self._schedule.needs[self.agent][self._epoch()]
        return all(map(int.__le__, need, self._flight.arrived[self.agent]))

    def _all_arrived(self) -> bool:
        arrived = self._flight.arrived[self.agent]
        return all(len(own) == arrived[a] for a, own in enumerate(self._schedule.own) if a != self.agent)

    def _type(self, count_max: int) -> int:
        epochs = [self._schedule.wanted(r, self.agent, self.made) for r in range(self._trace.agent_count)]
        count = min(count_max, self._run_length(epochs))
        typed = self.screen.type(self._patches(count)) or NOTHING
        client, clock, deleted = self.screen.doc.client_id, 0, frozenset[Id]()
        if self._arrivals:
            clock, deleted = read_vector(typed.vector).get(client, 0), frozenset(read_deletes(typed.deletes))
        self._outgoing.append(Batch(self.agent, count, typed.update, client, clock, deleted, epochs))
        self.made += count
        return count

    def _run_length(self, epochs: list[int]) -> int:
        """How many of the next transactions share this author's epoch and every receiver's."""
        run = bisect_right(self._epochs, self._epochs[self.made], self.made) - self.made
        for receiver, epoch in enumerate(epochs):
            needs = self._schedule.needs[receiver]
            if receiver != self.agent and epoch < len(needs):
                run = min(run, needs[epoch][self.agent] - self.made)
        return run

    def _patches(self, count: int) -> Iterator[Patch]:
        if self.made == 0 and self._trace.start:
            yield 0, 0, self._trace.start
        for ordinal in range(self.made, self.made + count):
            yield from self._trace.patches(self._own[ordinal])

    def _send(self, batch: Batch) -> None:
        if batch.update:
            if self._arrivals:
                self._arrivals.take(batch.update)
            self.link.send(batch.update)
        self.sent += batch.count
        self._flight.send(batch)
