"""Two connections, one client id: what the second one brings waits until it is known whether the first one lives."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING
from weakref import proxy

from collab.core.authors import Contest
from collab.core.distant import Distant
from collab.core.session import Session
from collab.crdt.gate import Checked, check
from collab.crdt.split import only_client, without_clients
from collab.errors import AuthorIdInUse, Overloaded, SlowReader
from collab.protocol.messages import EMPTY_UPDATE

if TYPE_CHECKING:
    from collab.core.room import Room

OVERFLOWED = "too much waited for an older connection; come back with it"


class Contests:
    """A room's part of it; who holds which id is in `authors`."""

    def __init__(self, room: Room) -> None:
        self._room: Room = proxy(room)  # no cycle: a room that is unloaded frees its memory at once

    def split(self, checked: Checked, foreign: Set[int], session: Session, now: float, typed: bool) -> Checked | None:
        """Holds what the update brings under others' ids until it is known whether they live; returns the rest."""
        for client in sorted(foreign)[: self._room.limits.contests_max]:
            part = checked.raw if {run[0] for run in checked.runs} == {client} else only_client(checked.raw, client)
            if part is not None:
                self.hold(client, check(part, self._room.limits), session, now, typed)
        self.give_up(len(foreign), session)
        rest = without_clients(checked.raw, set(foreign))
        return None if rest is None or rest == EMPTY_UPDATE else check(rest, self._room.limits)

    def hold(self, client: int, part: Checked, session: Session, now: float, typed: bool) -> None:
        """Holds what a session brings under an id that another live one writes as."""
        owner = self._room.authors.owner(client)
        if owner is not None:
            contest = self._room.authors.contest(client, owner, session, now)
            contest.typed |= typed
            contest.hold(part, self._room.limits.contest_bytes_max)

    def give_up(self, foreign: int, session: Session) -> None:
        """What one update brings of too many live others is left to them, and it is not "saved" by who brought it."""
        if foreign > self._room.limits.contests_max:
            session.refused = True

    def decide(self, now: float) -> None:
        """Settles contests: a live owner keeps its id and a second writer is told so; a silent one gives way."""
        alive, dead = self._room.authors.decide(now)
        for contest in alive:
            self._uphold(contest, now)
        for contest in dead:
            contest.owner.outbox.close(SlowReader("no sign of life, and its client is back on another connection"))
            if isinstance(contest.owner, Distant):
                self.give_way(contest.owner, now)
            else:
                self._room.leave(contest.owner, now)
            self._inherit(contest, now)

    def _uphold(self, contest: Contest, now: float) -> None:
        """The owner lives. What the contender passed on is "saved" once the owner has brought it, and that is."""
        room, contender = self._room, contest.contender
        known = all(map(room.history.clocks.adds_nothing, contest.updates))
        # Whoever brings the very bytes that the owner brought only passed them on. Another node tells what its people
        # brought merged, so that bytes cannot be compared: there a clone that types more slowly than the owner is taken
        # for a relay, and told only once it is ahead.
        passed_on = known if isinstance(contest.owner, Distant) else all(u.raw in room.recent for u in contest.updates)
        if contest.typed and not passed_on:
            contender.outbox.close(AuthorIdInUse())
        elif contest.overflowed:
            contender.outbox.close(Overloaded(OVERFLOWED))
        elif not known:
            room.authors.go_on(contest, now)
            return
        contest.close()
        contender.entered = room.ledger.entered
        room.promises.answer(contender)

    def _inherit(self, contest: Contest, now: float) -> None:
        room, contender = self._room, contest.contender
        contest.close()
        for update in contest.updates:
            room.accept_late(update, contender, now, contest.typed)
        if contest.overflowed:
            contender.outbox.close(Overloaded(OVERFLOWED))
        elif contest.presence is not None:
            room.awareness.receive(contender, [contest.presence])
        room.promises.answer(contender)

    def give_way(self, distant: Distant, now: float) -> None:
        """The holder on another node is gone."""
        for contest in self._room.authors.leave(distant):
            self._inherit(contest, now)

    def leave(self, session: Session, now: float) -> None:
        """Its ids are free, which decides for those who waited for them."""
        for contest in self._room.authors.leave(session):
            self._inherit(contest, now)
