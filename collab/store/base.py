"""Ports of the durable side and the records that pass through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from collab.types import DocumentId, Grant
from collab.types import Entry as Entry

T = TypeVar("T")
UNBORN = ""
"""The lineage of a room whose document does not exist yet: its first commit gives it one, or finds one."""

UNSEEN = "\x1f"
"""Begins the id of a document in the making, an import for instance. Nobody can name it, for ids are printable, and no
listing shows it; renamed, it is there."""


@dataclass(frozen=True, slots=True)
class Append:
    """What one room gathered for one commit: becomes one log row holding every entry.

    `lineage` is the one the room was opened with, UNBORN if there was no document then. A document that does not exist
    is created in the same transaction; one that was made meanwhile is taken as it is by an UNBORN append. `batch` is
    unique per append (16 bytes): if a commit's outcome is unknown, the retry finds it. With `expected` it is stored
    only if the document stands at this seq, all appends before it counted; else it is refused (PreconditionFailed).
    """

    document: DocumentId
    lineage: str
    batch: bytes
    entries: Sequence[Entry]
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What the commit gave: entries have the sequence numbers first_seq..last_seq, in order.

    `error` is set when this append alone was refused (deleted, purged, re-created, or not where it was expected to
    stand); nothing of it is stored then, and the rest of the batch is not affected. `created`: this append made the
    document. The first entry of one that was made by its name alone, on this node or another, did not.
    """

    document: DocumentId
    lineage: str
    first_seq: int
    last_seq: int
    error: Exception | None = None
    created: bool = field(default=False, compare=False)  # a retry whose first try's outcome was unknown guesses it


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log: the entries first_seq..last_seq of a document, committed together.

    A squashed one stands for the rows that were there: it has one entry, which amounts to all of theirs for whoever
    has what came before; `created_at` is the time of the last of them, `squashed_from` of the first, and `authors` are
    those who wrote.
    """

    first_seq: int
    last_seq: int
    created_at: datetime
    entries: Sequence[Entry]
    squashed_from: datetime | None = None
    authors: tuple[str, ...] = ()

    @property
    def squashed(self) -> bool:
        """Whether it stands for rows that are no longer there."""
        return self.squashed_from is not None

    def numbered(self) -> list[tuple[int, Entry]]:
        """Each entry with its seq; of a squashed row the last."""
        return list(enumerate(self.entries, self.last_seq - len(self.entries) + 1))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The folded state of a log up to and including `seq`; `index` is the codec's side table for it (crdt/index.py)."""

    seq: int
    state: bytes
    index: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is needed to open a room: the newest good checkpoint and the rows after it.

    `quarantine` says why the stored bytes cannot be trusted past what is given here (the document is then read-only),
    or is None. `retired_authors` are CRDT client ids of purged lineages under this id, never to be merged again.
    `bytes_stored` is what the document has on disk, snapshots included.
    `created` is False for an id that was purged and not made again: nothing is stored under it, and `lineage` is a
    fresh one, with which the first append makes it.
    """

    lineage: str
    seq: int
    checkpoint: Checkpoint | None
    rows: Sequence[LogRow]
    quarantine: str | None = None
    retired_authors: frozenset[int] = frozenset()
    created: bool = True
    bytes_stored: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """Where a document's log stands."""

    lineage: str
    seq: int
    deleted: bool = False


class UpdateLog(Protocol):
    """Durable updates per document.

    An append that returned survives SIGKILL and power loss. Sequence numbers are dense per document, in commit order.
    Every method raises StorageUnavailable when the database cannot answer; no method retries by itself.
    """

    async def load(self, document: DocumentId, deleted: bool = False) -> Stored | None:
        """Reads checkpoint and tail, checksums verified; None if the document was never created; Gone if deleted."""

    async def append(self, batch: Sequence[Append]) -> Sequence[Appended]:
        """Commits all appends in one transaction (one log row per document) and answers in the same order."""

    async def read(
        self, document: DocumentId, after_seq: int, limit: int, lineage: str | None = None
    ) -> Sequence[LogRow]:
        """Rows whose last_seq > after_seq, oldest first, at most `limit`; squashed ones where history was squashed.

        Raises NotFound, Gone, or LineageRetired if a lineage is given and the document has another one now.
        """

    async def heads(self, documents: Sequence[DocumentId]) -> Mapping[DocumentId, Head]:
        """The head of each document that exists, by one indexed read."""

    async def put_checkpoint(self, document: DocumentId, lineage: str, checkpoint: Checkpoint) -> None:
        """Stores a verified checkpoint; older ones but the last good one are removed. Log rows stay."""

    async def ping(self) -> None:
        """Proves that the database takes a write and a read."""


@dataclass(frozen=True, slots=True)
class Document:
    """The catalog's view of a document. `bytes_stored` counts log payloads, history segments and checkpoints.

    Updates up to `squashed_seq` are no longer kept one by one.
    """

    id: DocumentId
    lineage: str
    title: str | None
    metadata: Mapping[str, object]
    seq: int
    bytes_stored: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    quarantine: str | None = None
    squashed_seq: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one document that follow on one another; `folded_seq` is how far its newest checkpoint goes."""

    lineage: str
    rows: Sequence[LogRow]
    folded_seq: int


class Segments(Protocol):
    """Old history as segments: each stands for a stretch of the log, and is verified whenever it is read.

    All raise StorageUnavailable.
    """

    async def due(
        self, before: datetime | None, joined: datetime | None, after: DocumentId, limit: int
    ) -> Sequence[DocumentId]:
        """Documents with rows from before `before`, or several segments from before `joined`, by id."""

    async def stretch(self, document: DocumentId, before: datetime, step_s: int, rows_max: int) -> Stretch | None:
        """The oldest rows that are no segment yet, all of one step of time that was over `before`; None without any."""

    async def old(self, document: DocumentId, before: datetime) -> Stretch | None:
        """The segments that ended before, if there are several."""

    async def put(self, document: DocumentId, lineage: str, segment: LogRow) -> None:
        """Puts a squashed row in the place of all rows and segments that it stands for, or at the log's end.

        Raises Conflict unless it fits there, NotFound, Gone or LineageRetired.
        """


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a cursor listing; `cursor` fetches the next one, None at the end."""

    items: Sequence[T]
    cursor: str | None = None


class Catalog(Protocol):
    """Documents as things with a name: cold path."""

    async def create(self, document: DocumentId, title: str | None, metadata: Mapping[str, object]) -> Document:
        """Creates an empty document (seq 0). Raises Conflict if it exists, Gone if it is soft-deleted."""

    async def get(self, document: DocumentId, deleted: bool = False) -> Document:
        """Raises NotFound, or Gone if soft-deleted and `deleted` is False."""

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        prefix: str = "",
        metadata: Mapping[str, str] | None = None,
        deleted: bool = False,
        grants: Sequence[Grant] = (),
    ) -> Page[Document]:
        """Pages by id, stable under writes, without UNSEEN ones. `metadata` filters on top-level string values.

        With `grants`, what none of them covers may be left out; that is done where the rows are.
        """

    async def patch(self, document: DocumentId, changes: Mapping[str, object]) -> Document:
        """Sets title and metadata. A value that can be called is given what is there, so that no patch is lost."""

    async def rename(self, document: DocumentId, lineage: str, new: DocumentId) -> None:
        """Gives this life of a document another id, in one commit. Raises NotFound, Gone, Conflict if `new` exists."""

    async def set_deleted(self, document: DocumentId, deleted: bool) -> Document:
        """Soft-deletes or brings back."""

    async def purge(
        self,
        document: DocumentId,
        authors: frozenset[int],
        seq: int | None = None,
        later: Callable[[Sequence[LogRow]], frozenset[int]] | None = None,
    ) -> None:
        """Erases log, checkpoints, snapshots and the row's content, retires the lineage and keeps only `authors`.

        Raises NotFound, or Conflict if a seq is given and the document does not stand there. With `later` it may: the
        authors of what came since are what that makes of those rows, while nobody else can write.
        """


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named, immutable state that a user keeps. `state` is empty in listings."""

    id: str
    document: DocumentId
    seq: int
    label: str | None
    metadata: Mapping[str, object]
    created_by: str
    created_at: datetime
    size_bytes: int
    state: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call with an Idempotency-Key was answered, to be given again when it is repeated."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Idempotency(Protocol):
    """Answers by (caller, key), so that a repeated POST does its work once."""

    async def claim(self, caller: str, key: str, request_hash: bytes) -> Answer | None:
        """None: the call is the caller's to do, then to settle or release. Else the answer that was given.

        Raises Conflict while another call with this key is being worked on (for a minute, should its node have died),
        Unprocessable if the key was used for another request.
        """

    async def settle(self, caller: str, key: str, answer: Answer) -> None:
        """Keeps the answer of a claimed call; durable when it returns."""

    async def release(self, caller: str, key: str) -> None:
        """Gives a claim back: the call did nothing, and may be tried again."""

    async def forget(self, before: datetime) -> int:
        """Removes what is older; answers how many."""


class Snapshots(Protocol):
    """Snapshots of documents: cold path."""

    async def create(
        self,
        document: DocumentId,
        seq: int,
        state: bytes,
        label: str | None,
        metadata: Mapping[str, object],
        by: str,
        lineage: str | None = None,
    ) -> Snapshot:
        """Stores an immutable state. Raises NotFound if the document does not exist, LineageRetired if it has another
        lineage than the one given: a purged document's state must not become a snapshot of the next one."""

    async def get(self, document: DocumentId, snapshot: str) -> Snapshot:
        """With its state, checksum verified. Raises NotFound."""

    async def list(self, document: DocumentId, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        """Newest first, without states."""

    async def patch(self, document: DocumentId, snapshot: str, changes: Mapping[str, object]) -> Snapshot:
        """Sets label and metadata; as in Catalog, a value may be a function of what is there."""

    async def delete(self, document: DocumentId, snapshot: str) -> None:
        """Raises NotFound."""
