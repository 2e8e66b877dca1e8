"""A made-up bus that keeps the port's word and not a bit more: late, lost, twice, out of order, cut off, dead.

Nothing is kept by it, as in Redis: what FLUSHALL empties does not exist, and a broker that died comes back knowing no
subscription.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from collab.bus import wire
from collab.bus.base import BusFrame, Deliver
from collab.types import DocumentId

if TYPE_CHECKING:
    from tests.faults.sim.plan import Plan

NOTICED_S = 4.0  # a broken line is noticed after at most so long, twice the real lane's SILENT_S
BACK_S = 1.0  # and a noticed one is back so long after it could be
CONFIRM_S = 0.25  # how long a subscriber waits to hear that it is one


class Broker:
    """Between the buses of all nodes."""

    def __init__(self, random: Random, plan: Plan) -> None:
        self.random = random
        self.plan = plan
        self.alive = True
        self.stormy = True
        self.lost = 0  # messages, for those who want to know that the weather was bad
        self.buses: list[SimBus] = []

    def die(self) -> None:
        """All lines break, all subscriptions are forgotten."""
        self.alive = False
        for bus in self.buses:
            bus.breaks()

    def revive(self) -> None:
        """It is there again; each node finds out by itself."""
        self.alive = True
        for bus in self.buses:
            bus.returns()

    def pass_on(self, sender: SimBus, document: DocumentId, message: bytes) -> None:
        """To all others that have subscribed, as the weather allows."""
        for bus in self.buses:
            if bus is not sender and document in bus.subscribed:
                self._send(bus, document, message)

    def _send(self, bus: SimBus, document: DocumentId, message: bytes) -> None:
        random, plan = self.random, self.plan
        times = 1
        if self.stormy and (plan.bus_loss_share or plan.bus_twice_share):
            luck = random.random()
            times = 0 if luck < plan.bus_loss_share else 2 if luck > 1.0 - plan.bus_twice_share else 1
        self.lost += not times
        for _ in range(times):
            bus.brings(document, message, random.expovariate(1.0) * plan.bus_latency_s)


class SimBus:
    """Satisfies the Bus port for one life of one node."""

    def __init__(self, broker: Broker, node: str) -> None:
        self._broker = broker
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._deliver: Deliver = lambda frame: None
        self._wanted: set[DocumentId] = set()
        self._last = 0.0  # when the latest message arrives, where messages stay in order
        self._stalled_until = 0.0
        self.subscribed: set[DocumentId] = set()  # as the broker knows it
        self.reachable = broker.alive
        self.cut_off = False
        self.dead = False
        self.up = broker.alive
        self.losses = 0
        broker.buses.append(self)

    # ------------------------------------------------------------------ the port

    def listen(self, deliver: Deliver) -> None:
        """See the port."""
        self._deliver = deliver

    def publish(self, frame: BusFrame) -> None:
        """See the port."""
        if self.dead or not self.up:
            return
        if not self.reachable:
            self._broker.lost += 1
            return
        self._broker.pass_on(self, frame.document, wire.VERSION + wire.encode(frame))

    async def subscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._wanted.add(document)
        if not self.reachable:
            await asyncio.sleep(CONFIRM_S)
            return
        wait_s = self._broker.random.expovariate(1.0) * self._broker.plan.bus_latency_s
        self._loop.call_later(wait_s * 0.5, self._join, document)
        await asyncio.sleep(min(wait_s, CONFIRM_S))

    def unsubscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._wanted.discard(document)
        self.subscribed.discard(document)

    # ------------------------------------------------------------------ what happens to it

    def breaks(self) -> None:
        """The broker's end is closed: that is noticed at once."""
        self.reachable = self.up = False
        self.subscribed.clear()

    def cut(self, seconds: float) -> None:
        """A partition: nothing crosses, and for a while nobody notices."""
        if self.cut_off:
            return
        self.cut_off, self.reachable = True, False
        self._loop.call_later(self._broker.random.uniform(0.0, NOTICED_S), self._notices)
        self._loop.call_later(seconds, self.heals)

    def heals(self) -> None:
        """The partition is over. Unnoticed, it was a time in which messages were lost, and nothing is known of it."""
        self.cut_off = False
        if self.up and self._broker.alive:
            self.reachable = True
            self.subscribed |= self._wanted
        else:
            self.returns()

    def stall(self, seconds: float) -> None:
        """What comes in is held up, and then comes all at once."""
        self._stalled_until = self._loop.time() + seconds

    def returns(self) -> None:
        """It can be reached again: the connection is made anew in a while."""
        self._loop.call_later(self._broker.random.expovariate(1.0) * BACK_S, self._connect)

    def die(self) -> None:
        """With its node."""
        self.dead = True
        if self in self._broker.buses:
            self._broker.buses.remove(self)

    def brings(self, document: DocumentId, message: bytes, after_s: float) -> None:
        """A message on its way to this node."""
        due = max(self._loop.time() + after_s, self._stalled_until)
        if not self._broker.plan.bus_unordered:
            due = self._last = max(due, self._last)
        self._loop.call_at(due, self._receive, document, message)

    # ------------------------------------------------------------------ inside

    def _receive(self, document: DocumentId, message: bytes) -> None:
        if self.dead or not self.reachable or document not in self._wanted:
            return
        for frame in wire.decode(message, document):
            if frame.node != self._node:
                self._deliver(frame)

    def _join(self, document: DocumentId) -> None:
        if self.reachable and document in self._wanted and not self.dead:
            self.subscribed.add(document)

    def _notices(self) -> None:
        if self.cut_off:
            self.breaks()

    def _connect(self) -> None:
        if self._broker.alive and not self.cut_off and not self.dead and not self.reachable:
            self.reachable = self.up = True
            self.losses += 1
            self.subscribed |= self._wanted
