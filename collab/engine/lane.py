"""A queue of calls and the few workers that do them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from collab.engine.child import Child, Died, Request
from collab.engine.counters import EngineCounters
from collab.engine.places import Places, caller
from collab.engine.spawner import Spawner
from collab.errors import EngineUnavailable, Overloaded


class Lane:
    """Up to `workers` calls at once, up to `waiting_max` more in line; each may take `call_s_max`, and wait as long.
    Callers take turns (`places`).

    Workers are kept warm and taken last in, first out. One that died while idle is found out by the next call, which
    gets another.
    """

    def __init__(
        self,
        spawner: Spawner,
        counters: EngineCounters,
        *,
        workers: int,
        waiting_max: int,
        call_s_max: float,
        memory_bytes_max: int,
        niceness: int = 0,
    ) -> None:
        self.workers = workers
        self.waiting_max = waiting_max
        self.call_s_max = call_s_max
        self._spawner = spawner
        self._counters = counters
        self._memory_bytes_max = memory_bytes_max
        self._niceness = niceness
        self._places = Places(workers, waiting_max)
        self._idle: list[Child] = []

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return self._places.waiting

    async def warm(self) -> None:
        """Starts all workers, so that the first calls find them. Raises EngineUnavailable."""
        for _ in range(self.workers):
            self._idle.append(await self._spawner.fork(self._memory_bytes_max, self._niceness))

    def pids(self) -> list[int]:
        """Idle workers, the next to be used last."""
        return [child.pid for child in self._idle]

    async def call(self, request: Request) -> tuple[Any, list[bytes]]:
        """Does one call; raises its error, Overloaded if too many wait, or EngineUnavailable.

        A call whose worker died of something else is done again, once; one that its worker died of is not.
        """
        async with self._place():
            self._counters.calls += 1
            started = time.perf_counter_ns()
            try:
                return await self._attempt(request, again=True)
            finally:
                self._counters.busy_us += (time.perf_counter_ns() - started) // 1000

    async def close(self) -> None:
        """Buries the idle workers; there must be no calls any more."""
        burials = [self._spawner.bury(child, "retired") for child in self._idle]
        self._idle.clear()
        await asyncio.gather(*burials)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        who = caller.get()
        try:
            async with asyncio.timeout(self.call_s_max):
                await self._places.take(who)
        except TimeoutError:
            raise EngineUnavailable(f"the content engine was busy for {self.call_s_max} s") from None
        except Overloaded:
            self._counters.refused += 1
            raise
        try:
            yield
        finally:
            self._places.give_back(who)

    async def _attempt(self, request: Request, again: bool) -> tuple[Any, list[bytes]]:
        child = self._idle.pop() if self._idle else await self._spawner.fork(self._memory_bytes_max, self._niceness)
        reason = "retired"
        try:
            return await child.call(request, self.call_s_max)
        except Died as death:
            reason = "died"
            begun = death.begun
        except TimeoutError:
            self._counters.timeouts += 1
            reason = "timeout"
            raise EngineUnavailable(f"the content engine took longer than {self.call_s_max} s") from None
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        finally:
            if reason != "died":
                self._put_back(child, reason)
        self._counters.deaths += 1
        alone = await asyncio.shield(self._spawner.bury(child, reason))
        if again and not (begun and alone):
            self._counters.retries += 1
            return await self._attempt(request, again=False)
        raise EngineUnavailable("the content engine died of this call")

    def _put_back(self, child: Child, reason: str) -> None:
        if child.spent:
            self._spawner.bury(child, reason)
        else:
            self._idle.append(child)
