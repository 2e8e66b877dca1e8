"""One document live on one node: frames in, effects out. No await, no clock, no logging.

Inputs change the room and may answer their session at once; `drain`, once per tick, says what everyone else gets and
what must be stored. An input that raises has changed nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from collab.core.authors import Authors, Contest
from collab.core.awareness import Awareness, decode_entries, encode_entries
from collab.core.effects import Effects
from collab.core.history import History
from collab.core.identity import honest
from collab.core.ledger import Ledger
from collab.core.pending import Pending
from collab.core.promises import Promises
from collab.core.session import Session
from collab.crdt.diff import diff
from collab.crdt.gate import Checked, check, check_state_vector
from collab.crdt.merge import merge_tick
from collab.crdt.split import split
from collab.errors import (
    AuthorIdInUse,
    CollabError,
    Forbidden,
    LineageRetired,
    Overloaded,
    RateLimited,
    SlowReader,
    TooLarge,
    Unprocessable,
)
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
    encode_update,
)
from collab.types import Access, DocumentId, Entry

DENIED_EVERY_S = 5.0
RECENT = 64
KEEPALIVE_WIRE = frame(KEEPALIVE)
NOBODY = b"\x00"
OVERFLOWED = "too much waited for an older connection; come back with it"


class Room:
    """The document's bytes and accounts, its people, and what this tick has gathered."""

    def __init__(self, document: DocumentId, lineage: str, history: History, seq: int, limits: Limits) -> None:
        self.document = document
        self.lineage = lineage
        self.history = history
        self.limits = limits
        self.ledger = Ledger(seq)
        self.awareness = Awareness()
        self.live: dict[Session, Callable[[bytes], None]] = {}  # who gets each tick, and how
        self.sessions: dict[Session, None] = {}  # everyone, those with a full outbox included
        self.read_only: str | None = None  # why nobody may write, e.g. a quarantine
        self.retired_authors: frozenset[int] = frozenset()
        self.authors = Authors()
        self._pending = Pending(limits, self.sessions)
        self.promises = Promises(self.ledger)
        self._recent: deque[bytes] = deque(maxlen=RECENT)  # newest accepted updates, to know a relay by its bytes
        self._updates: list[Checked] = []
        self._entries: list[Entry] = []
        self._sole_author: Session | None = None

    # ------------------------------------------------------------------ people

    def join(self, session: Session) -> None:
        """Greets: step 1, then who is here (or nobody, so that the client sees a first presence frame)."""
        self.sessions[session] = None
        self.live[session] = session.outbox.write
        greeting = self._ask(session)
        present = self.awareness.present()
        session.write(greeting + (frame(encode_awareness(present)) if present else KEEPALIVE_WIRE))

    def _ask(self, session: Session) -> bytes:
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
        for contest in self.authors.leave(session):
            self._inherit(contest, now)

    def pause(self, session: Session, now: float) -> None:
        """Its outbox is full: nothing more is queued for it."""
        if session.behind is None and session in self.sessions:
            session.behind = (self.history.position, self.history.clocks.before(self._updates))
            session.slow_since = now
            self.live.pop(session, None)

    def resume(self, session: Session) -> None:
        """Its outbox has drained: one diff against what it last had, then it is live. It may fill again at once."""
        if session.behind is None or session not in self.sessions:
            return
        (position, vector), session.behind, session.slow_since = session.behind, None, None
        self.live[session] = session.outbox.write
        present = self.awareness.present()
        session.write(self.history.since(position, vector) + frame(encode_awareness(present or NOBODY)))
        if session.owes_answer is not None and session.behind is None:
            known, session.owes_answer = session.owes_answer, None
            session.write(self.history.answer(known))
        if session.asked and session.behind is None:
            session.write(self._ask(session))
        self.promises.answer(session)

    # ------------------------------------------------------------------ frames

    def receive(self, session: Session, data: bytes, now: float) -> float:
        """Takes one frame; returns the seconds for which this socket should not be read (0.0 nearly always).

        Raises CollabError for a frame that ends the session; the room is unchanged then.
        """
        kind, body = decode(data)
        pause = session.frame_rate.take(now)
        if kind is Kind.UPDATE or kind is Kind.STEP2:
            if body != EMPTY_UPDATE:
                self._accept(self._check(body), session, now, kind is Kind.UPDATE)
            if kind is Kind.STEP2:
                self.promises.answered(session)
        elif kind is Kind.AWARENESS:
            pause = max(pause, session.awareness_rate.take(now))
            self._presence(session, body, now)
        elif kind is Kind.STATUS:
            self.promises.ask(session, body)
        elif kind is Kind.STEP1:
            self._step1(session, body)
        elif kind is Kind.TOKEN:
            session.renew(body)
        elif kind is Kind.QUERY_AWARENESS:
            present = self.awareness.present()
            session.write(frame(encode_awareness(present)) if present else KEEPALIVE_WIRE)
        return pause

    def _step1(self, session: Session, vector: bytes) -> None:
        known = self.known_by(vector)
        session.returning = bool(known)
        if session.behind is not None:
            session.owes_answer = known
        else:
            session.write(self.history.answer(known))

    def _presence(self, session: Session, body: bytes, now: float) -> None:
        nudges, foreign = self.awareness.receive(session, honest(decode_entries(body, self.limits), session.principal))
        for entry in foreign:
            if (owner := self.awareness.owner(entry[0])) is not None:
                self.authors.contest(entry[0], owner, session, now).presence = entry
        if nudges:
            session.write(frame(encode_awareness(encode_entries(nudges))))
        for other, entry in self.awareness.roll_call(session):
            other.write(frame(encode_awareness(encode_entries([entry]))))

    def _check(self, update: bytes) -> Checked:
        checked = check(update, self.limits)
        if self.retired_authors:
            self._refuse_retired(client for client, *_ in (*checked.runs, *checked.deletes))
        return checked

    def known_by(self, vector: bytes) -> dict[int, int]:
        """Decodes a state vector. Raises BadUpdate, or LineageRetired if its owner holds a purged document."""
        known = check_state_vector(vector, self.limits)
        if self.retired_authors:
            self._refuse_retired(known)
        return known

    def _refuse_retired(self, clients: Iterable[int]) -> None:
        """A purged document's bytes must not come back under its id, whoever still has them."""
        if not self.retired_authors.isdisjoint(clients):
            raise LineageRetired()

    def _refuse(self, session: Session, checked: Checked, now: float) -> None:
        if self.history.clocks.adds_nothing(checked):
            return  # every innocent reader answers our step 1
        session.refused = True
        if now - session.denied_at >= DENIED_EVERY_S:
            session.denied_at = now
            session.write(frame(encode_denied(self.read_only or Forbidden("read-only").detail)))

    def state(self, known: dict[int, int] | None = None) -> bytes:
        """Everything that is committed, or what a replica lacks of it, as one update."""
        whole = self.history.whole()
        return whole.state if known is None else diff(whole.state, whole, known)

    # ------------------------------------------------------------------ the one write path

    def submit(self, update: bytes, author: str, session_id: str, now: float) -> int:
        """Takes an update that came by REST; returns the ledger number to wait for.

        Raises BadUpdate, TooLarge, or Forbidden if it depends on updates that are not here.
        """
        checked = self._check(update)
        if self.read_only is not None:
            raise Forbidden(self.read_only)
        clocks = self.history.clocks
        if not clocks.adds_nothing(checked):
            if not clocks.is_ready(checked):
                raise Unprocessable("the update depends on updates that this document does not have")
            self._take(checked, None, author, session_id)
            self._release(now)
        return self.ledger.entered

    def _accept(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        # asked here, and not where frames come in, so that what was held does not outlive a permission taken back
        if session.access < Access.WRITE or self.read_only is not None:
            self._refuse(session, checked, now)
            return
        clocks = self.history.clocks
        if foreign := self.authors.foreign(checked, session, clocks):
            rest = self.authors.oppose(checked, foreign, session, now, typed, self.limits)
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
                self._hold(check(ahead, self.limits), session, typed)
            if ready is None:
                session.entered = self.ledger.entered  # as above, for what of it is known
                return
            self._write(check(ready, self.limits), session, now, typed)
        if self._pending:
            self._release(now)

    def _write(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        """Takes a session's update; what it typed under a free id makes the id its own."""
        if typed and session in self.sessions:
            for client, _, _ in checked.runs:
                if self.authors.owner(client) is None:
                    self._claim(client, session, now)
        self._take(checked, session, session.principal.id, session.id)

    def _claim(self, client: int, session: Session, now: float) -> None:
        if client not in self.history.clocks.next and session.new_clients.take(now) > 0.0:
            raise RateLimited("too many new CRDT client ids on one connection")
        self.authors.claim(client, session)

    # ------------------------------------------------------------------ two connections, one client id

    def decide(self, now: float) -> None:
        """Settles contests: a live owner keeps its id and a second writer is told so; a silent one gives way."""
        alive, dead = self.authors.decide(now)
        for contest in alive:
            self._uphold(contest, now)
        for contest in dead:
            contest.owner.outbox.close(SlowReader("no sign of life, and its client is back on another connection"))
            self.leave(contest.owner, now)
            self._inherit(contest, now)

    def _uphold(self, contest: Contest, now: float) -> None:
        """The owner lives. What the contender passed on is "saved" once the owner has brought it, and that is."""
        contender = contest.contender
        if contest.typed and not all(self._is_here(update) for update in contest.updates):
            contender.outbox.close(AuthorIdInUse())
        elif contest.overflowed:
            contender.outbox.close(Overloaded(OVERFLOWED))
        elif not all(map(self.history.clocks.adds_nothing, contest.updates)):
            self.authors.go_on(contest, now)
            return
        contest.close()
        contender.entered = self.ledger.entered
        self.promises.answer(contender)

    def _is_here(self, update: Checked) -> bool:
        """Whether the owner brought the very same bytes: then the contender only passed them on."""
        return update.raw in self._recent

    def _inherit(self, contest: Contest, now: float) -> None:
        contender = contest.contender
        contest.close()
        for update in contest.updates:
            self._accept_late(update, contender, now, contest.typed)
        if contest.overflowed:
            contender.outbox.close(Overloaded(OVERFLOWED))
        elif contest.presence is not None:
            self.awareness.receive(contender, [contest.presence])
        self.promises.answer(contender)

    def _accept_late(self, checked: Checked, session: Session, now: float, typed: bool) -> None:
        """Takes what had to wait; if that cannot be, it is its author's trouble, whoever's frame set it free."""
        try:
            self._accept(checked, session, now, typed)
        except CollabError as error:
            session.refused = True
            session.outbox.close(error)

    def _hold(self, checked: Checked, session: Session, typed: bool) -> None:
        self._pending.hold(checked, session, typed, self.history.clocks)
        if typed and not session.asked:
            session.asked = True
            session.write(self._ask(session))

    def _release(self, now: float) -> None:
        while due := self._pending.release(self.history.clocks):
            for held in due:
                self._accept_late(held.checked, held.session, now, held.typed)

    def _take(self, checked: Checked, session: Session | None, author: str, session_id: str) -> None:
        if self.history.size_bytes + len(checked.raw) > self.limits.document_bytes_max:
            raise TooLarge(f"the document would exceed {self.limits.document_bytes_max} bytes")
        self.history.clocks.advance(checked)
        if not self._updates:
            self._sole_author = session
        elif self._sole_author is not session:
            self._sole_author = None
        self._updates.append(checked)
        self._entries.append(Entry(author, session_id, checked.raw))
        self._recent.append(checked.raw)
        number = self.ledger.enter()
        if session is not None:
            session.entered = number

    def receive_remote(self, update: bytes, seq: int) -> None:
        """Shows what another node has committed: not stored, not acknowledged, not published again."""
        checked = check(update, self.limits)
        if self.history.clocks.adds_nothing(checked):
            self.ledger.seq = max(self.ledger.seq, seq)
            return
        self.history.clocks.advance(checked)
        self.history.add(update).seq = seq
        self.ledger.seq = max(self.ledger.seq, seq)
        wire = frame(encode_update(update))
        for write in list(self.live.values()):
            write(wire)

    # ------------------------------------------------------------------ ticks and commits

    @property
    def dirty(self) -> bool:
        """True if drain has something to give."""
        return bool(self._updates) or self.awareness.dirty

    @property
    def unsaved(self) -> bool:
        """True while something accepted is not on disk."""
        return bool(self._updates) or self.ledger.entered > self.ledger.durable

    def drain(self) -> Effects:
        """Once per tick: one frame of what came in, one of presence, the entries for the journal."""
        effects = Effects()
        if self._updates:
            self._drain_updates(effects)
        body = self.awareness.drain()
        if body is not None:
            effects.presence_body = body
            effects.presence = frame(encode_awareness(body))
        return effects

    def _drain_updates(self, effects: Effects) -> None:
        updates, self._updates = self._updates, []
        effects.entries, self._entries = self._entries, []
        effects.skip, self._sole_author = self._sole_author, None
        merged = updates[0].raw if len(updates) == 1 else merge_tick(updates)
        shown = [merged] if merged is not None else [u.raw for u in updates]
        effects.wire = b"".join([frame(encode_update(u)) for u in shown])
        for update in shown:
            self.history.show(update, self.ledger.entered)

    def committed(self, first_seq: int, last_seq: int) -> None:
        """The oldest entries given to the journal are on disk under these numbers: tell whoever waits."""
        before = self.ledger.durable
        self.ledger.commit(first_seq, last_seq)
        self.history.settle(self.ledger.durable, first_seq - before - 1)
        self.promises.answer_all()
