"""The people of one process: who sits where, whether they type now, and whether all read the same at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import gevent
from gevent.event import Event

from loadtests.contrast.casting import Plan, Seat
from loadtests.contrast.ledger import Ledger, now_s
from loadtests.contrast.replica import Replica, roots
from loadtests.contrast.script import Script
from loadtests.contrast.traffic import Traffic

LOOK_S = 0.02


class Member(Protocol):
    """A person as the crew sees one."""

    seat: Seat
    replica: Replica
    current: bool  # has had the whole document once
    reads: ClassVar[bool]  # holds the document's content, which must be the server's at the end

    def confirm(self) -> None:
        """Asks the server whether everything typed is durable."""

    def press(self) -> None:
        """Makes one edit now."""

    @property
    def saved(self) -> int:
        """How many of their edits the server has acknowledged as durable."""


@dataclass
class Crew:
    """Shared by all people of the process."""

    plan: Plan
    ledger: Ledger = field(default_factory=Ledger)
    traffic: Traffic = field(default_factory=Traffic)
    typing: Event = field(default_factory=Event)
    members: list[Member] = field(default_factory=list)
    _taken: int = 0

    def __post_init__(self) -> None:
        self.script = Script.read(Path(self.plan.script))
        self.origin = self.plan.origin
        self.roots = roots(self.plan.shape.writers)

    def take(self, member: Member) -> Seat:
        """The next free seat; who comes when all are taken reads."""
        planned = self._taken < len(self.plan.seats)
        seat = self.plan.seats[self._taken] if planned else Seat(self._taken % len(self.plan.documents), -1)
        self._taken += 1
        self.members.append(member)
        return seat

    def wait_joined(self, within_s: float) -> int:
        """How many have the document, once all have or the time is over."""
        _wait(lambda: len(self.members) == len(self.plan.seats) and all(m.current for m in self.members), within_s)
        return sum(member.current for member in self.members)

    def settle(self, within_s: float) -> list[tuple[int, int, int, int]]:
        """Stops typing and waits for the acknowledgement of everything.

        Returns (document, section, edits made, edits acknowledged) for each writer.
        """
        self.typing.clear()
        writers = [member for member in self.members if member.seat.section >= 0]
        deadline_s = now_s() + within_s
        while now_s() < deadline_s and any(m.saved < m.replica.edits for m in writers):
            for member in writers:
                if member.saved < member.replica.edits:
                    member.confirm()
            gevent.sleep(LOOK_S)
        return [(m.seat.document, m.seat.section, m.replica.edits, m.saved) for m in writers]

    def compare(self, digests: Sequence[str], within_s: float) -> dict[str, Any]:
        """Waits until everybody's content has the digest of their document. Who differs at the end is counted."""
        waiting = [member for member in self.members if member.reads]
        deadline_s = now_s() + within_s
        while True:
            waiting = [m for m in waiting if m.replica.digest(self.roots) != digests[m.seat.document]]
            if not waiting or now_s() >= deadline_s:
                return {"differ": len(waiting), "of": len(self.members), "at_s": now_s()}
            gevent.sleep(LOOK_S)


def _wait(holds: Callable[[], bool], within_s: float) -> bool:
    deadline_s = now_s() + within_s
    while not holds():
        if now_s() >= deadline_s:
            return False
        gevent.sleep(LOOK_S)
    return True
