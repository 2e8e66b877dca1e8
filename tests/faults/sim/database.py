"""How nodes reach the made-up disk: one process has it in its own hands, several share a server with row locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from collab.errors import LineageRetired, StorageUnavailable
from collab.store.base import Append, Appended, Checkpoint, Head, LogRow, Stored

if TYPE_CHECKING:
    from tests.faults.sim.world import World


class Log:
    """The UpdateLog port for one life of a node, with delays, refusals and lost answers; dead with its node.

    Alone with its file, a killed process stops in the middle of a commit. A server finishes what it was told to
    commit, lets go of its locks, and has nobody to tell.
    """

    def __init__(self, world: World, place: int) -> None:
        self._world = world
        self._place = place
        self._random: Random = world.random
        self._embedded = world.plan.nodes == 1
        self._locks: dict[str, asyncio.Lock] = {} if self._embedded else world.locks
        self.dead = False

    async def append(self, batch: Sequence[Append]) -> Sequence[Appended]:
        world, plan = self._world, self._world.plan
        await self._pass(plan.commit_s * 0.2)
        if self._away or (world.stormy and self._random.random() < plan.refuse_share):
            raise StorageUnavailable("refused")
        async with self._transaction(append.document for append in batch):
            results = world.disk.commit(batch)
            await self._work(plan.commit_s)
        await self._answer()
        if world.stormy and self._random.random() < plan.mute_share:
            raise StorageUnavailable("the answer was lost")
        return results

    async def load(self, document: str, deleted: bool = False) -> Stored | None:
        await self._ask()
        return self._world.disk.load(document)

    async def read(self, document: str, after_seq: int, limit: int, lineage: str | None = None) -> Sequence[LogRow]:
        await self._ask()
        rows = self._world.disk.read(document, after_seq, limit)
        head = self._world.disk.head(document)
        if head is not None and lineage not in (None, head.lineage):
            raise LineageRetired(current=head.lineage)
        return rows

    async def heads(self, documents: Sequence[str]) -> Mapping[str, Head]:
        await self._ask()
        found = {name: self._world.disk.head(name) for name in documents}
        return {name: head for name, head in found.items() if head is not None}

    async def put_checkpoint(self, document: str, lineage: str, checkpoint: Checkpoint) -> None:
        async with self._transaction((document,)):
            self._world.disk.put_checkpoint(document, lineage, checkpoint)
            await self._work(self._world.plan.commit_s)

    async def ping(self) -> None:
        if self._away:
            raise StorageUnavailable("away")

    # ------------------------------------------------------------------ time, locks and failures

    @property
    def _away(self) -> bool:
        return self._world.disk_away or self._place in self._world.exiled

    @asynccontextmanager
    async def _transaction(self, documents: Iterable[str]) -> AsyncIterator[None]:
        """Row locks in the order of ids; SQLite has one for all."""
        crashes = self._world.disk.crashes
        names = [""] if self._embedded else sorted(set(documents))
        async with AsyncExitStack() as stack:
            for name in names:
                await stack.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            if crashes != self._world.disk.crashes:
                raise StorageUnavailable("the connection was closed")
            yield

    async def _work(self, seconds: float) -> None:
        """What was written is synced, or it may come through later, or the server has crashed."""
        crashes = self._world.disk.crashes
        await asyncio.sleep(self._random.expovariate(1.0) * seconds)
        if self.dead and self._embedded:
            await _for_ever()
        if self._world.disk_away or crashes != self._world.disk.crashes:
            raise StorageUnavailable("fsync failed")
        self._world.disk.sync()

    async def _ask(self) -> None:
        await self._pass(self._world.plan.commit_s)
        if self._away and not self._embedded:  # a full disk can be read
            raise StorageUnavailable("the database is away")

    async def _answer(self) -> None:
        """The answer's way back: a commit may be known by the bus before it is known to who made it."""
        if not self._embedded or self.dead:
            await self._pass(self._world.plan.commit_s * 0.3)
        if self._place in self._world.exiled:
            raise StorageUnavailable("the connection was lost")

    async def _pass(self, seconds: float) -> None:
        """Time goes by; if the process was killed meanwhile, this is as far as it came."""
        await asyncio.sleep(self._random.expovariate(1.0) * seconds)
        if self.dead:
            await _for_ever()


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()
