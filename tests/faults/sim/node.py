"""One node: the real runtime on handles of the made-up world; killing it cuts every handle, as SIGKILL does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collab.bus.base import Bus
from collab.bus.local import LocalBus
from collab.checkpoint import Checkpointer, Policy
from collab.hub import Hub, HubSettings
from collab.limits import Limits
from collab.metrics import Counters, Refusals
from collab.services import consider
from collab.sockets.admission import Sockets
from collab.sockets.upgrade import Upgrade
from collab.types import Access, Principal
from collab.upkeep import Upkeep
from tests.faults.sim.broker import SimBus
from tests.faults.sim.database import Log
from tests.faults.sim.known import refolded

if TYPE_CHECKING:
    from tests.faults.sim.world import World

STOP_S = 10.0  # how long a node that was told to stop may take


class Doorman:
    """Lets everybody in to write."""

    async def greet(self, upgrade: Upgrade) -> str | None:
        return None

    async def admit(
        self, upgrade: Upgrade, document: str, token: str | None = None
    ) -> tuple[Principal, Access, str | None]:
        return Principal(id="somebody"), Access.WRITE, None

    async def renew(
        self, upgrade: Upgrade, document: str, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        return principal, Access.WRITE

    def still(self, principal: Principal, document: str) -> Access:
        return Access.WRITE

    def address(self, upgrade: Upgrade) -> str:
        return "192.0.2.1"


class Node:
    """Built as `services` builds it, without what needs a process or a port."""

    def __init__(self, world: World, place: int) -> None:
        plan = world.plan
        alone = plan.nodes == 1
        self.place = place
        self.name = f"n{place}.{world.loop.time():.3f}"
        self.log = Log(world, place)
        self.journal = world.bug.journal(self.log, clock=world.loop.time)
        self.bus: Bus = LocalBus() if alone else SimBus(world.broker, self.name)
        limits = Limits(outbox_bytes_max=plan.outbox_bytes)
        self.checkpointer = Checkpointer(
            self.log,
            self._fold,
            policy=Policy(rows_min=plan.fold_rows, bytes_min=10**9),
            on_folded=lambda *new: self.hub.rebase(*new),
            clock=world.loop.time,
        )
        self.hub = Hub(
            node=self.name,
            update_log=self.log,
            journal=self.journal,
            bus=self.bus,
            limits=limits,
            settings=HubSettings(linger_s=plan.linger_s),
            counters=Counters(),
            on_committed=lambda slot: consider(self.checkpointer, slot),
            alone=alone,
        )
        self.hub.pace.beat_s = plan.rest_s
        self.hub.neighbours.claims._clock = world.wall_clock
        self.upkeep = Upkeep(self.hub, clock=world.wall_clock)
        self.sockets = Sockets(self.hub, Doorman(), limits, Refusals())
        self.died: asyncio.Future[None] = world.loop.create_future()
        self._rounds = [world.loop.create_task(work) for work in (self.upkeep.run(), self.hub.neighbours.run())]

    async def _fold(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        await asyncio.sleep(0.01)
        return refolded(base, tuple(updates))

    @property
    def dead(self) -> bool:
        """Whether it was killed, or has stopped."""
        return self.log.dead

    async def stop(self) -> None:
        """SIGTERM: as `services` goes down."""
        await self.upkeep.drain()
        await self.journal.close(STOP_S)

    def kill(self) -> None:
        """No goodbye, no last write."""
        self.log.dead = True
        if isinstance(self.bus, SimBus):
            self.bus.die()
        for rounds in self._rounds:
            rounds.cancel()
        self.died.set_result(None)
