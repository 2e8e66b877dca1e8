"""How long history is kept in which detail: every update, then what each step of time amounted to, then one state.

Old rows of the log become history segments: what was typed in an hour, say, without who typed which letter when, and
without what was written and deleted within it. A document as it was at the end of any step can still be had.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import uniform

import structlog

from collab.errors import CollabError, Conflict, Gone, LineageRetired, NotFound
from collab.store.base import LogRow, Segments, Stretch
from collab.types import DocumentId, Entry

log = structlog.get_logger(__name__)

EVERY_S = 3600.0
FIRST_S = 300.0  # after a start there is more urgent work, and nodes that start together should not do the same
PAGE = 200  # documents looked up at once
ROWS_MAX = 2_000  # in one segment: removing them keeps the database's writer for some 20 ms
EXACT_MIN = timedelta(minutes=10)  # a commit whose outcome was unknown is looked for in the log when it is tried again

Condense = Callable[[Sequence[bytes], bool], Awaitable[bytes]]
"""(updates that follow on one another, whether they begin with the first) -> one small update."""
Fold = Callable[[DocumentId], Awaitable[object]]
"""Makes a checkpoint of all that the document's log holds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`exact`: every update is kept for so long, None: for ever. Older ones become a segment per `step_s` seconds.

    `stepwise`: segments older than this become one, so that what was deleted before is gone; None: never.
    """

    exact: timedelta | None = timedelta(days=30)
    step_s: int = 3600
    stepwise: timedelta | None = None


@dataclass(slots=True)
class Figures:
    """Plain numbers for metrics."""

    segments: int = 0
    rows: int = 0
    failed: int = 0


class Retention:
    """Walks through all documents once an hour and squashes what is old enough."""

    def __init__(
        self,
        segments: Segments,
        condense: Condense,
        fold: Fold,
        policy: Policy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.policy = policy
        self.figures = Figures()
        self._segments = segments
        self._condense = condense
        self._fold = fold
        self._now = now

    def gauges(self) -> dict[str, float]:
        """For metrics."""
        made = self.figures
        return {
            "history_segments": made.segments,
            "history_rows_squashed": made.rows,
            "history_failures": made.failed,
        }

    async def run(self) -> None:
        """Forever, until cancelled."""
        await asyncio.sleep(uniform(0.5, 1.5) * FIRST_S)
        while True:
            try:
                await self.once()
            except CollabError as error:  # the database is away: next time, then
                log.warning("history could not be squashed", error=error.detail)
            except Exception:
                log.exception("squashing history failed")
            await asyncio.sleep(uniform(0.9, 1.1) * EVERY_S)

    async def once(self) -> None:
        """One round over all documents; a document that fails stops no other. Raises StorageUnavailable."""
        before, joined = self._before(self.policy.exact), self._before(self.policy.stepwise)
        if before is None:
            return
        after = ""
        while due := await self._segments.due(before, joined, after, PAGE):
            for document in due:
                await self._tend(document, before, joined)
            after = due[-1]

    def _before(self, kept: timedelta | None) -> datetime | None:
        return None if kept is None else self._now() - max(kept, EXACT_MIN)

    async def _tend(self, document: DocumentId, before: datetime, joined: datetime | None) -> None:
        try:
            await self._squash(document, before)
            if joined is not None:
                await self._join(document, joined)
        except (Conflict, Gone, LineageRetired, NotFound) as error:  # another node was faster, or somebody deleted it
            log.info("history was not squashed", document=document, reason=error.detail)
        except CollabError as error:
            self.figures.failed += 1
            log.error("history could not be squashed", document=document, error=repr(error))

    async def _squash(self, document: DocumentId, before: datetime) -> None:
        while True:
            found = await self._segments.stretch(document, before, self.policy.step_s, ROWS_MAX)
            if found is None:
                return
            if found.folded_seq < found.rows[-1].last_seq:
                await self._fold(document)
            await self._put(document, found)
            self.figures.rows += len(found.rows)

    async def _join(self, document: DocumentId, before: datetime) -> None:
        found = await self._segments.old(document, before)
        if found is not None:
            await self._put(document, found)

    async def _put(self, document: DocumentId, found: Stretch) -> None:
        first, last = found.rows[0], found.rows[-1]
        updates = [entry.update for row in found.rows for entry in row.entries]
        update = await self._condense(updates, first.first_seq == 1)
        entry = Entry(", ".join(_authors(found.rows)), "", update)
        began = first.squashed_from or first.created_at
        segment = LogRow(first.first_seq, last.last_seq, last.created_at, [entry], began, tuple(_authors(found.rows)))
        await self._segments.put(document, found.lineage, segment)
        self.figures.segments += 1


def _authors(rows: Sequence[LogRow]) -> list[str]:
    """Everybody who wrote, each once, in the order of their first update."""
    named = (row.authors if row.squashed else [entry.author for entry in row.entries] for row in rows)
    return list(dict.fromkeys(name for names in named for name in names))
