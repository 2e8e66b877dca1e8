"""What this node has not heard is read from the log: it is the truth, whatever became of a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from collab.bus.base import BusFrame
from collab.core.elsewhere import have_taken, take_one, take_updates
from collab.crdt.checked import Checked
from collab.crdt.clocks import AT_ONCE, length
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.errors import (
    BadUpdate,
    CollabError,
    EngineUnavailable,
    Gone,
    LineageRetired,
    Overloaded,
    StorageUnavailable,
)
from collab.inspection import Inspection
from collab.limits import Limits
from collab.metrics import Counters
from collab.slot import Slot
from collab.store.base import UNBORN, Head, LogRow, UpdateLog
from collab.types import DocumentId

log = structlog.get_logger(__name__)

GRACE_S = 0.03  # frames of two nodes cross on their way: a gap this young closes by itself nearly always
ROWS = 256  # read at once
HEADS = 1_000  # documents asked about in one query
CHECKED_AT_ONCE = 250  # letters of a row: a millisecond
HELD_MAX = 64  # frames kept beyond a gap; more are found in the log

OnTaken = Callable[[Slot], None]
OnEnded = Callable[[Slot, CollabError], None]


class Gaps:
    """Brings rooms up to their document's head; one reader per room at a time."""

    def __init__(
        self,
        update_log: UpdateLog,
        inspection: Inspection,
        limits: Limits,
        counters: Counters,
        on_taken: OnTaken,
        on_ended: OnEnded,
    ) -> None:
        """`on_taken(slot)`: it has more than before. `on_ended(slot, error)`: its document is gone, or cannot be."""
        self._log = update_log
        self._inspection = inspection
        self._inspector = inspection.inspector
        self._limits = limits
        self._counters = counters
        self._on_taken = on_taken
        self._on_ended = on_ended
        self._filling: dict[Slot, asyncio.Task[None]] = {}

    def take(self, slot: Slot, frame: BusFrame) -> None:
        """A commit of another node: taken if it is the next one, else it waits for those before it."""
        ledger = slot.room.ledger
        if frame.last_seq <= ledger.seq:
            return
        slot.heard_seq = max(slot.heard_seq, frame.last_seq)
        if frame.bodies and len(slot.held) < HELD_MAX:
            slot.held[frame.first_seq] = frame
        if self._take_held(slot):
            self._on_taken(slot)
        if self._next(slot) is not None:
            self.fill(slot)
        else:
            self.notice(slot)

    def notice(self, slot: Slot) -> None:
        """Fills the room's gap, if it still has one in a moment."""
        if slot.behind and not slot.filling:
            slot.filling = True
            asyncio.get_running_loop().call_later(GRACE_S, self._later, slot)

    def _later(self, slot: Slot) -> None:
        slot.filling = False
        if slot.behind and slot.failed is None:
            self.fill(slot)

    def fill(self, slot: Slot) -> asyncio.Task[None]:
        """Reads what is missing, at once; the task never raises."""
        task = self._filling.get(slot)
        if task is None:
            task = self._filling[slot] = asyncio.get_running_loop().create_task(self._fill(slot), name="gap")
            task.add_done_callback(lambda _: self._filling.pop(slot, None))
        return task

    async def reach(self, slot: Slot, seq: int) -> None:
        """Returns when the room has all up to `seq`. Raises StorageUnavailable."""
        slot.heard_seq = max(slot.heard_seq, seq)
        while slot.room.ledger.seq < seq:
            before = slot.room.ledger.seq
            await asyncio.shield(self.fill(slot))
            if slot.failed is not None:
                raise slot.failed
            if slot.room.ledger.seq == before:
                raise StorageUnavailable("what other nodes have stored cannot be read now")

    async def look(self, slots: Sequence[Slot]) -> None:
        """Asks the database where these documents stand. Raises StorageUnavailable."""
        for start in range(0, len(slots), HEADS):
            chunk = slots[start : start + HEADS]
            lineages = [slot.room.lineage for slot in chunk]
            heads = await self._log.heads([slot.room.document for slot in chunk])
            for slot, lineage in zip(chunk, lineages, strict=True):
                self._compare(slot, lineage, heads)

    def _compare(self, slot: Slot, lineage: str, heads: Mapping[DocumentId, Head]) -> None:
        """`lineage`: the room's when the heads were asked for; it may have been born since."""
        if slot.failed is not None:
            return
        room, head = slot.room, heads.get(slot.room.document)
        if head is None:
            if lineage != UNBORN:
                self._on_ended(slot, LineageRetired())
        elif head.deleted:
            self._on_ended(slot, Gone())
        elif room.lineage not in (UNBORN, head.lineage):
            self._on_ended(slot, LineageRetired())
        elif head.seq > room.ledger.seq:
            slot.heard_seq = max(slot.heard_seq, head.seq)
            self.fill(slot)

    async def _fill(self, slot: Slot) -> None:
        self._counters.gaps_filled += self._next(slot) is None
        try:
            while slot.behind and slot.failed is None:
                if not (await self._take_next(slot) or await self._read(slot)):
                    return
        except (StorageUnavailable, EngineUnavailable, Overloaded) as error:
            log.warning("gap not filled", document=slot.room.document, error=error.detail)  # the next look tries again
        except BadUpdate as error:  # not the fault of those who are here: they come back, and find what is sound of it
            log.error("gap cannot be filled", document=slot.room.document, error=error.detail)
            self._on_ended(slot, StorageUnavailable("this room had to be restarted"))
        except CollabError as error:
            self._on_ended(slot, error)
        except Exception as error:
            log.exception("gap failed", document=slot.room.document)
            self._on_ended(slot, StorageUnavailable(f"this room had to be restarted: {type(error).__name__}"))

    async def _read(self, slot: Slot) -> bool:
        """One page of the log; True if it had something new."""
        room, seq = slot.room, slot.room.ledger.seq
        head = (await self._log.heads([room.document])).get(room.document)
        if head is None or room.lineage not in (UNBORN, head.lineage):
            raise LineageRetired()
        rows = await self._log.read(room.document, seq, ROWS, head.lineage)
        if slot.failed is not None:
            return False
        room.lineage = head.lineage
        for row in rows:
            if row.last_seq > room.ledger.seq:
                await self._take_row(slot, row)
        if slot.failed is not None:
            return False
        self._take_held(slot)
        if room.ledger.seq == seq:
            return False
        self._on_taken(slot)
        return True

    async def _take_row(self, slot: Slot, row: LogRow) -> None:
        updates = [entry.update for entry in row.entries]
        if await self._take_commit(slot, updates, row.first_seq, row.last_seq):
            self._counters.rows_from_log += 1

    async def _take_commit(self, slot: Slot, updates: Sequence[bytes], first_seq: int, last_seq: int) -> bool:
        """As `take_updates`, but in turns; False if it has come otherwise meanwhile, or the room is gone."""
        room = slot.room
        checked, since = [], 0
        for number, update in enumerate(updates, 1):
            since += len(update)
            if number % CHECKED_AT_ONCE == 0 or since > self._limits.inline_bytes_max:  # dear ones, by their bytes
                await self._inspection.turn()
                since = len(update)
            checked.append(await self._checked(update))
        since = 0
        for number, each in enumerate(checked):
            since += 1 + length(each)
            if since > AT_ONCE:
                checked[number] = each = await self._inspection.weigh(room, each)
                since = 1 + length(each)
            if slot.failed is not None or last_seq <= room.ledger.seq:
                return False
            take_one(room, each, last_seq)
        have_taken(room, first_seq, last_seq, asyncio.get_running_loop().time())
        for each in checked:
            await self._inspection.note(room, each)
        return True

    async def _checked(self, update: bytes) -> Checked:
        """A large one is looked at elsewhere, as it was on the node that it came to."""
        if len(update) <= self._limits.inline_bytes_max:
            return check(update, STORED)
        return await self._inspector.check(update, stored=True)

    def _take_held(self, slot: Slot) -> bool:
        """Frames that are next by now, as much as is looked at in one turn; True if there was one."""
        taken, size = False, 0
        while (frame := self._next(slot)) is not None:
            size += sum(map(len, frame.bodies))
            if size > self._limits.inline_bytes_max:
                break
            del slot.held[frame.first_seq]
            now = asyncio.get_running_loop().time()
            take_updates(slot.room, frame.bodies, frame.first_seq, frame.last_seq, now)
            taken = True
        return taken

    async def _take_next(self, slot: Slot) -> bool:
        """The frame that is next, and what was held behind it; False if there is none."""
        if self._next(slot) is None:
            return False
        await self._inspection.turn()
        frame = self._next(slot)
        if frame is None or slot.failed is not None:
            return slot.failed is None
        await self._take_commit(slot, frame.bodies, frame.first_seq, frame.last_seq)
        if slot.failed is None:
            self._take_held(slot)
            self._on_taken(slot)
        return True

    def _next(self, slot: Slot) -> BusFrame | None:
        """The frame that follows on what the room has, if it is held; those that bring nothing new are dropped."""
        seq = slot.room.ledger.seq
        while slot.held and (first := min(slot.held)) <= seq + 1:
            if slot.held[first].last_seq > seq:
                return slot.held[first]
            del slot.held[first]
        return None
