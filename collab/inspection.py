"""Frames and updates whose check would hold up the event loop are checked elsewhere, in order for each session.

A keystroke is checked where it comes in. Hostile bytes cost the gate up to 0.8 s for each MiB, and a first sync may
have many; while a child process looks at one, its socket is not read and everybody else goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import thread_time
from typing import Protocol

import structlog

from collab.core.retired import refusing
from collab.core.room import Room
from collab.core.session import Session
from collab.crdt import gate
from collab.crdt.checked import Checked, Weighed
from collab.crdt.clocks import Clocks, is_long
from collab.crdt.decode import STORED
from collab.crdt.diff import diffing
from collab.crdt.index import StateIndex
from collab.crdt.splice import splice
from collab.crdt.split import only_client, split, without_clients
from collab.engine.places import caller
from collab.errors import BadFrame, CollabError, Overloaded, Unprocessable
from collab.limits import Limits
from collab.protocol.messages import EMPTY_UPDATE, Kind, decode_large
from collab.protocol.varint import read_varuint
from collab.slot import Slot
from collab.turns import Turns

log = structlog.get_logger(__name__)

ROUNDS_MAX = 8  # how often what others do may make an update start again
STEP1 = b"\x00\x00"  # how such a frame begins
WORK_S_PER_PART = 2e-6  # to find out what of a client's structs a replica lacks
PAUSE_S_MAX = 15.0  # a peer that is not read for long is taken for dead


class Inspector(Protocol):
    """Does the work of the gate somewhere. Each call raises BadUpdate, or EngineUnavailable if it was too much."""

    async def check(self, update: bytes | memoryview, stored: bool = False) -> Checked:
        """As `gate.check`; `stored`: what was taken once counts by the rules for stored states."""

    async def check_state_vector(self, vector: bytes | memoryview) -> dict[int, int]:
        """As `gate.check_state_vector`."""

    async def split(self, update: Checked, known: dict[int, int]) -> tuple[Checked | None, Checked | None]:
        """(what is ready, what is ahead) where `known` are the next clocks of the clients it mentions."""

    async def without(self, update: Checked, clients: set[int]) -> Checked | None:
        """What is left without what these clients wrote."""

    async def only(self, update: Checked, client: int) -> Checked | None:
        """What is left without what all others wrote."""

    async def join(self, base: StateIndex | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The state, and its index, of a base and of updates laid behind it (`splice`)."""


class Inline:
    """Does it at once, on the event loop: for tests and tools."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def check(self, update: bytes | memoryview, stored: bool = False) -> Checked:
        return gate.check(bytes(update), STORED if stored else self._limits)

    async def check_state_vector(self, vector: bytes | memoryview) -> dict[int, int]:
        return gate.check_state_vector(bytes(vector), self._limits)

    async def split(self, update: Checked, known: dict[int, int]) -> tuple[Checked | None, Checked | None]:
        ready, ahead = split(update, Clocks(known))
        return self._checked(ready), self._checked(ahead)

    async def without(self, update: Checked, clients: set[int]) -> Checked | None:
        return self._checked(without_clients(update.raw, clients))

    async def only(self, update: Checked, client: int) -> Checked | None:
        return self._checked(only_client(update.raw, client))

    async def join(self, base: StateIndex | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        joined = splice(base, [gate.check(update, STORED) for update in updates])
        return joined.state, joined.encode()

    def _checked(self, update: bytes | None) -> Checked | None:
        return None if update is None or update == EMPTY_UPDATE else gate.check(update, self._limits)


class Inspection:
    """Lines of frames behind those that are looked at elsewhere, one line per session."""

    def __init__(
        self,
        inspector: Inspector,
        turns: Turns,
        limits: Limits,
        receive: Callable[[Slot, Session, bytes], float],
        settle: Callable[[Slot], None],
        release: Callable[[Slot], None],
    ) -> None:
        """`receive` takes a small frame, `settle` follows whatever changed a room, `release` gives a pin back."""
        self.inspector = inspector
        self._turns = turns
        self._limits = limits
        self._receive = receive
        self._settle = settle
        self._release = release
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0  # under way

    @contextmanager
    def weighed(self, update: bytes) -> Iterator[None]:
        """Counts it among what is under way. Raises Overloaded if that would be too much."""
        if self._bytes + len(update) > self._limits.inspected_bytes_max:
            raise Overloaded("too many large updates are being checked; try again in a moment")
        self._bytes += len(update)
        try:
            yield
        finally:
            self._bytes -= len(update)

    def is_heavy(self, slot: Slot, data: bytes) -> bool:
        """Whether the frame is one for here."""
        size = len(data)
        if data.startswith(STEP1) and slot.room.history.is_dear:
            return True
        if size <= self._limits.dear_bytes_max or data[0] != 0:
            return False
        return size > self._limits.inline_bytes_max or self._is_dear(data)

    def _is_dear(self, data: bytes) -> bool:
        """Whether an update says, in its first bytes, that it may take long to check; nothing else of it is read.

        With one client the count of its structs bounds the work, but for deletions, which are cheap; with more it does
        not.
        """
        if data[1:2] == b"\x00":
            return False
        try:
            _, at = read_varuint(data, 2)
            clients, at = read_varuint(data, at)
            structs, at = read_varuint(data, at)
        except BadFrame:
            return False
        return clients > 1 or (clients == 1 and structs > self._limits.dear_structs)

    def begin(self, slot: Slot, session: Session, data: bytes) -> None:
        """Takes the frame; whatever the session sends until it is done has to be put in `session.aside`."""
        session.aside = deque((data,))
        session.outbox.hold()
        self._start(slot, session, self._work(slot, session, session.aside))

    def rest(self, slot: Slot, session: Session, pause_s: float) -> None:
        """Takes nothing more of the session for so long, not even what was read already."""
        session.aside = deque()
        session.outbox.hold()
        self._start(slot, session, self._rest(slot, session, session.aside, pause_s))

    def resume(self, slot: Slot, session: Session) -> None:
        """Gathers what a slow reader has missed, in turns, and shows it unless its outbox is full again by then."""
        session.resuming = True
        self._start(slot, session, self._resume(slot.room, session))

    def catch_up(self, slot: Slot) -> None:
        """Takes what had waited for others and is still not ready."""
        overdue, slot.room.overdue = slot.room.overdue, []
        for held in overdue:
            self._start(slot, held.session, self._overdue(slot, held.session, held.checked, held.typed))

    def _start(self, slot: Slot, session: Session, work: Coroutine[None, None, None]) -> None:
        slot.pins += 1
        task = asyncio.get_running_loop().create_task(self._guarded(slot, session, work), name="inspect")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, slot: Slot, session: Session, work: Coroutine[None, None, None]) -> None:
        principal = session.principal
        caller.set(None if principal.kind == "open" else principal.id)
        try:
            await work
        except CollabError as error:
            session.outbox.refuse(error)
        except Exception:
            log.exception("inspection failed", document=slot.room.document)
            session.outbox.refuse(CollabError())
        finally:
            self._release(slot)

    async def _resume(self, room: Room, session: Session) -> None:
        pause_s = session.allowance.work.take(_now(), min(_dearness_s(room), self._limits.work_burst_s))
        await asyncio.sleep(min(pause_s, PAUSE_S_MAX))
        known = session.owes_answer
        owed = await self._turns.steps(room.history.answering(known)) if known is not None else None
        if not session.resuming or session.behind is None:
            return
        missed = await self._turns.steps(room.history.gathering(*session.behind))
        if session.resuming:
            session.resuming = False
            room.resume(session, missed, owed if session.owes_answer is known else None)

    async def _overdue(self, slot: Slot, session: Session, checked: Checked, typed: bool) -> None:
        session.contested -= 1
        await self._take(slot, session, checked, typed)
        slot.room.promises.answer(session)

    async def _rest(self, slot: Slot, session: Session, line: deque[bytes], pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        await self._work(slot, session, line)

    async def _work(self, slot: Slot, session: Session, line: deque[bytes]) -> None:
        try:
            while line:
                await self._frame(slot, session, line.popleft())
        finally:
            session.aside = None
            session.outbox.go_on()

    async def _frame(self, slot: Slot, session: Session, data: bytes) -> None:
        if self.is_heavy(slot, data):
            with self.weighed(data):
                await self._large_frame(slot, session, data)
        elif session in slot.room.sessions:
            await asyncio.sleep(self._receive(slot, session, data))

    async def _large_frame(self, slot: Slot, session: Session, data: bytes) -> None:
        kind, body = decode_large(data)
        spent_s = len(data) * self._limits.work_s_per_byte
        if kind is Kind.STEP1:
            spent_s += await self._answer(slot.room, session, body)
        else:
            checked = await self.inspector.check(body)
            await self.refuse_retired(slot.room, checked)
            spent_s += (checked.count + len(checked.deletes)) * self._limits.work_s_per_struct
            await self._take(slot, session, checked, kind is Kind.UPDATE)
            if kind is Kind.STEP2:
                slot.room.promises.answered(session, slot.room.may_write(session))
        pause_s = session.allowance.work.take(_now(), min(spent_s, self._limits.work_burst_s))
        await asyncio.sleep(min(pause_s, PAUSE_S_MAX))

    async def _answer(self, room: Room, session: Session, vector: bytes | memoryview) -> float:
        """Answers a step 1; returns what that cost beyond its bytes, in seconds."""
        known = await self._known(room, vector)
        answer = await self._turns.steps(room.history.answering(known))
        if session in room.sessions:
            room.step1(session, known, answer)
        return _dearness_s(room)

    async def _take(self, slot: Slot, session: Session, checked: Checked, typed: bool) -> None:
        """Into the room; what cannot go in as it is, is cut elsewhere first."""
        room = slot.room
        for _ in range(ROUNDS_MAX):
            checked = await self.weigh(room, checked)
            if session not in room.sessions:
                self._take_late(slot, session, checked)
                await self.note(room, checked)
                return
            foreign = room.authors.foreign(checked, session, room.history.clocks)
            if foreign and room.may_write(session):
                rest = await self._contested(room, session, checked, set(foreign), typed)
            elif not _is_ready(checked, room.history.clocks) and room.may_write(session):
                rest = await self._ready_part(room, session, checked, typed)
            else:
                began = thread_time()
                room.accept(checked, session, _now(), typed)
                took_s = thread_time() - began
                session.allowance.work.take(_now(), took_s)
                self._turns.spent_s += took_s
                self._settle(slot)
                await self.note(room, checked)
                return
            if rest is None:
                self._settle(slot)
                return
            checked = rest
        raise Unprocessable("others change this document too fast for this update")

    async def state(self, room: Room, vector: bytes | None = None) -> tuple[bytes, int]:
        """All that is committed, or what a replica of this state vector lacks of it, as one update; and its seq.

        What is much of it is joined elsewhere. Raises BadUpdate or LineageRetired for the vector, EngineUnavailable,
        Overloaded.
        """
        known = None if vector is None else await self._known(room, vector)
        for _ in range(ROUNDS_MAX):
            left = room.history.left_to_join()
            if left is None or not left.is_much:
                break
            state, index = await self.inspector.join(left.base, [item.update for item in left.new])
            room.history.keep_joined(left, await self._turns.steps(StateIndex.decoding(index, state)))
        else:
            raise Overloaded("others change this document too fast to be read now; try again in a moment")
        whole, seq = room.history.whole(), room.ledger.seq
        return whole.state if known is None else await self._turns.steps(diffing(whole.state, whole, known)), seq

    async def _known(self, room: Room, vector: bytes | memoryview) -> dict[int, int]:
        if len(vector) <= self._limits.inline_bytes_max:
            return room.known_by(bytes(vector))
        known = await self.inspector.check_state_vector(vector)
        await self._turns.wait()
        await self.refuse_retired(room, known)
        return known

    async def refuse_retired(self, room: Room, brought: Checked | Mapping[int, int]) -> None:
        """As the room does, in turns. Raises LineageRetired."""
        await self._turns.through(refusing(room.retired_authors, brought))

    async def turn(self) -> None:
        """Returns when others have had theirs."""
        await self._turns.wait()

    async def weigh(self, room: Room, checked: Checked) -> Checked:
        """Asks what the room asks of an update, in turns if that is much; to be asked last before it is taken."""
        await self._turns.wait()
        if not is_long(checked) or isinstance(checked, Weighed):
            return checked
        return await self._turns.steps(room.history.clocks.weighing(checked))

    async def note(self, room: Room, checked: Checked) -> None:
        """Does what is left of such an update when it was taken, in turns."""
        if isinstance(checked, Weighed) and checked.adds:
            await self._turns.through(room.history.clocks.noting(checked.deletes))

    async def _contested(
        self, room: Room, session: Session, checked: Checked, foreign: set[int], typed: bool
    ) -> Checked | None:
        room.contests.give_up(len(foreign), session)
        for client in sorted(foreign)[: self._limits.contests_max]:
            part = await self.inspector.only(checked, client)
            if part is not None and not room.authors.foreign(part, session, room.history.clocks):
                foreign.discard(client)  # its owner has left meanwhile, or has brought it: taken with the rest
            elif part is not None and session in room.sessions:
                room.contests.hold(client, part, session, _now(), typed)
        return await self.inspector.without(checked, foreign)

    async def _ready_part(self, room: Room, session: Session, checked: Checked, typed: bool) -> Checked | None:
        clocks = room.history.clocks
        known = await self._turns.steps(clocks.reading_known(checked))
        ready, ahead = await self.inspector.split(checked, known)
        waits_for = {} if ahead is None else await self._turns.steps(clocks.finding_missing(ahead))
        if ahead is not None and session in room.sessions:
            if clocks.has_reached(waits_for):  # some of it has come meanwhile
                return checked
            room.hold(ahead, session, typed, waits_for)
        return ready

    def _take_late(self, slot: Slot, session: Session, checked: Checked) -> None:
        """Its client hung up after sending it."""
        room = slot.room
        if slot.failed is not None or not room.may_write(session):
            return
        if not room.authors.foreign(checked, session, room.history.clocks):
            with suppress(CollabError):
                room.submit(checked, session.principal.id, session.id, _now())
                self._settle(slot)


def _dearness_s(room: Room) -> float:
    """What an answer costs beyond its bytes, in seconds."""
    return len(room.history.index.parts) * WORK_S_PER_PART if room.history.index is not None else 0.0


def _is_ready(checked: Checked, clocks: Clocks) -> bool:
    """Of one that was weighed: a long one is Weighed then, or it is not ready."""
    return isinstance(checked, Weighed) or (not is_long(checked) and clocks.is_ready(checked))


def _now() -> float:
    return asyncio.get_running_loop().time()
