"""One commit, planned: which appends are taken, with which sequence numbers, and which are refused.

Pure: the adapter reads the heads under lock, this decides, the adapter writes. Nothing here touches a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from collab.errors import Gone, LineageRetired, PreconditionFailed, Unprocessable
from collab.store.base import UNBORN, Append, Appended
from collab.store.payload import checksum, encode_entries
from collab.types import DocumentId


class Locked(NamedTuple):
    """A document's head while its lock is held. `deleted_at` is microseconds, or None."""

    key: int
    id: DocumentId
    lineage: str
    seq: int
    deleted_at: int | None


NewRow = tuple[int, int, int, bytes, int, bytes, bytes]
"""document_key, last_seq, first_seq, batch, created_at, checksum, payload: the columns of update_log."""

Bump = tuple[int, int, int]
"""What a commit makes of a document: its key, its new seq, and how many payload bytes were added."""


class Prepared(NamedTuple):
    """An append with its payload, made before the transaction begins so that no lock is held for it."""

    append: Append
    payload: bytes
    checksum: bytes


@dataclass(slots=True)
class Plan:
    """What to write, and what to answer, in the order of the appends."""

    now: int
    rows: list[NewRow] = field(default_factory=list)
    bumps: dict[int, Bump] = field(default_factory=dict)
    results: list[Appended] = field(default_factory=list)

    def take(self, prepared: Prepared, head: Locked | None) -> None:
        """Numbers this append after all before it, or refuses it alone."""
        if head is not None and prepared.append.lineage == UNBORN:
            prepared = _born(prepared, head.lineage)
        append = prepared.append
        if head is None or head.lineage != append.lineage:
            self.refuse(append, LineageRetired(current=None if head is None else head.lineage))
        elif head.deleted_at is not None:
            self.refuse(append, Gone())
        else:
            self._number(prepared, head)

    def refuse(self, append: Append, error: Exception) -> None:
        """Nothing of this append is stored."""
        self.results.append(Appended(append.document, append.lineage, 0, 0, error))

    def _number(self, prepared: Prepared, head: Locked) -> None:
        append, payload = prepared.append, prepared.payload
        _, seq, added = self.bumps.get(head.key) or (head.key, head.seq, 0)
        if append.expected not in (None, seq):
            self.refuse(append, PreconditionFailed(f"the document is at version {head.lineage}.{seq}"))
            return
        first, last = seq + 1, seq + len(append.entries)
        self.bumps[head.key] = (head.key, last, added + len(payload))
        self.rows.append((head.key, last, first, append.batch, self.now, prepared.checksum, payload))
        self.results.append(Appended(append.document, append.lineage, first, last))


def prepare(batch: Iterable[Append]) -> list[Prepared]:
    """Encodes and seals every append. Raises Unprocessable for an id that not every database can hold."""
    out = []
    for append in batch:
        if "\0" in append.document:
            raise Unprocessable("a document id holds no NUL")
        payload = encode_entries(append.entries)
        out.append(Prepared(append, payload, checksum(append.lineage, payload)))
    return out


def _born(prepared: Prepared, lineage: str) -> Prepared:
    """The document has been made, by this commit or by somebody else since the room was opened."""
    append = replace(prepared.append, lineage=lineage)
    return Prepared(append, prepared.payload, checksum(lineage, prepared.payload))


def plan(batch: Sequence[Prepared], heads: Mapping[DocumentId, Locked], now: int) -> Plan:
    """Decides for every append of the batch; `now` is microseconds since 1970."""
    result = Plan(now)
    for prepared in batch:
        result.take(prepared, heads.get(prepared.append.document))
    return result
