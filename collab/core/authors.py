"""Which connection writes as which CRDT client id, and what happens when two want the same one.

Two live writers under one id destroy each other's edits silently: replicas keep whichever struct came first at a clock
and drop the other. So an id belongs to the connection that typed with it until that connection ends. A relay of
somebody else's edits is no writer; and a client that came back while its old socket is only half dead is no second
one: the old socket is pinged, and gives way if it does not answer. Other nodes tell who holds which id there, and are
asked in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING

from collab.core.awareness import Entry as Presence
from collab.core.distant import ANSWER_S as NODE_ANSWER_S
from collab.core.distant import Distant
from collab.crdt.checked import Checked, Weighed
from collab.crdt.clocks import Clocks

if TYPE_CHECKING:
    from collab.core.session import Session

ANSWER_S = 2.0  # how long the holder of an id has to show a sign of life
NOBODY: frozenset[int] = frozenset()
OWNED_MAX = 64  # ids of one connection: tabs that share it, and what an undo manager forks
HELD_MAX = 64  # updates held per contest; whoever wins one that overflowed must come back and bring it all again


class Contest:
    """A second connection wants an id that the first one holds; what it wrote waits here for the outcome."""

    __slots__ = (
        "bytes",
        "client",
        "contender",
        "last_look",
        "overflowed",
        "owner",
        "presence",
        "typed",
        "until",
        "updates",
    )

    def __init__(self, client: int, owner: Session | Distant, contender: Session, until: float) -> None:
        self.client = client
        self.owner = owner
        self.contender = contender
        self.until = until
        self.last_look = False  # its time is up, but an answer may lie unread: this process may itself have been late
        self.typed = False  # it typed as this id; otherwise it only passed on what it had
        self.updates: list[Checked] = []
        self.bytes = 0  # of the updates
        self.overflowed = False  # more came than is held
        self.presence: Presence | None = None

    def hold(self, update: Checked, bytes_max: int) -> None:
        """Keeps it for the outcome; until then the contender is not told "saved"."""
        if not self.updates and not self.overflowed:
            self.contender.contested += 1
        if len(self.updates) < HELD_MAX and self.bytes + len(update.raw) <= bytes_max:
            self.updates.append(update)
            self.bytes += len(update.raw)
        else:
            self.overflowed = True

    def close(self) -> None:
        """The outcome is known."""
        if self.updates or self.overflowed:
            self.contender.contested -= 1


class Authors:
    """Owners by client id, and the open contests."""

    def __init__(self) -> None:
        self._owners: dict[int, Session | Distant] = {}
        self.owner: Callable[[int], Session | Distant | None] = self._owners.get
        """Who writes as this id on a live connection."""
        self._owned: dict[Session | Distant, set[int]] = {}  # the same, the other way round
        self.news: dict[int, bool] = {}  # ids taken (True) and freed here, which the other nodes have not been told
        self.contests: dict[tuple[int, Session], Contest] = {}

    def held_here(self) -> list[int]:
        """Ids that sessions of this node hold."""
        return [client for client, owner in self._owners.items() if not isinstance(owner, Distant)]

    def held_by(self, node: str) -> list[int]:
        """Ids that another node's sessions hold."""
        return [c for c, owner in self._owners.items() if isinstance(owner, Distant) and owner.node == node]

    def concede(self, client: int, distant: Distant) -> None:
        """A session of another node holds the id; not to be called while one of ours does."""
        before = self._owners.get(client)
        if before is not None:
            self._owned.pop(before, None)  # another Distant: nobody will say that it has left
        self._owners[client] = distant
        self._owned[distant] = {client}

    def claim(self, client: int, session: Session) -> None:
        """The session typed as this id, which nobody else holds; beyond OWNED_MAX it is taken to pass others' on."""
        if not self._holds_enough(session):
            self._owned.setdefault(session, set()).add(client)
            self._owners[client] = session
            self.news[client] = True

    def free(self, checked: Checked, session: Session, clocks: Clocks) -> Iterator[int]:
        """Ids that the session may claim by typing this. Of thousands most are known, and it holds no more than a few:
        the rest of them are those that are new to the document, since they are counted.
        """
        for client, _, _ in checked.runs:
            if self._holds_enough(session):
                yield from [fresh for fresh in clocks.new_clients(checked) if fresh not in self._owners]
                return
            if client not in self._owners:
                yield client

    def _holds_enough(self, session: Session) -> bool:
        return len(self._owned.get(session, NOBODY)) >= OWNED_MAX

    def foreign(self, checked: Checked, session: Session, clocks: Clocks) -> Set[int]:
        """Ids under which the update adds something although another live session writes as them."""
        owners = self._owners
        if not owners:
            return NOBODY
        if isinstance(checked, Weighed):  # thousands of clients, and few of them are anybody's
            newer, known = checked.newer, clocks.next.get
            held = [c for c in newer.keys() & owners.keys() if owners[c] is not session and newer[c] > known(c, 0)]
            return set(held)
        found: set[int] | None = None
        for client, _, end in checked.runs:
            owner = owners.get(client)
            if owner is not session and owner is not None and end > clocks.next.get(client, 0):
                found = found or set()
                found.add(client)
        return found or NOBODY

    def contest(self, client: int, owner: Session | Distant, contender: Session, now: float) -> Contest:
        """Opens the contest, asking the owner for a sign of life, or finds the open one."""
        found = self.contests.get((client, contender))
        if found is None:
            until = now + (NODE_ANSWER_S if isinstance(owner, Distant) else ANSWER_S)
            found = self.contests[client, contender] = Contest(client, owner, contender, until)
            owner.outbox.answered = False
            owner.outbox.ping()
        return found

    def go_on(self, contest: Contest, now: float) -> None:
        """The owner lives, but what the contender passed on has not come from it yet: ask again."""
        contest.until, contest.last_look = now + ANSWER_S, False
        contest.owner.outbox.answered = False
        contest.owner.outbox.ping()
        self.contests[contest.client, contest.contender] = contest

    def wait(self, client: int, until: float) -> None:
        """The owner's node asks it: contests for the id are open until then."""
        for contest in self.contests.values():
            if contest.client == client:
                contest.until, contest.last_look = until, False

    def leave(self, session: Session | Distant) -> list[Contest]:
        """Frees the session's ids; returns the contests that this decides for the contender."""
        for client in self._owned.pop(session, ()):
            if self._owners.get(client) is session:
                del self._owners[client]
            if not isinstance(session, Distant):
                self.news[client] = False
        won = [c for c in self.contests.values() if c.owner is session]
        self.contests = {
            key: c for key, c in self.contests.items() if c.owner is not session and c.contender is not session
        }
        return won

    def decide(self, now: float) -> tuple[list[Contest], list[Contest]]:
        """(contests in which the owner is alive, contests in which it did not answer in time); both are closed.

        To be called again and again, with what came in meanwhile read in between.
        """
        alive = [c for c in self.contests.values() if c.owner.outbox.answered]
        late = [c for c in self.contests.values() if not c.owner.outbox.answered and now >= c.until]
        dead = [c for c in late if c.last_look]
        for contest in late:
            contest.last_look = True
        for contest in (*alive, *dead):
            del self.contests[contest.client, contest.contender]
        return alive, dead
