"""Two hubs on one log and one bus, which can be told to lose frames or to hold them back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from collab.bus.base import EVERYBODY, BusFrame
from collab.bus.local import LocalBus
from collab.core.session import Session
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters
from collab.slot import Slot
from collab.store.open import Store, open_store
from collab.types import Access, Principal
from tests.fakes import Recorder
from tests.patience import PATIENCE_S


class Forgetful(LocalBus):
    """A bus that can lose or hold back what it is given."""

    def __init__(self, others: list[LocalBus]) -> None:
        super().__init__(others)
        self.lost = False
        self.held: list[BusFrame] | None = None

    def publish(self, frame: BusFrame) -> None:
        if self.held is not None:
            self.held.append(frame)
        elif not self.lost:
            super().publish(frame)

    def let_go(self, order: Callable[[list[BusFrame]], list[BusFrame]] = list) -> None:
        held, self.held = self.held or [], None
        for frame in order(held):
            super().publish(frame)


@dataclass
class Node:
    """One hub and its parts."""

    hub: Hub
    journal: Journal
    bus: Forgetful
    sessions: list[Session] = field(default_factory=list)

    async def enter(self, document: str = "doc") -> tuple[Slot, Session, Recorder]:
        slot, outbox = await self.hub.open(document), Recorder()
        session = Session(f"s{len(self.sessions)}", Principal(id="ada"), Access.WRITE, outbox, self.hub.limits)
        self.sessions.append(session)
        self.hub.join(slot, session)
        outbox.take()
        return slot, session, outbox

    async def settled(self) -> None:
        await asyncio.sleep(0)
        await self.journal.flush()
        await asyncio.sleep(0)


@dataclass
class Pair:
    store: Store
    one: Node
    two: Node


def node(name: str, store: Store, others: list[LocalBus]) -> Node:
    journal, bus = Journal(store.log), Forgetful(others)
    hub = Hub(
        node=name, update_log=store.log, journal=journal, bus=bus, limits=Limits(frames_per_s=0),
        settings=HubSettings(), counters=Counters(),
    )  # fmt: skip
    return Node(hub, journal, bus)


@asynccontextmanager
async def running_pair(folder: Path) -> AsyncIterator[Pair]:
    """Until the block ends."""
    async with open_store(f"sqlite:///{folder / 'collab.db'}") as store:
        others: list[LocalBus] = []
        pair = Pair(store, node("one", store, others), node("two", store, others))
        for each in (pair.one, pair.two):
            await each.bus.subscribe(EVERYBODY)
            await each.hub.neighbours.inquiries.listen()
        yield pair
        await pair.one.journal.close()
        await pair.two.journal.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # whatever is waited for, it is seldom an event
            await asyncio.sleep(0.001)
