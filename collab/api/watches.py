"""Traces that the consoles of other nodes follow: each runs for as long as somebody asks for its next lines."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field

import orjson
from pydantic import BaseModel

from collab.api.deps import Target
from collab.api.parts import Parts
from collab.errors import Overloaded
from collab.trace import Trace
from collab.types import Principal

HOLD_S = 1.0  # how long a question for a trace's next lines waits for one
LEASE_S = 5.0  # a trace whose next lines nobody asks for any more ends
WATCHES_MAX = 32
WATCHER = Principal("another node", kind="node")


class TraceOrder(BaseModel):
    """A question for the next lines of one trace, which is begun if there is none of this name."""

    watch: str
    document: str
    content: bool
    hold_s: float = HOLD_S


@dataclass(slots=True)
class Watch:
    """One running trace, and what ends it."""

    trace: Trace
    stack: AsyncExitStack
    lease: asyncio.TimerHandle | None = field(default=None)


class Watches:
    """Those of one node, by name."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._running: dict[str, Watch] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def answer(self, question: bytes) -> bytes:
        """The lines that wait, one JSON object each, with line ends between. Raises NotFound, Gone, Overloaded."""
        order = TraceOrder.model_validate_json(question)
        watch = self._running.get(order.watch) or await self._begin(order)
        self._prolong(order.watch, watch)
        lines: list[bytes] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(order.hold_s):
                lines = await next_lines(watch.trace)
        return b"\n".join(lines)

    async def _begin(self, order: TraceOrder) -> Watch:
        if len(self._running) >= WATCHES_MAX:
            raise Overloaded(f"{WATCHES_MAX} traces run on this node already")
        stack = AsyncExitStack()
        slot = await stack.enter_async_context(Target(self._parts, order.document, WATCHER).room())
        trace = Trace(slot, self._parts.limits, order.content)
        stack.enter_context(trace.watching())
        return self._running.setdefault(order.watch, Watch(trace, stack))

    def _prolong(self, name: str, watch: Watch) -> None:
        if watch.lease is not None:
            watch.lease.cancel()
        watch.lease = asyncio.get_running_loop().call_later(LEASE_S, self._end, name)

    def _end(self, name: str) -> None:
        task = asyncio.create_task(self._running.pop(name).stack.aclose(), name="end trace")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def next_lines(trace: Trace) -> list[bytes]:
    """As JSON, each with how many were dropped so far because the watcher was slow; waits for one."""
    return [orjson.dumps({**asdict(line), "dropped": trace.dropped}) for line in await trace.lines()]
