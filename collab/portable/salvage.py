"""An archive of what is left of a damaged document: every readable update that builds on nothing that is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, TypeVar

from collab.crdt.clocks import Clocks
from collab.crdt.decode import STORED
from collab.crdt.diff import diff
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.crdt.split import split
from collab.errors import BadUpdate
from collab.portable.archive import ArchiveWriter, Manifest
from collab.portable.export import manifest, no_progress, write_log, write_snapshots
from collab.store.base import Document, Entry, LogRow
from collab.store.remains import Remains

T = TypeVar("T")

AUTHOR = "salvage"
"""Who is named for what only a checkpoint still holds."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be saved: the archive's manifest, updates kept, and updates that build on something lost."""

    manifest: Manifest
    kept: int
    left_out: int


async def salvage(details: Document, remains: Remains, target: IO[bytes]) -> Salvaged:
    """Writes the archive. Sequence numbers are dense again, so they may differ from the old ones."""
    rows, left_out = consistent(remains, details)
    archive = ArchiveWriter(target)
    with archive.member("log.ndjson") as member:
        state = await write_log(member, _each(rows), no_progress)
    with archive.member("state.bin") as member:
        member.write(state)
    await write_snapshots(archive, _each(remains.snapshots))
    seq = rows[-1].last_seq if rows else 0
    made = manifest(replace(details, squashed_seq=0), seq, state, archive)  # segments become updates like others
    archive.close(made)
    return Salvaged(made, seq, left_out)


def consistent(remains: Remains, details: Document) -> tuple[list[LogRow], int]:
    """Rows with dense numbers in which each update is ready after those before it; and how many updates are not.

    What rows have lost is taken from the newest checkpoint that still holds it.
    """
    clocks, rows = Clocks(), list[LogRow]()
    waiting = _take(list(remains.rows), clocks, rows)
    for point in reversed(remains.checkpoints):
        lacking = diff(point.state, StateIndex.decode(point.index, point.state), clocks.next)
        if not clocks.adds_nothing(check(lacking, STORED)):
            made = LogRow(0, 0, details.updated_at, [Entry(AUTHOR, AUTHOR, lacking)])
            waiting = _take([made, *waiting], clocks, rows)
    return rows, sum(len(row.entries) for row in waiting)


def _take(waiting: list[LogRow], clocks: Clocks, rows: list[LogRow]) -> list[LogRow]:
    """Appends what is ready, as often as that makes something else ready; returns what is left."""
    taken = True
    while taken:
        taken, left = False, list[LogRow]()
        for row in waiting:
            ready, ahead = _split(row, clocks)
            if ready:
                taken, seq = True, rows[-1].last_seq if rows else 0
                rows.append(LogRow(seq + 1, seq + len(ready), row.created_at, ready))
            if ahead:
                left.append(LogRow(0, 0, row.created_at, ahead))
        waiting = left
    return waiting


def _split(row: LogRow, clocks: Clocks) -> tuple[list[Entry], list[Entry]]:
    """A row's entries as far as they are ready, their clocks noted, and the rest; what adds nothing is dropped.

    An entry may be several people's, a history segment's always is: one of them may build on what is lost.
    """
    ready, ahead = [], []
    for entry in row.entries:
        try:
            checked = check(entry.update, STORED)
        except BadUpdate:  # an older version let it in: it stays out now
            ahead.append(entry)
            continue
        if clocks.adds_nothing(checked):
            continue
        whole = clocks.is_ready(checked)
        now, later = (entry.update, None) if whole else split(checked, clocks)
        if now is not None:
            clocks.advance(checked if whole else check(now, STORED))
            ready.append(entry._replace(update=now))
        if later is not None:
            ahead.append(entry._replace(update=later))
    return ready, ahead


async def _each(found: Sequence[T]) -> AsyncIterator[T]:
    for one in found:
        yield one
