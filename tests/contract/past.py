"""A document with a long past, typed over hours that a test moves through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from collab.checkpoint import Checkpointer
from collab.crdt.fold import condense, fold
from collab.crdt.index import build
from collab.retention import Policy, Retention
from collab.store.base import Append, Entry, LogRow
from collab.store.log import SqlLog
from collab.store.open import Store
from tests.updates import deleted, typed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURS, PER_HOUR = 4, 6
SECRET = "a word that was taken back"


@dataclass
class Past:
    """A document that was typed over some hours, in a store whose clock is moved."""

    store: Store
    now: datetime = NOON
    updates: list[bytes] = field(default_factory=list)

    async def type(self, document: str = "d", hours: int = HOURS) -> None:
        """One commit every ten minutes; the second one of each hour is deleted by the third."""
        log = SqlLog(self.store.database, lambda: round(self.now.timestamp() * 1_000_000))
        for _ in range(hours * PER_HOUR):
            update = nth(len(self.updates))
            self.updates.append(update)
            entry = Entry("bob" if len(self.updates) % 6 == 0 else "ada", "s", update)
            await log.append([Append(document, "L", len(self.updates).to_bytes(16, "big"), [entry])])
            self.now += timedelta(hours=1) / PER_HOUR

    def retention(self, **policy: object) -> Retention:
        """On this store, folding in this process."""

        async def small(updates: Sequence[bytes], whole: bool) -> bytes:
            return fold(None, updates) if whole else condense(updates)

        async def state(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
            made = fold(base, updates)
            return made, build(made)

        checkpointer = Checkpointer(self.store.log, state)
        kept = Policy(**{"exact": timedelta(hours=1), **policy})  # type: ignore[arg-type]
        return Retention(self.store.segments, small, checkpointer.fold, kept, lambda: self.now)

    async def rows(self, document: str = "d") -> Sequence[LogRow]:
        return await self.store.log.read(document, 0, 1000)


def nth(number: int) -> bytes:
    """What is typed at a document's n-th commit, counted from 0."""
    at = number % PER_HOUR
    start = number // PER_HOUR * (PER_HOUR - 1 + len(SECRET) - 1)
    if at == 2:
        return deleted(1, start + 1, len(SECRET))
    clock = start + (0 if at == 0 else at if at == 1 else at + len(SECRET) - 2)
    return typed(1, clock, SECRET if at == 1 else "x")
