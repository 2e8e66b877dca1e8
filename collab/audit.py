"""Who created, deleted, purged, restored, minted, revoked and was refused: one log line and one row each.

Telling never waits: events go into a bounded queue that a task writes in batches. What does not fit is counted, and
the next row that is written says how many are missing. Refusals, which a stranger can cause at will, may fill only
half of the queue and only so many rows a second, so that they never push out what users with rights did.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
import uuid_utils

from collab.auth.base import AuditEvent, AuditStore
from collab.errors import CollabError, Conflict, StorageUnavailable
from collab.types import DocumentId, Principal

log = structlog.get_logger("collab.audit")

QUEUE_MAX = 10_000  # a database that is away for a minute at 160 events a second; some 10 MB
BATCH_MAX = 500
REFUSALS_PER_S = 20
TEXT_CHARS_MAX = 500  # of one value of the detail
RETRY_S = (0.1, 0.5, 2.0, 5.0)


class Audit:
    """Takes events from anywhere on the node and writes them, in order, as long as it runs."""

    def __init__(self, store: AuditStore, clock: Callable[[], float] = time.time, queue_max: int = QUEUE_MAX) -> None:
        """`clock`: Unix seconds."""
        self._store = store
        self._clock = clock
        self._queue: deque[AuditEvent] = deque()
        self._queue_max = queue_max
        self._wake = asyncio.Event()
        self._closing = False
        self._second = 0
        self._refusals = 0
        self._missing = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def tell(
        self,
        action: str,
        by: Principal,
        document: DocumentId | None = None,
        error: CollabError | None = None,
        **detail: str | None,
    ) -> None:
        """`error` is why it was refused, None if it was done; details that are None are left out."""
        now = self._clock()
        if not self._admits(now, refused=error is not None):
            self.dropped += 1
            self._missing += 1
            return
        seen = structlog.contextvars.get_contextvars()  # what the doors have written down of this call
        detail = {name: seen.get(name) for name in ("address", "request")} | detail
        detail |= {"key": by.key_id, "missing_before": str(self._missing) if self._missing else None}
        self._missing = 0
        event = AuditEvent(
            id=str(uuid_utils.uuid7()),
            at=datetime.fromtimestamp(now, UTC),
            actor=_plain(by.id),
            actor_kind=by.kind,
            action=action,
            document=None if document is None else _plain(document),
            outcome="ok" if error is None else error.code,
            detail={name: _plain(value) for name, value in detail.items() if value is not None},
        )
        _log(event)
        self._queue.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Writes until close is called and the queue is empty, or until it is cancelled."""
        while not (self._closing and not self._queue):
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._write([self._queue[i] for i in range(min(BATCH_MAX, len(self._queue)))])

    def close(self) -> None:
        """No more waiting for events: run ends when everything told so far is written."""
        self._closing = True
        self._wake.set()

    async def _write(self, batch: list[AuditEvent]) -> None:
        """Leaves the queue only when it is on disk; on storage errors it tries again, slower and slower."""
        failures = 0
        while True:
            try:
                await self._store.append(batch)
                break
            except Conflict:
                break  # an earlier try, whose outcome was unknown, had been committed
            except StorageUnavailable as error:
                log.warning("audit not written", error=error.detail, waiting=len(self._queue))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
            except Exception as error:  # rows that the database will never take must not stop those behind them
                log.error("audit rows refused by the database", error=repr(error), rows=len(batch))
                self.dropped += len(batch)
                break
        for _ in batch:
            self._queue.popleft()

    def _admits(self, now: float, refused: bool) -> bool:
        if not refused:
            return len(self._queue) < self._queue_max
        if int(now) != self._second:
            self._second, self._refusals = int(now), 0
        self._refusals += 1
        return self._refusals <= REFUSALS_PER_S and len(self._queue) < self._queue_max // 2


def caller(principal: Principal | None) -> Principal:
    """Whom an event names when nobody could be recognised."""
    return principal or Principal(id="unknown", kind="unknown")


def _plain(text: str) -> str:
    """What every database and log takes: no control characters, no lone surrogates, not endless."""
    text = text[:TEXT_CHARS_MAX]
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _log(event: AuditEvent) -> None:
    fields = {"actor": event.actor, "actor_kind": event.actor_kind, "document": event.document}
    log.info("audit", action=event.action, outcome=event.outcome, **fields, detail=event.detail)
