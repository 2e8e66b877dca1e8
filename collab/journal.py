"""The group-commit writer: everything that rooms hand over while one commit runs goes into the next.

An idle journal commits the first update at once. A busy one lingers between commits, so that one fsync pays for
hundreds of updates; whoever cannot wait says `hurry`. Nothing is acknowledged before its commit has returned, and
nothing is given up while the storage is in trouble: the same batch is tried again, under the same batch ids, until it
is settled.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
import uuid_utils

from collab.errors import Draining, StorageUnavailable
from collab.store.base import Append, Appended, Entry, UpdateLog
from collab.types import DocumentId

OnDone = Callable[[Appended], None]

WAITING_BYTES_MAX = 64 * 1024 * 1024  # beyond it the hub stops reading sockets; a minute of 1 MiB/s
ENTRY_BYTES = 256  # what an entry costs in memory besides its update
COMMIT_BYTES_MAX = 8 * 1024 * 1024  # after an outage the backlog goes out in transactions of this size
COMMIT_ROWS_MAX = 1_024  # documents in one transaction: more only makes the others wait for their ack
LINGER_S = 0.02  # between commits: no person sees it, and 200 keystrokes a second cost 45 commits and not 200
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 2.0  # people see "not saved" end at most this long after the storage is back
SAMPLES = 1_024  # recent commits whose times and sizes are kept for metrics

logger = structlog.get_logger("collab.journal")


@dataclass(slots=True)
class _Waiting:
    """What one document has handed over for the next commit, as one future log row."""

    document: DocumentId
    lineage: str
    since: float
    expected: int | None = None
    entries: list[Entry] = field(default_factory=list)
    callers: list[tuple[int, OnDone]] = field(default_factory=list)  # (entries of this call, its callback)
    size_bytes: int = 0

    def add(self, entries: Sequence[Entry], size_bytes: int, on_done: OnDone) -> None:
        """Joins one call's entries to the row."""
        self.entries.extend(entries)
        self.callers.append((len(entries), on_done))
        self.size_bytes += size_bytes

    def shares(self, result: Appended) -> list[tuple[OnDone, Appended]]:
        """Each caller, once, with its own part of the row's numbers."""
        callers, self.callers = self.callers, []
        if result.error is not None or len(callers) == 1:
            return [(on_done, result) for _, on_done in callers]
        shares, first = [], result.first_seq
        for count, on_done in callers:
            created = result.created and first == result.first_seq
            own = Appended(result.document, result.lineage, first, first + count - 1, created=created)
            shares.append((on_done, own))
            first += count
        return shares


@dataclass(slots=True)
class Figures:
    """Plain numbers for metrics; the deques hold the last 1,024 commits."""

    commits: int = 0
    rows: int = 0
    entries: int = 0
    refused: int = 0
    failed_commits: int = 0
    callback_errors: int = 0
    commit_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    batch_rows: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class Journal:
    """Gathers appends and commits them, one batch at a time, in the order in which they came.

    After each commit `linger_s` says how long the next one may wait for company. `on_trouble(error)` is called when
    commits begin to fail, `on_recovered()` when one has worked again.
    """

    def __init__(
        self,
        log: UpdateLog,
        *,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
        linger_s: Callable[[], float] = lambda: LINGER_S,
        on_trouble: Callable[[Exception], None] = lambda error: None,
        on_recovered: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._waiting_bytes_max = waiting_bytes_max
        self._linger_s = linger_s
        self._lingers_until = float("-inf")
        self._hurried = asyncio.Event()
        self._on_trouble = on_trouble
        self._on_recovered = on_recovered
        self._sleep = sleep
        self._clock = clock
        self._waiting: dict[tuple[DocumentId, str, int], _Waiting] = {}  # the last is 0 but for rows of their own
        self._own_rows = itertools.count(1)
        self._in_flight: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.waiting_bytes = 0
        self.figures = Figures()
        self.last_error: Exception | None = None
        self.unhealthy_since: float | None = None

    @property
    def healthy(self) -> bool:
        """Whether the last commit worked."""
        return self.unhealthy_since is None

    @property
    def full(self) -> bool:
        """Whether so much waits that no more should be read from sockets. Appends are taken all the same."""
        return self.waiting_bytes >= self._waiting_bytes_max

    @property
    def lag_s(self) -> float:
        """For how long the oldest update that is not settled has waited; 0.0 if there is none."""
        oldest = min((waiting.since for waiting in self._unsettled()), default=None)
        return 0.0 if oldest is None else self._clock() - oldest

    async def probe(self) -> None:
        """Raises what the last commit failed with, for as long as none has worked again."""
        if self.unhealthy_since is not None:
            raise self.last_error or StorageUnavailable()

    def append(
        self,
        document: DocumentId,
        lineage: str,
        entries: Sequence[Entry],
        on_done: OnDone,
        expected: int | None = None,
    ) -> None:
        """Hands entries over for the next commit and returns at once; `on_done` is called when they are settled.

        Calls of one document in the same batch share a row; each is told its own sequence numbers. With `expected`
        they have a row of their own, which is stored only if the document stands at this seq; nothing may build on it
        before. Raises Draining once the journal is closed, ValueError if there is no entry.
        """
        if self._closed:
            raise Draining()
        if not entries:
            raise ValueError("nothing to append")
        size = ENTRY_BYTES * len(entries)
        for _, _, update in entries:
            size += len(update)
        key = (document, lineage, 0 if expected is None else next(self._own_rows))
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(document, lineage, self._clock(), expected)
        waiting.add(entries, size, on_done)
        self.waiting_bytes += size
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="journal")

    def hurry(self) -> None:
        """Somebody waits for what was handed over last: the next commit does not linger."""
        self._hurried.set()

    async def flush(self, document: DocumentId | None = None) -> None:
        """Returns when all that was handed over before is settled, or all of one document.

        While the storage is away, that takes as long.
        """
        unsettled = [w for w in self._unsettled() if document is None or w.document == document]
        left = len(unsettled)
        settled = asyncio.get_running_loop().create_future()

        def told(_: Appended) -> None:
            nonlocal left
            left -= 1
            if not left and not settled.done():
                settled.set_result(None)

        for waiting in unsettled:
            waiting.callers.append((0, told))
        if unsettled:
            self.hurry()
            await settled

    async def close(self, grace_s: float = 10.0) -> None:
        """Takes no more appends and commits what waits. What is not settled after `grace_s` is told so: no ack."""
        self._closed = True
        self.hurry()
        if self._writer is not None:
            _, late = await asyncio.wait({self._writer}, timeout=grace_s)
            for task in late:
                task.cancel()
                await asyncio.wait({task})

    def _unsettled(self) -> list[_Waiting]:
        """Without those in flight that were told already, while the other half of their batch still goes on."""
        return [*(w for w in self._in_flight if w.callers), *self._waiting.values()]

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._linger()
                self._take()
                batch = [
                    Append(w.document, w.lineage, uuid_utils.uuid7().bytes, w.entries, w.expected)
                    for w in self._in_flight
                ]
                await self._settle(self._in_flight, batch)
                self._in_flight = []
                self._lingers_until = self._clock() + self._linger_s()
        except Exception:  # nobody waits for this task; the next append begins another
            logger.exception("writer_failed")
        finally:
            self._writer = None
            self._abandon()

    async def _linger(self) -> None:
        """Waits for company if the last commit has only just ended; a full transaction's worth need not wait."""
        left_s = self._lingers_until - self._clock()
        if left_s > 0.0 and len(self._waiting) < COMMIT_ROWS_MAX and self.waiting_bytes < COMMIT_BYTES_MAX:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), left_s)
        self._hurried.clear()

    def _take(self) -> None:
        """Moves the next batch into flight: the oldest first, up to the bounds of a transaction but at least one.

        One of each document: if that is refused, what builds on it still waits here, and is refused with it.
        """
        taken: dict[DocumentId, tuple[DocumentId, str, int]] = {}
        size = 0
        for key, waiting in self._waiting.items():
            size += waiting.size_bytes
            if taken and (size > COMMIT_BYTES_MAX or len(taken) >= COMMIT_ROWS_MAX):
                break
            taken.setdefault(waiting.document, key)
        self._in_flight = [self._waiting.pop(key) for key in taken.values()]

    async def _settle(self, taken: Sequence[_Waiting], batch: Sequence[Append]) -> None:
        """Every caller has been told when this returns. A batch that cannot be held is halved down to the culprit."""
        try:
            results = await self._persist(batch)
        except Exception as error:  # not the storage's state but the values: trying again would change nothing
            if len(batch) == 1:
                logger.error("append_refused", document=batch[0].document, error=repr(error))
                self.figures.refused += 1
                self._tell(taken[0], Appended(batch[0].document, batch[0].lineage, 0, 0, error))
                return
        else:
            for waiting, result in zip(taken, results, strict=True):
                self._tell(waiting, result)
            return
        half = len(batch) // 2
        await self._settle(taken[:half], batch[:half])
        await self._settle(taken[half:], batch[half:])

    async def _persist(self, batch: Sequence[Append]) -> Sequence[Appended]:
        """One commit, tried again for as long as the storage is away; other errors are the caller's."""
        delay = RETRY_FIRST_S
        while True:
            started = self._clock()
            try:
                results = await self._log.append(batch)
            except StorageUnavailable as error:
                self._failed(error)
            else:
                self._worked(results, self._clock() - started)
                return results
            # Jitter: nodes that lost the same database do not come back in step.
            await self._sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, RETRY_MAX_S)

    def _failed(self, error: StorageUnavailable) -> None:
        self.figures.failed_commits += 1
        self.last_error = error
        if self.unhealthy_since is None:
            self.unhealthy_since = self._clock()
            logger.error("storage_trouble", error=error.detail)
            self._call(self._on_trouble, error)

    def _worked(self, results: Sequence[Appended], seconds: float) -> None:
        figures = self.figures
        stored = [result for result in results if result.error is None]
        figures.commits += 1
        figures.rows += len(stored)
        figures.entries += sum(result.last_seq - result.first_seq + 1 for result in stored)
        figures.refused += len(results) - len(stored)
        figures.commit_seconds.append(seconds)
        figures.batch_rows.append(len(stored))
        if self.unhealthy_since is not None:
            logger.warning("storage_recovered", after_s=round(self._clock() - self.unhealthy_since, 3))
            self.unhealthy_since = None
            self._call(lambda _: self._on_recovered(), None)

    def _tell(self, waiting: _Waiting, result: Appended) -> None:
        self.waiting_bytes -= waiting.size_bytes
        waiting.size_bytes = 0
        for on_done, own in waiting.shares(result):
            self._call(on_done, own)
        if result.error is not None and waiting.expected is None:  # else nothing was gathered on top of it
            for key in [key for key in self._waiting if key[0] == waiting.document]:
                self._tell(self._waiting.pop(key), replace(result, lineage=key[1]))

    def _call(self, callback: Callable[[Any], None], argument: object) -> None:
        """One listener's mistake must not stop the others' acks."""
        try:
            callback(argument)
        except Exception:
            self.figures.callback_errors += 1
            logger.exception("callback_failed")

    def _abandon(self) -> None:
        """The writer has ended: whoever still waits (it was cancelled) is told that nothing was promised."""
        left, self._in_flight = self._unsettled(), []
        self._waiting.clear()
        for waiting in left:
            error = StorageUnavailable("the node stopped before this was known to be stored")
            self._tell(waiting, Appended(waiting.document, waiting.lineage, 0, 0, error))
