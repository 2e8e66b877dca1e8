"""Mistakes planted one at a time, to prove that the simulation would find them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import uuid_utils

from collab.core.elsewhere import take_updates
from collab.core.ledger import Ledger
from collab.core.room import Room
from collab.gaps import Gaps
from collab.ghosts import Ghosts
from collab.journal import Journal
from collab.slot import Slot
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


def _skip(self: Gaps, slot: Slot) -> bool:
    """Takes whatever frame comes, as if the bus lost none: what was in the lost one is never read from the log."""
    frames = [slot.held.pop(first) for first in sorted(slot.held)]
    for frame in frames:
        ledger = slot.room.ledger
        ledger.seq = max(ledger.seq, frame.first_seq - 1)
        take_updates(slot.room, frame.bodies, frame.first_seq, frame.last_seq, 0.0)
    return bool(frames)


async def _no_look(self: Gaps, slots: Sequence[Slot]) -> None:
    """Trusts the bus: a last frame that was lost is noticed with the next edit, whenever that is."""


async def _no_ghosts(self: Ghosts) -> None:
    """Trusts the bus: who left unheard stays in sight, and out of reach, for as long as the node lives."""


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
    "dropped-gap": Bug(patches=((Gaps, "_take_held", _skip),)),
    "dropped-last-frame": Bug(patches=((Gaps, "look", _no_look),)),
    "dropped-goodbye": Bug(patches=((Ghosts, "look", _no_ghosts),)),
    "dropped-ahead": Bug(patches=((Room, "hold", lambda self, checked, session, typed: None),)),
    "late-dirty-flag": Bug(journal=LateFlag),
    "no-barrier-at-open": Bug(barrier=False),
}
