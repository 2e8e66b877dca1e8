"""Mistakes planted one at a time, to prove that the simulation would find them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import uuid_utils

from collab.core.ledger import Ledger
from collab.core.room import Room
from collab.journal import Journal
from collab.store.base import Append


class LateFlag(Journal):
    """Snapshots what waits, writes it, and clears "something waits" after the write: what came meanwhile is lost.

    y-sweet's persist() does this (facts: it sets dirty=false after the awaited store).
    """

    async def _write(self) -> None:
        try:
            while self._waiting:
                taken = self._in_flight = list(self._waiting.values())
                batch = [Append(w.document, w.lineage, uuid_utils.uuid7().bytes, list(w.entries)) for w in taken]
                await self._settle(taken, batch)
                self._waiting.clear()
        finally:
            self._writer = None
            self._abandon()


@dataclass(frozen=True, slots=True)
class Bug:
    """How to plant it."""

    patches: tuple[tuple[type, str, Any], ...] = ()
    journal: Callable[..., Journal] = Journal
    barrier: bool = True  # opening the store syncs what an earlier process had only written

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While the block runs."""
        patches = [patch.object(*each) for each in self.patches]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


NONE = Bug()
BUGS = {
    "ack-before-commit": Bug(patches=((Ledger, "is_durable", lambda self, number: True),)),
    "dropped-gap": Bug(patches=((Room, "_hold", lambda self, checked, session, typed: None),)),
    "late-dirty-flag": Bug(journal=LateFlag),
    "no-barrier-at-open": Bug(barrier=False),
}
