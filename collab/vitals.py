"""What an operator looks at besides counters: disk, quarantine, the loop's lag, what is not on disk or not sent yet."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import structlog

from collab.errors import CollabError
from collab.hub import Hub
from collab.journal import Journal
from collab.store.database import Database
from collab.store.quarantines import count_quarantined

log = structlog.get_logger(__name__)

SAMPLE_S = 0.25
SAMPLES = 60  # the worst lag of the last 15 s is told: the time between two looks of a Prometheus
COUNT_EVERY_S = 60.0
DISK_FREE_MIN = 256 * 1024 * 1024  # a WAL of 64 MiB, a checkpoint and a day of edits
DISK_SHARE_MIN = 0.05  # for small volumes


class Vitals:
    """Of one node; `folder` is where an embedded database lies, None for one elsewhere."""

    def __init__(self, hub: Hub, journal: Journal, database: Database, folder: Path | None) -> None:
        self._hub = hub
        self._journal = journal
        self._database = database
        self._folder = folder
        self._lags: deque[float] = deque([0.0], maxlen=SAMPLES)
        self._quarantined = 0

    async def run(self) -> None:
        """Samples until cancelled."""
        loop = asyncio.get_running_loop()
        counted_at = float("-inf")
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self._lags.append(max(0.0, loop.time() - due))
            if loop.time() - counted_at >= COUNT_EVERY_S:
                counted_at = loop.time()
                await self._count()

    async def _count(self) -> None:
        try:
            self._quarantined = await count_quarantined(self._database)
        except CollabError as error:  # the database's own probe says it louder
            log.warning("quarantined documents cannot be counted", reason=error.detail)

    def figures(self) -> Mapping[str, float]:
        """Seconds, bytes and counts by name, now."""
        figures = {
            "durable_lag_seconds": self._journal.lag_s,
            "loop_lag_seconds": max(self._lags),
            "outbox_bytes": float(sum(session.outbox.waiting_bytes() for _, session in self._hub.sessions())),
            "quarantined_documents": float(self._quarantined),
        }
        free, total = self._disk()
        return figures if total == 0 else {**figures, "disk_free_bytes": float(free), "disk_bytes": float(total)}

    def warnings(self) -> list[str]:
        """What does not keep the node from its work yet, in words."""
        said = []
        free, total = self._disk()
        if free < min(DISK_FREE_MIN, DISK_SHARE_MIN * total):
            said.append(f"{free // 2**20} MiB are free on the database's disk")
        if self._quarantined:
            said.append(f"{self._quarantined} documents are quarantined: run collab doctor")
        if not self._journal.healthy:
            said.append("commits fail; nothing is acknowledged until one works again")
        return said

    def _disk(self) -> tuple[int, int]:
        """Bytes free for us, and in all; zeros if that is not ours to know."""
        if self._folder is None:
            return 0, 0
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return 0, 0
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
