"""What a node does once a second: signs of life, keepalives, stuck readers, permissions that are over, unloading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import uniform

import structlog

from collab.core.room import KEEPALIVE_WIRE
from collab.errors import Draining, SlowReader, Unauthorized
from collab.hub import Hub
from collab.slot import Slot
from collab.types import Access

log = structlog.get_logger(__name__)

EVERY_S = 1.0
KEEPALIVE_S = 15.0  # clients drop a connection that brought no data frame for 30 s, WebSocket pings do not count
LISTEN_S = 20.0  # how often each peer must have been heard; it is pinged after one silent span
SILENT_SPANS_MAX = 3  # a sleeping laptop gets a minute
DRAIN_BATCH = 200  # sockets closed at once when going down; the next batch follows after DRAIN_PAUSE_S
DRAIN_PAUSE_S = 0.05


class Upkeep:
    """Walks rooms and sessions; every room has its own error scope."""

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix seconds, for what expires."""
        self._hub = hub
        self._clock = clock
        self._listened_at = 0.0

    async def run(self) -> None:
        """Forever, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.once(loop.time())
            except Exception:
                log.exception("a round of upkeep failed")

    async def once(self, now: float) -> None:
        """One round at loop time `now`."""
        for slot in list(self._hub.slots.values()):
            try:
                self._tend(slot, now)
            except Exception:
                log.exception("upkeep failed", document=slot.room.document)
        if now - self._listened_at >= LISTEN_S:
            self._listened_at = now
            self._listen()
        self._unload(now)

    def _tend(self, slot: Slot, now: float) -> None:
        room = slot.room
        room.promises.heartbeat()
        if room.live and now - slot.kept_alive_at >= KEEPALIVE_S:
            slot.kept_alive_at = now
            for write in list(room.live.values()):
                write(KEEPALIVE_WIRE)
        wall = self._clock()
        for session in list(room.sessions):
            expires_at = session.principal.expires_at
            if session.slow_since is not None and now - session.slow_since > room.limits.stuck_s:
                session.outbox.close(SlowReader())
            elif expires_at is not None and wall >= expires_at:
                session.access = Access.NONE
                session.outbox.close(Unauthorized("this permission has expired"))

    def _listen(self) -> None:
        for _, session in self._hub.sessions():
            outbox = session.outbox
            if outbox.heard:
                outbox.heard, session.silent_spans = False, 0
                continue
            session.silent_spans += 1
            if session.silent_spans >= SILENT_SPANS_MAX:
                outbox.close(SlowReader("no sign of life"))
            else:
                outbox.ping()

    def _unload(self, now: float) -> None:
        hub, settings = self._hub, self._hub.settings
        idle = sorted((s for s in hub.slots.values() if s.may_unload), key=lambda s: s.used_at)
        excess = sum(s.room.history.size_bytes for s in hub.slots.values()) - settings.resident_bytes_max
        for slot in idle:
            if now - slot.used_at >= settings.linger_s or excess > 0:
                excess -= slot.room.history.size_bytes
                hub.unload(slot)

    async def drain(self) -> None:
        """Going down: no new rooms; sockets are closed in batches with 1012, so that they do not return at once."""
        self._hub.draining = True
        sessions = [session for _, session in self._hub.sessions()]
        for start in range(0, len(sessions), DRAIN_BATCH):
            for session in sessions[start : start + DRAIN_BATCH]:
                session.outbox.close(Draining())
            await asyncio.sleep(uniform(0.5, 1.5) * DRAIN_PAUSE_S)
        for slot in list(self._hub.slots.values()):
            self._hub.tick(slot)
            slot.tell("end", Draining())  # long polls and event streams; who waits for a commit still gets it
        self._hub.neighbours.goodbye()
