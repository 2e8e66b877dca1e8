"""What an edit costs beside the room's own work: the log, the bus where it is sent, the bus where it is heard.

One process does the same work four times, each time with one part more; the difference in its CPU is that part's. So
much is measured that the part of a process's start or of a stray task does not matter.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop

from collab.bus.base import Bus
from collab.bus.local import LocalBus
from collab.bus.redis import RedisBus
from collab.core.session import Session
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters
from collab.protocol.messages import encode_update
from collab.slot import Slot
from collab.store.base import Appended, Entry, UpdateLog
from collab.store.open import open_store
from collab.types import ANONYMOUS, Access, DocumentId
from tests.fakes import Recorder
from tests.updates import typed

ROOMS = 10
ROUND_S = 0.02  # an edit in each room, and one commit of all
LIMITS = Limits(frames_per_s=0)


@dataclass(frozen=True)
class Parts:
    """CPU microseconds per edit, at ten documents in a commit."""

    room_us: float
    log_us: float
    sent_us: float
    heard_us: float


class Forgetful:
    """A journal that keeps nothing: whoever hands over is told "committed" in the next turn."""

    full, healthy = False, True

    def __init__(self) -> None:
        self._seqs: dict[DocumentId, int] = {}

    def append(
        self,
        document: DocumentId,
        lineage: str,
        entries: Sequence[Entry],
        on_done: Callable[[Appended], None],
        expected: int | None = None,
    ) -> None:
        """See Journal."""
        first = self._seqs.get(document, 0) + 1
        self._seqs[document] = last = first + len(entries) - 1
        asyncio.get_running_loop().call_soon(on_done, Appended(document, "lineage", first, last))

    def hurry(self) -> None:
        """See Journal."""

    async def flush(self, document: DocumentId | None = None) -> None:
        """See Journal."""


class Writers:
    """A session in each of some rooms of a hub, and their keystrokes."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._names = [f"{name}-{number}" for number in range(ROOMS)]
        self._places: list[tuple[Slot, Session]] = []
        self._clock = 0

    async def enter(self) -> None:
        """Joins them."""
        for name in self._names:
            slot = await self._hub.open(name)
            session = Session(name, ANONYMOUS, Access.WRITE, Recorder(), LIMITS)
            self._hub.join(slot, session)
            self._places.append((slot, session))

    async def type(self, rounds: int) -> float:
        """CPU microseconds per edit of this process."""
        began = time.process_time()
        for _ in range(rounds):
            for number, (slot, session) in enumerate(self._places):
                self._hub.receive(slot, session, encode_update(typed(number + 1, self._clock, "x")))
            self._clock += 1
            await asyncio.sleep(ROUND_S)
        return 1e6 * (time.process_time() - began) / (rounds * ROOMS)


def measured(postgres_url: str, redis_url: str, rounds: int) -> Parts:
    """On the loop that servers have."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(postgres_url, redis_url, rounds))


async def measure(postgres_url: str, redis_url: str, rounds: int) -> Parts:
    """All four, one after the other."""
    room = await _run(postgres_url, None, 1, rounds, logged=False)
    logged = await _run(postgres_url, None, 1, rounds)
    sent = await _run(postgres_url, redis_url, 1, rounds)
    heard = await _run(postgres_url, redis_url, 2, rounds)
    return Parts(room, logged - room, sent - logged, heard - sent)


async def _run(postgres_url: str, redis_url: str | None, nodes: int, rounds: int, logged: bool = True) -> float:
    name = secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(postgres_url))
        crowds = []
        for number in range(nodes):
            journal = Journal(store.log) if logged else Forgetful()
            if isinstance(journal, Journal):
                stack.push_async_callback(journal.close)
            bus = await _bus(redis_url, f"{name}{number}", stack)
            crowds.append(Writers(_hub(f"{name}{number}", store.log, journal, bus, redis_url is None), name))
        for crowd in crowds:
            await crowd.enter()
        await crowds[0].type(rounds // 10)  # documents are born, connections made
        return await crowds[0].type(rounds)


def _hub(node: str, log: UpdateLog, journal: Journal | Forgetful, bus: Bus, alone: bool) -> Hub:
    return Hub(
        node=node, update_log=log, journal=journal, bus=bus, limits=LIMITS, settings=HubSettings(),
        counters=Counters(), alone=alone,
    )  # fmt: skip


async def _bus(redis_url: str | None, node: str, stack: AsyncExitStack) -> Bus:
    if redis_url is None:
        return LocalBus()
    bus = RedisBus(redis_url, node, prefix="apart")
    await bus.start()
    stack.push_async_callback(bus.close)
    return bus
