"""A database in memory that forgets what was not synced when its power is cut.

Planning, numbering, payloads and checksums are the store's own code; what is made up is the medium: an operation is
first written (it survives SIGKILL, as what is in the page cache does), then synced (it survives a power cut). Whoever
commits holds the lock of what it commits to from before it is written until it is synced, or is known not to be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace

from collab.crdt.clocks import Clocks
from collab.errors import BadRequest, LineageRetired, NotFound
from collab.store.append import Locked, NewRow, plan, prepare
from collab.store.base import Append, Appended, Checkpoint, Head, LogRow, Stored
from collab.store.loading import verified
from tests.faults.sim.known import known


@dataclass(slots=True)
class Kept:
    """One document as the medium holds it."""

    key: int
    lineage: str
    seq: int = 0
    rows: list[NewRow] = field(default_factory=list)
    read: list[LogRow] = field(default_factory=list)  # the same, verified
    checkpoint: Checkpoint | None = None
    clocks: Clocks = field(default_factory=Clocks)  # what its rows hold, to be asked "is this on disk?"

    def put(self, row: NewRow) -> None:
        """A row of the log; numbers must be dense."""
        last, first = row[1], row[2]
        if first != self.seq + 1 or last < first:
            raise AssertionError(f"seq is not dense: a row {first}..{last} after {self.seq}")
        self.rows.append(row)
        self.read.append(_read(row, self.lineage, self.seq))
        self.seq = last
        for entry in self.read[-1].entries:
            self.clocks.advance(known(entry.update))

    def after(self, seq: int) -> list[LogRow]:
        """Verified rows that hold more than all up to `seq`."""
        return self.read[bisect_right(self.read, seq, key=lambda row: row.last_seq) :]

    def copy(self) -> Kept:
        """Another view that begins like this one."""
        rows, read = self.rows.copy(), self.read.copy()
        return Kept(self.key, self.lineage, self.seq, rows, read, self.checkpoint, self.clocks.copy())


Operation = tuple[str, NewRow | Checkpoint | str]
"""(document, what was put: its lineage when it is made, a row, or a checkpoint)."""


class Disk:
    """`written` is what a process reads back, `synced` what a power cut leaves."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pending: list[Operation] = []
        self.written: dict[str, Kept] = {}
        self.synced: dict[str, Kept] = {}
        self._visible = self.synced
        self._batches: dict[bytes, Appended] = {}  # of all that is written
        self.crashes = 0  # a server's crash ends every transaction

    def commit(self, batch: Sequence[Append]) -> list[Appended]:
        """Written, not yet synced. An append that is there already is found by its batch id."""
        fresh = [append for append in batch if append.batch not in self._batches]
        for append in fresh:
            if append.document not in self.written:
                self._do(append.document, append.lineage or f"{self._random.getrandbits(64):016x}")
        heads = {name: Locked(kept.key, name, kept.lineage, kept.seq, None) for name, kept in self.written.items()}
        done = plan(prepare(fresh), heads, 0)
        names = {kept.key: name for name, kept in self.written.items()}
        for row in done.rows:
            self._do(names[row[0]], row)
            self._remember(names[row[0]], row)
        answers = {append.batch: result for append, result in zip(fresh, done.results, strict=True)}
        return [answers.get(append.batch) or self._batches[append.batch] for append in batch]

    def _remember(self, document: str, row: NewRow) -> None:
        self._batches[row[3]] = Appended(document, self.written[document].lineage, row[2], row[1])

    def put_checkpoint(self, document: str, lineage: str, checkpoint: Checkpoint) -> None:
        """Written, not yet synced; refuses what the store would refuse."""
        kept = self.written.get(document)
        if kept is None:
            raise NotFound()
        if kept.lineage != lineage:
            raise LineageRetired()
        if not 0 < checkpoint.seq <= kept.seq:
            raise BadRequest(f"a checkpoint at {checkpoint.seq}, the log stands at {kept.seq}")
        self._do(document, checkpoint)

    def sync(self) -> None:
        """fsync: all that was written is safe."""
        for operation in self._pending:
            _apply(self.synced, *operation)
        self._pending.clear()
        self._visible = self.synced

    def recover(self, barrier: bool) -> None:
        """A new process opens the files: what the last one had written and not synced is there, and is it safe?"""
        self._visible = self.written
        if barrier:
            self.sync()

    def cut(self) -> None:
        """Power off and on again: what was not synced is gone."""
        self._pending.clear()
        self._visible = self.synced
        self.written = {name: kept.copy() for name, kept in self.synced.items()}
        self._batches.clear()
        for name, kept in self.written.items():
            for row in kept.rows:
                self._remember(name, row)

    def load(self, document: str) -> Stored | None:
        """As the store does: the checkpoint, and the rows after it, verified."""
        kept = self._visible.get(document)
        if kept is None:
            return None
        return Stored(kept.lineage, kept.seq, kept.checkpoint, self.read(document, _start(kept), 1_000_000))

    def read(self, document: str, after_seq: int, limit: int) -> list[LogRow]:
        """Verified rows. Raises NotFound."""
        kept = self._visible.get(document)
        if kept is None:
            raise NotFound()
        return kept.after(after_seq)[:limit]

    def head(self, document: str) -> Head | None:
        """Where the log stands."""
        kept = self._visible.get(document)
        return None if kept is None else Head(kept.lineage, kept.seq)

    def _do(self, document: str, what: NewRow | Checkpoint | str) -> None:
        _apply(self.written, document, what)
        self._pending.append((document, what))


def _apply(view: dict[str, Kept], document: str, what: NewRow | Checkpoint | str) -> None:
    if isinstance(what, str):
        view[document] = Kept(len(view) + 1, what)
    elif isinstance(what, Checkpoint):
        newest = view[document].checkpoint
        if newest is None or newest.seq < what.seq:
            view[document].checkpoint = what
    else:
        view[document].put(what)


def _start(kept: Kept) -> int:
    return kept.checkpoint.seq if kept.checkpoint else 0


def _read(row: NewRow, lineage: str, before: int) -> LogRow:
    _, last, first, _, _, seal, payload = row
    epoch = datetime.fromtimestamp(0, UTC)
    fields = SimpleNamespace(first_seq=first, last_seq=last, checksum=seal, payload=payload, created_at=epoch)
    return verified(fields, lineage, before)
