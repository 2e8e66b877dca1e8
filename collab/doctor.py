"""Looks at everything that is stored: are the bytes what was written, and do they mean what they should?

Checksums say that a row is what was written. That each update is one, that the log leaves no hole, and that each
checkpoint holds all that it stands for, only reading them can say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from collab.crdt.clocks import Clocks
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.errors import BadUpdate, CollabError
from collab.store.base import Checkpoint
from collab.store.database import Database
from collab.store.remains import Remains, remains
from collab.store.verification import every_document
from collab.types import DocumentId


@dataclass(frozen=True, slots=True)
class Finding:
    """One document: what was looked at, and what is wrong with it."""

    document: DocumentId
    rows: int
    checkpoints: int
    snapshots: int
    faults: tuple[str, ...]
    segments: int = 0


async def examine(database: Database) -> AsyncIterator[Finding]:
    """Every document, deleted ones too. Only reads; the service may run meanwhile."""
    async for seen in every_document(database):
        faults = seen.faults or await _meaning(database, seen.document)
        yield Finding(seen.document, seen.rows, seen.checkpoints, seen.snapshots, tuple(faults), seen.segments)


async def _meaning(database: Database, document: DocumentId) -> list[str]:
    try:
        return list(_faults(await remains(database, document)))
    except CollabError as error:
        return [error.detail]


def _faults(found: Remains) -> list[str]:
    """What is wrong although every checksum is right. The log is read once, each checkpoint compared on the way."""
    faults: list[str] = []
    clocks = Clocks()
    points = list(found.checkpoints)
    for row in found.rows:
        for seq, entry in row.numbered():
            faults += _note(entry.update, seq, clocks)
            while points and points[0].seq <= seq:
                faults += _compare(points.pop(0), clocks)
    return faults


def _note(update: bytes, seq: int, clocks: Clocks) -> list[str]:
    try:
        checked = check(update, STORED)
    except BadUpdate as error:
        return [f"the update at seq {seq} is none: {error.detail}"]
    if not clocks.is_ready(checked):
        return [f"the update at seq {seq} depends on something that is not in the log"]
    clocks.advance(checked)
    return []


def _compare(point: Checkpoint, clocks: Clocks) -> list[str]:
    """A checkpoint must know every clock and every deletion that the log has up to its seq."""
    try:
        check(point.state, STORED)
        known = Clocks.from_index(StateIndex.decode(point.index, point.state))
    except BadUpdate as error:
        return [f"the checkpoint at seq {point.seq} cannot be read: {error.detail}"]
    if any(known.next.get(client, 0) < clock for client, clock in clocks.next.items()):
        return [f"the checkpoint at seq {point.seq} lacks updates of the log"]
    if not known.deleted.covers(clocks.deleted):
        return [f"the checkpoint at seq {point.seq} lacks deletions of the log"]
    return []
