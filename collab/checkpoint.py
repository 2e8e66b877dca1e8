"""Checkpoints: a document's log is folded now and then, so that loading it costs a state and a bounded tail.

Folding is the engine's work and checked there; this decides when, one at a time per document, and stores the result.
The log is never shortened by it: a checkpoint that is wrong, or rots, is a slower load and nothing worse.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import structlog

from collab.errors import Gone, LineageRetired, NotFound
from collab.store.base import Checkpoint, Stored, UpdateLog
from collab.types import DocumentId

Fold = Callable[[bytes | None, Sequence[bytes]], Awaitable[tuple[bytes, bytes]]]
"""(base state or None, updates in log order) -> (state, index). Raises if the result does not hold all of them."""

OnFolded = Callable[[DocumentId, str, Checkpoint], None]

RETRY_FIRST_S = 30.0
RETRY_MAX_S = 3600.0
FAILING_MAX = 10_000  # documents whose failures are remembered; beyond it the oldest is tried anew

logger = structlog.get_logger("collab.checkpoint")


@dataclass(frozen=True, slots=True)
class Policy:
    """When folding pays: when the tail makes loading dearer than the state itself would.

    A row of the tail costs a load about 15 µs, a byte of state about 1 ns; folding costs about 1 µs per byte of state.
    So a small document is folded every `rows_min` rows (8 ms of loading), a large one when its tail has grown in
    proportion, and the work of folding stays a fixed share of the work of typing however large the document.
    """

    rows_min: int = 500
    bytes_min: int = 128 * 1024
    base_bytes_per_row: int = 512  # each further row that is let stand for this much of the base
    base_share: float = 0.5  # the tail's bytes against the base's

    def due(self, tail_rows: int, tail_bytes: int, base_bytes: int) -> bool:
        """Whether a base of so many bytes with such a tail should be folded."""
        if not tail_rows:
            return False
        rows_max = self.rows_min + base_bytes // self.base_bytes_per_row
        return tail_rows >= rows_max or tail_bytes >= max(self.bytes_min, self.base_share * base_bytes)


@dataclass(slots=True)
class Figures:
    """Plain numbers for metrics."""

    folded: int = 0
    failed: int = 0
    abandoned: int = 0  # the document was deleted or purged meanwhile
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that could not be folded: how often in a row, why, and when it is tried again (monotonic seconds)."""

    times: int
    reason: str
    not_before: float


class Checkpointer:
    """Folds documents in the background, whether anybody has them open or not.

    `on_folded` is told every checkpoint that was stored, so that an open room may take it for its base.
    """

    def __init__(
        self,
        log: UpdateLog,
        fold: Fold,
        *,
        policy: Policy = Policy(),
        at_once: int = 1,
        on_folded: OnFolded = lambda document, lineage, checkpoint: None,
        fold_now: Fold | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_once`: documents folded at the same time; each holds its whole log in memory meanwhile.

        `fold_now` is for those whom somebody waits for; `fold` if there is no other.
        """
        self.policy = policy
        self.figures = Figures()
        self.failing: OrderedDict[DocumentId, Failure] = OrderedDict()
        self._log = log
        self._fold = fold
        self._fold_now = fold_now or fold
        self._on_folded = on_folded
        self._clock = clock
        self._places = asyncio.Semaphore(at_once)
        self._running: dict[DocumentId, asyncio.Task[Checkpoint | None]] = {}
        self._closed = False

    def consider(self, document: DocumentId, tail_rows: int, tail_bytes: int, base_bytes: int) -> None:
        """Starts folding in the background if it pays; a plain call, cheap enough for every commit."""
        if self._closed or document in self._running or not self.policy.due(tail_rows, tail_bytes, base_bytes):
            return
        failure = self.failing.get(document)
        if failure is None or self._clock() >= failure.not_before:
            self._start(document)

    async def fold(self, document: DocumentId) -> Checkpoint | None:
        """Folds now, or joins the fold under way; None if there is nothing to fold, or nothing sound to fold from.

        Raises what the log and the engine raise.
        """
        return await asyncio.shield(self._running.get(document) or self._start(document))

    async def shorten(self, document: DocumentId) -> None:
        """Folds for somebody who waits, unless that has just failed. Raises as `fold` does."""
        failure = self.failing.get(document)
        if failure is None or self._clock() >= failure.not_before:
            await asyncio.shield(self._running.get(document) or self._start(document, urgent=True))

    async def close(self) -> None:
        """Gives up what is under way; the log has it all."""
        self._closed = True
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, document: DocumentId, urgent: bool = False) -> asyncio.Task[Checkpoint | None]:
        task = asyncio.get_running_loop().create_task(self._run(document, urgent), name="checkpoint")
        self._running[document] = task
        task.add_done_callback(lambda done: self._ended(document, done))
        return task

    async def _run(self, document: DocumentId, urgent: bool) -> Checkpoint | None:
        async with nullcontext() if urgent else self._places:
            started = self._clock()
            stored = await self._log.load(document)
            if stored is None or stored.quarantine is not None or not stored.rows:
                return None
            checkpoint = await _folded(stored, self._fold_now if urgent else self._fold)
            await self._log.put_checkpoint(document, stored.lineage, checkpoint)
        self.figures.folded += 1
        self.figures.rows += len(stored.rows)
        self.figures.seconds += self._clock() - started
        self._on_folded(document, stored.lineage, checkpoint)
        return checkpoint

    def _ended(self, document: DocumentId, task: asyncio.Task[Checkpoint | None]) -> None:
        del self._running[document]
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.failing.pop(document, None)
        elif isinstance(error, Gone | LineageRetired | NotFound):
            self.figures.abandoned += 1
        else:
            self._failed(document, error)

    def _failed(self, document: DocumentId, error: BaseException) -> None:
        self.figures.failed += 1
        known = self.failing.pop(document, None)
        times = known.times + 1 if known else 1
        wait_s = min(RETRY_FIRST_S * 2.0 ** min(times - 1, 20), RETRY_MAX_S)
        self.failing[document] = Failure(times, f"{type(error).__name__}: {error}", self._clock() + wait_s)
        if len(self.failing) > FAILING_MAX:
            self.failing.popitem(last=False)
        logger.error("checkpoint_failed", document=document, times=times, error=repr(error), retry_in_s=wait_s)


async def _folded(stored: Stored, fold: Fold) -> Checkpoint:
    base = stored.checkpoint.state if stored.checkpoint else None
    updates = [entry.update for row in stored.rows for entry in row.entries]
    state, index = await fold(base, updates)
    return Checkpoint(stored.seq, state, index)
