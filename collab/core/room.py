"""One document live on one node: frames in, effects out. No await, no clock, no logging.

Inputs change the room and may answer their session at once; `drain`, once per tick, says what everyone else gets and
what must be stored. An input that raises has added nothing to the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from collab.core.authors import Authors
from collab.core.awareness import Awareness, decode_entries
from collab.core.contests import Contests
from collab.core.effects import Effects, merged, wire_of
from collab.core.history import History
from collab.core.identity import honest
from collab.core.ledger import Ledger
from collab.core.nudges import nudge
from collab.core.pending import Held, Pending
from collab.core.promises import Promises
from collab.core.recent import Recent
from collab.core.retired import refusing
from collab.core.session import Session
from collab.core.typing import Typing
from collab.crdt.clocks import is_long
from collab.crdt.diff import diff
from collab.crdt.gate import Checked, check, check_state_vector
from collab.crdt.split import split
from collab.errors import CollabError, DocumentFull, Forbidden, RateLimited, TooLarge, Unprocessable
from collab.limits import Limits
from collab.protocol.frames import frame
from collab.protocol.messages import (
    EMPTY_UPDATE,
    KEEPALIVE,
    Kind,
    decode,
    encode_awareness,
    encode_denied,
    encode_step1,
)
from collab.types import Access, DocumentId, Entry

DENIED_EVERY_S = 5.0
KEEPALIVE_WIRE = frame(KEEPALIVE)
NOBODY = b"\x00"
WRITE = Access.WRITE
_entry = tuple.__new__  # for each keystroke: half of the time that a named tuple's own constructor takes


class Room:
    """The document's bytes and accounts, its people, and what this tick has gathered."""

    def __init__(self, document: DocumentId, lineage: str, history: History, seq: int, limits: Limits) -> None:
        self.document = document
        self.lineage = lineage
        self.history = history
        self.limits = limits
        self.ledger = Ledger(seq)
        self.awareness = Awareness(limits)
        self.live: dict[Session, Callable[[bytes], None]] = {}  # who gets each tick, and how
        self.sessions: dict[Session, None] = {}  # everyone, those with a full outbox included
        self.read_only: CollabError | None = None  # why nobody may write, e.g. a quarantine
        self.full = False  # read-only for as long as the document fills what it may have on disk
        self.retired_authors: frozenset[int] = frozenset()
        self.authors = Authors()
        self.contests = Contests(self)
        self.overdue: list[Held] = []  # what waited, and must be split again, or is long: dear work, done elsewhere
        self.pending = Pending(limits, self.sessions)
        self.typing = Typing(self)
        self.promises = Promises(self.ledger)
        self.recent = Recent()
        self.elsewhere: list[Checked] = []  # committed by other nodes, not yet shown here
        self.shown_to = 0  # the history's mark before the first of them
        self._updates: list[Checked] = []
        self._entries: list[Entry] = []
        self._sole_author: Session | None = None

    # ------------------------------------------------------------------ people

    def join(self, session: Session) -> None:
        """Greets: step 1, then who is here (or nobody, so that the client sees a first presence frame)."""
        self.sessions[session] = None
        self.live[session] = session.outbox.write
        greeting = self.ask(session)
        present = self.awareness.present()
        session.write(greeting + (frame(encode_awareness(present)) if present else KEEPALIVE_WIRE))

    def ask(self, session: Session) -> bytes:
        """Step 1. What it says is known here its client will not send: for that, too, its "saved" must wait.

        Someone else may have brought it back from before a crash, and it may be in no commit yet.
        """
        session.entered = self.ledger.entered
        return frame(encode_step1(self.history.clocks.encode_state_vector()))

    def leave(self, session: Session, now: float) -> None:
        """Its people are gone at once; what it wrote stays; its client ids are free."""
        self.sessions.pop(session, None)
        self.live.pop(session, None)
        self.promises.forget(session)
        self.awareness.leave(session)
        self.contests.leave(session, now)

    def pause(self, session: Session, now: float) -> None:
        """Its outbox is full: nothing more is queued for it."""
        if session.behind is None and session in self.sessions:
            # What other nodes committed is in the history before the tick that shows it: that, too, it has not seen.
            clocks = self.history.clocks.before([*self.elsewhere, *self._updates])
            session.behind = (self.shown_to if self.elsewhere else self.history.position, clocks)
            session.slow_since, session.people_mark = now, self.awareness.mark
            self.live.pop(session, None)

    def resume(self, session: Session, missed: bytes | None = None, answer: bytes | None = None) -> None:
        """Its outbox has drained: one diff against what it last had, then it is live. It may fill again at once.

        `missed` and the `answer` that it is owed: by whoever has just gathered them.
        """
        if session.behind is None or session not in self.sessions:
            return
        (position, vector), session.behind, session.slow_since = session.behind, None, None
        self.live[session] = session.outbox.write
        people = self.awareness.caught_up(session.people_mark)
        missed = self.history.since(position, vector) if missed is None else missed
        session.write(missed + frame(encode_awareness(people)))
        if session.owes_answer is not None and session.behind is None:
            known, session.owes_answer = session.owes_answer, None
            session.write(self.history.answer(known) if answer is None else answer)
        if session.asked and session.behind is None:
            session.write(self.ask(session))
        self.promises.answer(session)

    # ------------------------------------------------------------------ frames

    def receive(self, session: Session, data: bytes, now: float) -> float:
        """Takes one frame; returns the seconds for which this socket should not be read (0.0 nearly always).

        Raises CollabError for a frame that ends the session; the document is unchanged then.
        """
        kind, body = decode(data)
        session.frames_left -= 1
        pause = session.pay_frames(now) if session.frames_left < 0 else 0.0
        if kind is Kind.UPDATE or kind is Kind.STEP2:
            if body != EMPTY_UPDATE:
                self.accept(self.check(body), session, now, kind is Kind.UPDATE)
            if kind is Kind.STEP2:
                self.promises.answered(session, self.may_write(session))
        elif kind is Kind.AWARENESS:
            pause = max(pause, session.awareness_rate.take(now), session.awareness_bytes.take(now, len(body)))
            self._presence(session, body, now)
        elif kind is Kind.STATUS:
            if len(body) > self.limits.status_bytes_max:
                raise TooLarge(f"a status request of {len(body)} bytes")
            self.promises.ask(session, body)
        elif kind is Kind.STEP1:
            self.step1(session, self.known_by(body))
        elif kind is Kind.TOKEN:
            session.outbox.renew(body)
        elif kind is Kind.QUERY_AWARENESS:
            present = self.awareness.present()
            session.write(frame(encode_awareness(present)) if present else KEEPALIVE_WIRE)
        return pause

    def step1(self, session: Session, known: dict[int, int], answer: bytes | None = None) -> None:
        """Answers with what a replica of this state vector lacks; `answer`: by whoever has made it just now."""
        session.returning = bool(known)
        if session.behind is not None:
            session.owes_answer = known
        else:
            session.write(self.history.answer(known) if answer is None else answer)

    def _presence(self, session: Session, body: bytes, now: float) -> None:
        entries = honest(decode_entries(body, self.limits), session.principal)
        nudges, foreign = self.awareness.receive(session, entries)
        for entry in foreign:
            owner = self.awareness.owner(entry[0]) or self.authors.owner(entry[0])
            if owner is not None and owner is not session:
                self.authors.contest(entry[0], owner, session, now).presence = entry
        if nudges:
            nudge(self.awareness, session, nudges, entries)
        for other, entry in self.awareness.roll_call(session):
            nudge(self.awareness, other, [entry])

    def check(self, update: bytes) -> Checked:
        """Whether it is an update, and none of a purged document. Raises BadUpdate, TooLarge or LineageRetired."""
        checked = check(update, self.limits)
        if self.retired_authors:
            self.refuse_retired(checked)
        return checked

    def known_by(self, vector: bytes) -> dict[int, int]:
        """Decodes a state vector. Raises BadUpdate, or LineageRetired if its owner holds a purged document."""
        known = check_state_vector(vector, self.limits)
        if self.retired_authors:
            self.refuse_retired(known)
        return known

    def refuse_retired(self, brought: Checked | Iterable[int]) -> None:
        """A purged document's bytes must not come back under its id, whoever still has them. Raises LineageRetired."""
        for _ in refusing(self.retired_authors, brought):
            pass

    def _refuse(self, session: Session, checked: Checked, now: float) -> None:
        if self.history.clocks.adds_nothing(checked):
            return  # every innocent reader answers our step 1
        session.refused = True
        if now - session.denied_at >= DENIED_EVERY_S:
            session.denied_at = now
            session.write(frame(encode_denied((self.read_only or Forbidden("read-only")).detail)))

    def state(self, known: dict[int, int] | None = None) -> bytes:
        """Everything that is committed, or what a replica lacks of it, as one update."""
        whole = self.history.whole()
        return whole.state if known is None else diff(whole.state, whole, known)

    # ------------------------------------------------------------------ the one write path

    def submit(self, checked: Checked, author: str, session_id: str, now: float) -> int:
        """Takes an update that came by REST, asked for retired authors before; returns the ledger number to wait for.

        Raises Forbidden, DocumentFull, TooLarge, or Unprocessable if it depends on updates that are not here.
        """
        if self.admits(checked):
            self._take(checked, None, author, session_id)
            self.release(now)
        return self.ledger.entered

    def admits(self, checked: Checked) -> bool:
        """False for what adds nothing. Raises as `submit` does; changes nothing."""
        if self.read_only is not None:
            raise type(self.read_only)(self.read_only.detail)
        if self.history.clocks.adds_nothing(checked):
            return False
        if not self.history.clocks.is_ready(checked):
            raise Unprocessable("the update depends on updates that this document does not have")
        self._bound(checked)
        return True

    def may_write(self, session: Session) -> bool:
        """Asked when an update is taken, not when it comes in: what was held must not outlive a permission."""
        return session.access >= WRITE and self.read_only is None

    def fill(self, full: bool) -> None:
        """Nobody may write while it is full; people stay, and are told. Then they are asked for what they have."""
        if full != self.full and (self.full or self.read_only is None):
            self.full, self.read_only = full, DocumentFull() if full else None
            for session in () if full else list(self.sessions):
                self.readmit(session)

    def readmit(self, session: Session) -> None:
        """It may write again: asks for what was refused meanwhile."""
        if session.refused and self.may_write(session):
            session.write(self.ask(session))

    def accept(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        """Takes what of a session's update can be taken, holds the rest. `typed`: it edits, and does not pass on."""
        if not self.may_write(session):
            self._refuse(session, checked, now)
            return
        clocks = self.history.clocks
        if typed and checked.follows and self._goes_on(checked, session):
            self._take(checked, session, session.principal.id, session.id)
            self.typing.begin(session, checked)
            if self.pending.items:
                self.release(now)
            return
        if foreign := self.authors.foreign(checked, session, clocks):
            rest = self.contests.split(checked, foreign, session, now, typed)
            if rest is None:
                return
            checked = rest
        if clocks.is_ready(checked):
            if clocks.adds_nothing(checked):
                session.entered = self.ledger.entered  # "saved" must wait for whoever brought it
                return
            self._write(checked, session, now, typed)
        else:
            ready, ahead = split(checked, clocks)
            if ahead is not None:
                held = check(ahead, self.limits)
                self.hold(held, session, typed, clocks.missing(held))
            if ready is None:
                session.entered = self.ledger.entered  # as above, for what of it is known
                return
            self._write(check(ready, self.limits), session, now, typed)
        if self.pending.items:
            self.release(now)

    def _goes_on(self, checked: Checked, session: Session) -> bool:
        """Whether it adds to what its author typed last, on the connection that holds the id: no more need be asked."""
        client, clock, _ = checked.runs[0]
        known = self.history.clocks.next.get(client)
        return known == clock and not checked.needs and self.authors.owner(client) is session

    def _write(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        """Takes a session's update; what it typed under a free id makes the id its own."""
        if typed and session in self.sessions:
            for client in self.authors.free(checked, session, self.history.clocks):
                self._claim(client, session, now)
        self._take(checked, session, session.principal.id, session.id)

    def _claim(self, client: int, session: Session, now: float) -> None:
        if client not in self.history.clocks.next:
            if session.new_clients.take(now) > 0.0 or session.allowance.new_clients.take(now) > 0.0:
                raise RateLimited("too many new CRDT client ids")
        self.authors.claim(client, session)

    def accept_late(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        """Takes what had to wait; if that cannot be, it is its author's trouble, whoever's frame set it free."""
        try:
            self.accept(checked, session, now, typed)
        except CollabError as error:
            session.refused = True
            session.outbox.close(error)

    def hold(self, checked: Checked, session: Session, typed: bool, waits_for: Mapping[int, int]) -> None:
        """Keeps what is ahead of its dependencies, and asks for them. Raises TooLarge."""
        self.pending.hold(checked, session, typed, waits_for)
        if typed and not session.asked:
            session.asked = True
            session.write(self.ask(session))

    def release(self, now: float) -> None:
        """Takes what was held and has its dependencies now."""
        for held in self.pending.release(self.history.clocks):
            if not is_long(held.checked) and self.history.clocks.is_ready(held.checked):
                self.accept_late(held.checked, held.session, now, held.typed)
            else:
                held.session.contested += 1  # not "saved" yet
                self.overdue.append(held)

    def _bound(self, checked: Checked) -> None:
        if self.history.size_bytes + len(checked.raw) > self.limits.document_bytes_max:
            raise TooLarge(f"the document would exceed {self.limits.document_bytes_max} bytes")
        clocks, clients_max = self.history.clocks, self.limits.document_clients_max
        if len(clocks.next) + len(checked.runs) > clients_max:
            if len(clocks.next) + len(clocks.new_clients(checked)) > clients_max:
                raise TooLarge(f"the document would have more than {clients_max} CRDT client ids")

    def _take(self, checked: Checked, session: Session | None, author: str, session_id: str) -> None:
        self._bound(checked)
        self.history.clocks.advance(checked)
        self.gather(checked, session, author, session_id)

    def gather(self, checked: Checked, session: Session | None, author: str, session_id: str) -> None:
        """For the tick and the journal: its clocks are known by now."""
        if not self._updates:
            self._sole_author = session
        elif self._sole_author is not session:
            self._sole_author = None
        self._updates.append(checked)
        self._entries.append(_entry(Entry, (author, session_id, checked.raw)))
        self.recent.add(checked.raw)
        number = self.ledger.enter()
        if session is not None:
            session.entered = number

    # ------------------------------------------------------------------ ticks and commits

    @property
    def dirty(self) -> bool:
        """True if drain has something to give."""
        return bool(self._updates or self.elsewhere) or self.awareness.dirty

    @property
    def unsaved(self) -> bool:
        """True while something accepted is not on disk."""
        return bool(self._updates) or self.ledger.entered > self.ledger.durable

    def drain(self) -> Effects:
        """Once per tick: one frame of what came in, one of presence, the entries for the journal."""
        effects = Effects()
        if self._updates:
            self._drain_updates(effects)
        if self.elsewhere:
            wire = wire_of(merged(self.elsewhere))
            effects.wire, effects.skip, self.elsewhere = wire + (effects.wire or b""), None, []
        if self.awareness.dirty:
            effects.presence_body, effects.nudges = self.awareness.drain_own(), self.awareness.drain_calls()
            effects.presence = frame(encode_awareness(self.awareness.drain() or NOBODY))
        return effects

    def _drain_updates(self, effects: Effects) -> None:
        updates, self._updates = self._updates, []
        effects.entries, self._entries = self._entries, []
        effects.skip, self._sole_author = self._sole_author, None
        effects.updates = merged(updates)
        effects.wire = wire_of(effects.updates)
        for update in effects.updates:
            self.history.show(update, self.ledger.entered)

    def committed(self, first_seq: int, last_seq: int) -> None:
        """The oldest entries given to the journal are on disk under these numbers: tell whoever waits."""
        before = self.ledger.durable
        self.ledger.commit(first_seq, last_seq)
        self.history.settle(self.ledger.durable, first_seq - before - 1)
        self.promises.answer_all()
