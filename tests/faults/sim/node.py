"""One node: the real runtime on a handle of the made-up disk; killing it cuts every handle, as SIGKILL does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from collab.bus.local import LocalBus
from collab.checkpoint import Checkpointer, Policy
from collab.crdt.fold import fold
from collab.crdt.index import build
from collab.errors import StorageUnavailable
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters, Refusals
from collab.services import consider
from collab.sockets.admission import Sockets
from collab.sockets.upgrade import Upgrade
from collab.store.base import Append, Appended, Checkpoint, Head, LogRow, Stored
from collab.types import Access, Principal
from collab.upkeep import Upkeep

if TYPE_CHECKING:
    from tests.faults.sim.world import World


class Log:
    """The UpdateLog port on the disk, with delays, refusals and lost answers; dead with its node."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random: Random = world.random
        self._lock = asyncio.Lock()
        self.dead = False

    async def append(self, batch: Sequence[Append]) -> Sequence[Appended]:
        world, plan = self._world, self._world.plan
        await self._pass(plan.commit_s * 0.2)
        if world.disk_away or (world.stormy and self._random.random() < plan.refuse_share):
            raise StorageUnavailable("refused")
        async with self._lock:
            results = world.disk.commit(batch)
            await self._pass(plan.commit_s)
            if world.disk_away:
                raise StorageUnavailable("fsync failed")  # its rows may or may not come through later
            world.disk.sync()
        if world.stormy and self._random.random() < plan.mute_share:
            raise StorageUnavailable("the answer was lost")
        return results

    async def load(self, document: str, deleted: bool = False) -> Stored | None:
        await self._pass(self._world.plan.commit_s)
        return self._world.disk.load(document)

    async def read(self, document: str, after_seq: int, limit: int) -> Sequence[LogRow]:
        await self._pass(self._world.plan.commit_s)
        return self._world.disk.read(document, after_seq, limit)

    async def heads(self, documents: Sequence[str]) -> Mapping[str, Head]:
        await self._pass(self._world.plan.commit_s)
        found = {name: self._world.disk.head(name) for name in documents}
        return {name: head for name, head in found.items() if head is not None}

    async def put_checkpoint(self, document: str, lineage: str, checkpoint: Checkpoint) -> None:
        async with self._lock:
            self._world.disk.put_checkpoint(document, lineage, checkpoint)
            await self._pass(self._world.plan.commit_s)
            self._world.disk.sync()

    async def ping(self) -> None:
        if self._world.disk_away:
            raise StorageUnavailable("away")

    async def _pass(self, seconds: float) -> None:
        """Time goes by; if the process was killed meanwhile, this is as far as it came."""
        await asyncio.sleep(self._random.expovariate(1.0) * seconds)
        if self.dead:
            await asyncio.get_running_loop().create_future()


class Doorman:
    """Lets everybody in to write."""

    async def admit(self, upgrade: Upgrade, document: str) -> tuple[Principal, Access, str | None]:
        return Principal(id="somebody"), Access.WRITE, None

    async def renew(
        self, upgrade: Upgrade, document: str, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        return principal, Access.WRITE

    def address(self, upgrade: Upgrade) -> str:
        return "192.0.2.1"


class Node:
    """Built as `services` builds it, without what needs a process or a port."""

    def __init__(self, world: World) -> None:
        plan = world.plan
        self.log = Log(world)
        self.journal = world.bug.journal(self.log, clock=world.loop.time)
        limits = Limits(outbox_bytes_max=plan.outbox_bytes)
        self.checkpointer = Checkpointer(
            self.log,
            self._fold,
            policy=Policy(rows_min=plan.fold_rows, bytes_min=10**9),
            on_folded=lambda *new: self.hub.rebase(*new),
            clock=world.loop.time,
        )
        self.hub = Hub(
            node="n1",
            update_log=self.log,
            journal=self.journal,
            bus=LocalBus(),
            limits=limits,
            settings=HubSettings(linger_s=plan.linger_s),
            counters=Counters(),
            on_committed=lambda slot: consider(self.checkpointer, slot),
        )
        self.hub.pace._rest_s = plan.rest_s
        self.upkeep = Upkeep(self.hub, clock=world.wall_clock)
        self.sockets = Sockets(self.hub, Doorman(), limits, Refusals())
        self.died: asyncio.Future[None] = world.loop.create_future()
        self._upkeeping = world.loop.create_task(self.upkeep.run())

    async def _fold(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        await asyncio.sleep(0.01)
        state = fold(base, updates)
        return state, build(state)

    def kill(self) -> None:
        """No goodbye, no last write."""
        self.log.dead = True
        self._upkeeping.cancel()
        self.died.set_result(None)


__all__ = ["Journal", "Node"]
