"""A hub on a real SQLite log, without sockets: sessions write into recorders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collab.bus.local import LocalBus
from collab.core.session import Session
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters
from collab.slot import Slot
from collab.store.open import Store, open_store
from collab.types import Access, Principal
from collab.upkeep import Upkeep
from tests.fakes import Recorder
from tests.runtime.pairs import Pair, running_pair


@dataclass
class Bench:
    """One node's runtime and the means to drive it."""

    store: Store
    journal: Journal
    hub: Hub
    upkeep: Upkeep
    names: list[str] = field(default_factory=list)

    async def enter(self, document: str = "doc", access: Access = Access.WRITE) -> tuple[Slot, Session, Recorder]:
        """Opens the document and joins a session to it."""
        slot = await self.hub.open(document)
        outbox = Recorder()
        self.names.append("s")
        session = Session(f"s{len(self.names)}", Principal(id="ada"), access, outbox, self.hub.limits)
        self.hub.join(slot, session)
        outbox.take()
        return slot, session, outbox


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_store(f"sqlite:///{tmp_path / 'collab.db'}") as store:
        journal = Journal(store.log)
        hub = Hub(
            node="n1",
            update_log=store.log,
            journal=journal,
            bus=LocalBus(),
            limits=Limits(frames_per_s=0),
            settings=HubSettings(linger_s=5.0, resident_bytes_max=1000),
            counters=Counters(),
        )
        yield Bench(store, journal, hub, Upkeep(hub))
        await journal.close()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path) as pair:
        yield pair
