"""Tasks that go on for as long as the node does: one that fails, though it should not, is told, counted, begun again.

Each of them survives what it expects to go wrong by itself. What nobody expected would otherwise end it without a
word, and with it keepalives, permissions that are over, or the look for what other nodes have committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import uniform

import structlog

from collab.metrics import Counters

log = structlog.get_logger(__name__)

AGAIN_FIRST_S = 0.1
AGAIN_MAX_S = 30.0
HEALTHY_S = 60.0  # one that went on for so long before it failed is begun again at once

Work = Callable[[], Coroutine[None, None, None]]


class Lasting:
    """One such task; an async context, which ends it."""

    def __init__(
        self, name: str, work: Work, counters: Counters, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`work()` begins it, the first time and after each failure; if it returns, that is all that it had to do."""
        self._name = name
        self._work = work
        self._counters = counters
        self._sleep = sleep
        self._closing = False

    async def __aenter__(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._go_on(), name=self._name)
        return self._task

    async def __aexit__(self, *_: object) -> None:
        self._closing = True  # what it does at the end may fail, and must not begin it again
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _go_on(self) -> None:
        loop, wait_s = asyncio.get_running_loop(), AGAIN_FIRST_S
        while True:
            began = loop.time()
            try:
                await self._work()
                return
            except Exception:
                if loop.time() - began >= HEALTHY_S:
                    wait_s = AGAIN_FIRST_S
                self._counters.task_failures += 1
                log.exception("a task of the node failed", task=self._name)
                if self._closing:
                    return
            await self._sleep(uniform(0.5, 1.0) * wait_s)
            wait_s = min(2 * wait_s, AGAIN_MAX_S)
