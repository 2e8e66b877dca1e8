"""The other nodes, as one hub sees them: what they commit, who is on their sockets, and whether they live.

The bus makes this quick. Without it edits still cross, because the heads of all open rooms are looked up in the
database: every few seconds, and every second while the bus is away or a node is not heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import uniform
from typing import TYPE_CHECKING

import structlog

from collab.bus.base import EVERYBODY, Bus, BusFrame, Kind
from collab.claims import Claims
from collab.core.elsewhere import pass_nudge, take_presence
from collab.errors import CollabError, StorageUnavailable
from collab.gaps import Gaps
from collab.ghosts import EVERY_S as GHOSTS_S
from collab.ghosts import Ghosts
from collab.inquiries import Inquiries
from collab.roster import Roster
from collab.slot import Slot
from collab.store.base import UNBORN, UpdateLog
from collab.types import DocumentId

if TYPE_CHECKING:
    from collab.hub import Hub

log = structlog.get_logger(__name__)

ROUND_S = 0.25
BEAT_S = 1.0  # how often a node says that it lives
SHARED_S = 30.0  # y-protocols announces everybody again twice in that time
LATE_S = 2.5  # a node not heard for so long may not reach the bus: its edits are looked for more often
DEAD_S = 5.0  # and now its people are taken for gone
FORGOTTEN_S = 60.0  # it no longer makes us hurry
LOOK_S = 3.0  # between looks at the heads of open rooms
HASTY_LOOK_S = 0.9  # the same while the bus is away
CLAIMS = frozenset((Kind.CLAIM, Kind.FREE, Kind.TRY, Kind.ASKING, Kind.LIVES))
BODIES_MAX = 64 * 1024  # bytes of updates in one frame; what is larger is read from the log
OPENING_MAX = 256  # frames kept for a room that is being loaded, 16 MiB at the most; more are found in the log


class Neighbours:
    """What goes to the other nodes, and what comes from them. `alone`: there are none, and nothing is done."""

    def __init__(self, hub: Hub, bus: Bus, update_log: UpdateLog, alone: bool) -> None:
        self.alone = alone
        self._hub = hub
        self._bus = bus
        self._log = update_log
        self.gaps = Gaps(update_log, hub.reception.inspection, hub.limits, hub.counters, self._taken, self._ended)
        self.inquiries = Inquiries(hub.node, bus)
        self.claims = Claims(hub, self._tell)
        self.roster = Roster(hub, self.inquiries, self._living)
        self.ghosts = Ghosts(hub.slots, self.inquiries, hub.touch)
        self._ghosts_at = 0.0
        self._ghost_look: asyncio.Task[None] | None = None
        self._spent: tuple[Callable[[], bytes | None], Callable[[bytes], None]] | None = None
        self._opening: dict[DocumentId, list[BusFrame]] = {}
        self._heard: dict[str, float] = {}  # node to loop time
        self._buried: set[str] = set()
        self._losses = bus.losses
        self._was_up = bus.up
        self._beat_at = self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._failing = False
        self._shared_until = float("-inf")
        self._missed = False  # frames, perhaps, since the last look
        bus.listen(self._deliver)

    # ------------------------------------------------------------------ to the others

    def committed(self, slot: Slot, updates: tuple[bytes, ...], first_seq: int, last_seq: int) -> None:
        """This node has committed updates; and if others have before, without our hearing of it, that shows now."""
        if self.alone:
            return
        room = slot.room
        bodies = updates if sum(map(len, updates)) <= BODIES_MAX else ()
        self._bus.publish(
            BusFrame(Kind.UPDATES, self._hub.node, room.document, room.lineage, first_seq, last_seq, bodies)
        )
        if room.ledger.gap:
            self.gaps.notice(slot)

    def presence(self, slot: Slot, body: bytes, nudges: bytes | None = None) -> None:
        """People on our sockets came, went or moved; `nudges`: theirs should announce themselves again."""
        self._tell(Kind.PRESENCE, slot, body)
        if nudges is not None:
            self._tell(Kind.NUDGE, slot, nudges)

    def tell(self, kind: Kind, document: DocumentId) -> None:
        """LOOK or SNAPSHOT, about a document that need not be open here."""
        if not self.alone:
            self._bus.publish(BusFrame(kind, self._hub.node, document))

    def claimed(self, slot: Slot) -> None:
        """Sessions have taken client ids, or have left theirs."""
        if self.alone:
            slot.room.authors.news.clear()
        elif slot.room.authors.news:
            self.claims.tell_news(slot)

    def _tell(self, kind: Kind, slot: Slot, *bodies: bytes) -> None:
        if not self.alone:
            room = slot.room
            self._bus.publish(BusFrame(kind, self._hub.node, room.document, room.lineage, bodies=bodies))

    def leave(self, document: DocumentId) -> None:
        """The room was closed."""
        if not self.alone:
            self._bus.unsubscribe(document)

    def share(self, drain: Callable[[], bytes | None], take: Callable[[bytes], None]) -> None:
        """What is counted on all nodes together: `drain` is asked with every beat, `take` is given what others said."""
        self._spent = (drain, take)

    def goodbye(self) -> None:
        """This node goes down."""
        if not self.alone:
            self._bus.publish(BusFrame(Kind.BYE, self._hub.node, EVERYBODY))

    # ------------------------------------------------------------------ opening rooms

    async def opening(self, document: DocumentId) -> None:
        """To be called before the document is loaded: what comes from now on is kept for it."""
        if not self.alone:
            self._opening[document] = []
            await self._bus.subscribe(document)

    def opened(self, slot: Slot | None, document: DocumentId) -> None:
        """It is loaded, or could not be (None)."""
        frames = self._opening.pop(document, [])
        if slot is None:
            self.leave(document)
            return
        for frame in frames:
            self._receive(slot, frame)
        if len(frames) == OPENING_MAX:
            self._look_at = 0.0
        self._tell(Kind.ASK, slot)  # whose people were told meanwhile are told again

    # ------------------------------------------------------------------ from the others

    def _deliver(self, frame: BusFrame) -> None:
        if frame.node == self._hub.node:
            return
        self._hear(frame)
        if frame.kind is Kind.SPENT:
            self._take_spent(frame)
            return
        if frame.kind in (Kind.QUESTION, Kind.ANSWER):
            self._take_inquiry(frame)
            return
        opening = self._opening.get(frame.document)
        if opening is not None:
            if len(opening) < OPENING_MAX:
                opening.append(frame)
            return
        slot = self._hub.slots.get(frame.document)
        if slot is not None:
            self._shared_until = asyncio.get_running_loop().time() + SHARED_S
            self._receive(slot, frame)

    def _take_spent(self, frame: BusFrame) -> None:
        if self._spent is not None:
            try:
                self._spent[1](frame.bodies[0])
            except (ValueError, TypeError, IndexError):
                self._hub.counters.bus_failures += 1

    def _take_inquiry(self, frame: BusFrame) -> None:
        try:
            self.inquiries.take(frame)
        except ValueError:
            self._hub.counters.bus_failures += 1

    def _receive(self, slot: Slot, frame: BusFrame) -> None:
        """One room's fault, or one bad frame, must not stop the others."""
        try:
            self._take(slot, frame)
        except Exception:
            log.exception("frame failed", document=frame.document, node=frame.node, kind=frame.kind.name)
            self._hub.counters.bus_failures += 1
            self._hub.evict(frame.document, StorageUnavailable("this room had to be restarted"))

    def _take(self, slot: Slot, frame: BusFrame) -> None:
        room = slot.room
        if frame.kind is Kind.SNAPSHOT:
            slot.tell("snapshot")
        elif frame.kind is Kind.LOOK:
            self._look_at = 0.0
        elif frame.lineage != room.lineage and UNBORN not in (frame.lineage, room.lineage):
            self._look_at = 0.0  # one of us has an older life of this document
        elif frame.kind is Kind.UPDATES:
            if room.lineage == UNBORN:
                room.lineage = frame.lineage
            self.gaps.take(slot, frame)
        elif frame.kind is Kind.PRESENCE:
            self._take_presence(slot, frame)
        elif frame.kind is Kind.ASK:
            present = room.awareness.present_own()
            if present is not None:
                self.presence(slot, present)
            self.claims.tell_all(slot)
        elif frame.kind in CLAIMS:
            self.claims.take(slot, frame)
        elif frame.kind is Kind.NUDGE:
            pass_nudge(room, frame.bodies[0])

    def _take_presence(self, slot: Slot, frame: BusFrame) -> None:
        nudges = take_presence(slot.room, frame.node, frame.bodies[0])
        if nudges is not None:
            self._tell(Kind.NUDGE, slot, nudges)
        self._hub.touch(slot)

    def _taken(self, slot: Slot) -> None:
        self._hub.settle(slot)
        self._hub.advanced(slot)

    def _ended(self, slot: Slot, error: CollabError) -> None:
        if self._hub.slots.get(slot.room.document) is slot:
            self._hub.evict(slot.room.document, error)

    # ------------------------------------------------------------------ who lives

    def _hear(self, frame: BusFrame) -> None:
        if frame.kind is Kind.BYE:
            self._heard.pop(frame.node, None)
            self._buried.discard(frame.node)
            self._bury(frame.node)
            return
        new = frame.node not in self._heard
        self._heard[frame.node] = asyncio.get_running_loop().time()
        if new:
            self._beat()  # it should know us at once
        if frame.node in self._buried:  # it was only paused, or cut off
            self._buried.discard(frame.node)
            self._ask_everywhere()

    @property
    def shared(self) -> bool:
        """Whether people on other nodes are, or were a moment ago, in documents that are open here."""
        return asyncio.get_running_loop().time() < self._shared_until

    def heard(self) -> dict[str, float]:
        """Seconds since each node was last heard; one that went down in order, or long ago, is not among them."""
        now = asyncio.get_running_loop().time()
        return {node: now - at for node, at in self._heard.items()}

    def _bury(self, node: str) -> None:
        for slot in list(self._hub.slots.values()):
            slot.room.awareness.leave(node)
            self.claims.bury(slot, node)
            self._hub.touch(slot)

    def _ask_everywhere(self) -> None:
        for slot in list(self._hub.slots.values()):
            self._tell(Kind.ASK, slot)
            present = slot.room.awareness.present_own()
            if present is not None:
                self.presence(slot, present)
            self.claims.tell_all(slot)

    def _living(self) -> set[str]:
        """Nodes that are heard."""
        return self._heard.keys() - self._buried

    # ------------------------------------------------------------------ rounds

    async def run(self) -> None:
        """Forever, until cancelled; returns at once on a node that is alone."""
        if self.alone:
            return
        await self._bus.subscribe(EVERYBODY)
        await self.inquiries.listen()
        self._beat()
        try:
            while True:
                await asyncio.sleep(uniform(0.8, 1.0) * ROUND_S)
                self._once()
        finally:
            self.goodbye()  # once more: what was committed since the first one spoke of a node that lives
            if self._ghost_look is not None:
                self._ghost_look.cancel()
            if self._looking is not None:  # it reads the database, which is closed next
                await asyncio.wait({self._looking})

    def _once(self) -> None:
        try:
            self.once(asyncio.get_running_loop().time())
        except Exception:
            log.exception("neighbours failed")

    def once(self, now: float) -> None:
        """One round at loop time `now`; waits for nothing: a node whose database is away still says that it lives."""
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._beat()
            spent = self._spent[0]() if self._spent is not None else None
            if spent is not None:
                self._bus.publish(BusFrame(Kind.SPENT, self._hub.node, EVERYBODY, bodies=(spent,)))
        self._watch(now)
        up, losses = self._bus.up, self._bus.losses
        if losses != self._losses or up != self._was_up:
            self._losses, self._was_up, self._look_at = losses, up, 0.0
            self._missed = True
            if up:
                self._ask_everywhere()
        if now >= self._look_at and self._looking is None:
            hasty = not up or self._somebody_is_late(now)
            self._look_at = now + (HASTY_LOOK_S if hasty else LOOK_S)
            self._looking = asyncio.get_running_loop().create_task(self.look(), name="look")
        if now >= self._ghosts_at and (self._ghost_look is None or self._ghost_look.done()):
            self._ghosts_at = now + uniform(0.8, 1.0) * GHOSTS_S
            self._ghost_look = asyncio.get_running_loop().create_task(self._look_for_ghosts(), name="ghosts")

    def _beat(self) -> None:
        self._bus.publish(BusFrame(Kind.ALIVE, self._hub.node, EVERYBODY))

    def _watch(self, now: float) -> None:
        for node, heard in list(self._heard.items()):
            if now - heard > DEAD_S and node not in self._buried:
                self._buried.add(node)
                self._bury(node)
                log.warning("a node is not heard any more", node=node)
            if now - heard > FORGOTTEN_S:
                del self._heard[node]
                self._buried.discard(node)

    def _somebody_is_late(self, now: float) -> bool:
        return any(now - heard > LATE_S for heard in self._heard.values())

    async def _look_for_ghosts(self) -> None:
        try:
            await self.ghosts.look()
        except Exception:  # nobody waits for this task
            log.exception("the look for people who have left failed")

    async def look(self) -> None:
        """Compares all open rooms with their documents' heads; never raises."""
        try:
            slots = list(self._hub.slots.values())
            await self.gaps.look(slots)
            self._failing = False
            if self._missed or not self._bus.up:
                self._missed = False
                for slot in slots:
                    slot.tell("snapshot")  # event streams look for new ones
        except StorageUnavailable as error:
            if not self._failing:
                log.warning("heads cannot be read now", error=error.detail)
            self._failing = True
        except Exception:
            log.exception("look failed")
        finally:
            self._looking = None
