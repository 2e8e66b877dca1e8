"""The tables: what is stored, and in which shape, on SQLite and on Postgres.

A document has an integer `key` beside its id, which the rows of the log carry: ids may be 200 characters long, and
one key instead of two copies of the id per row makes the log a third smaller and its commits half as dear.
Times are whole microseconds since 1970 (UTC) in both databases, so that raw statements and typed ones agree.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import TEXT as PG_TEXT
from sqlmodel import Field, SQLModel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """The UTC time that lies `micros` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A time, kept as whole microseconds since 1970 (UTC)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Time zones are converted; a naive time is refused by the subtraction."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Always in UTC."""
        return None if value is None else moment(value)


def big_key() -> BigInteger:
    """64 bits in Postgres; in SQLite the only spelling that makes the key the row's own address."""
    return BigInteger().with_variant(Integer, "sqlite")


def id_text() -> Text:
    """Text ordered by bytes in both databases: cursors and prefixes mean the same, whatever the locale."""
    return Text().with_variant(PG_TEXT(collation="C"), "postgresql")


def json_object() -> JSON:
    """JSON that Postgres can search by content."""
    return JSON().with_variant(JSONB(), "postgresql")


class Base(SQLModel):
    """The base of our tables; its metadata holds nothing but them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class DocumentRow(Base, table=True):
    """A document: its name, its head (lineage and seq), and what its stored bytes amount to."""

    __tablename__ = "document"

    key: int | None = Field(default=None, sa_column=Column(big_key(), primary_key=True, autoincrement=True))
    id: str = Field(sa_column=Column(id_text(), nullable=False, unique=True))
    lineage: str = Field(sa_column=Column(Text, nullable=False))
    seq: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    title: str | None = Field(default=None, sa_column=Column(Text))
    # `metadata` is SQLAlchemy's own name on a table class, hence the trailing underscore.
    metadata_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("metadata", json_object(), nullable=False))
    log_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    checkpoint_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    squashed_seq: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    updated_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    quarantine: str | None = Field(default=None, sa_column=Column(Text))


class UpdateLogRow(Base, table=True):
    """One commit of one document: the entries first_seq..last_seq.

    There is no foreign key: Postgres would check it with a lock per row on the hot path, and every row is written in
    a transaction that holds its document's lock. `batch` is time-ordered, which keeps its index cheap.
    """

    __tablename__ = "update_log"

    document_key: int = Field(sa_column=Column(big_key(), primary_key=True, autoincrement=False))
    last_seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    first_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    checksum: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class HistorySegmentRow(Base, table=True):
    """What the log rows first_seq..last_seq amounted to, in the place of those rows. `payload` is compressed.

    Segments follow on one another from seq 1 up to the document's `squashed_seq`; the log goes on from there.
    """

    __tablename__ = "history_segment"

    document_key: int = Field(
        sa_column=Column(big_key(), ForeignKey("document.key"), primary_key=True, autoincrement=False)
    )
    last_seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    first_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    first_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    last_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    checksum: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CheckpointRow(Base, table=True):
    """The folded state of a document's log up to `seq`, with the codec's index of it."""

    __tablename__ = "checkpoint"

    document_key: int = Field(
        sa_column=Column(big_key(), ForeignKey("document.key"), primary_key=True, autoincrement=False)
    )
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    checksum: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    index: bytes = Field(sa_column=Column("state_index", LargeBinary, nullable=False))
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class SnapshotRow(Base, table=True):
    """A named, immutable state. Ids are UUIDv7, so that newest first is the order of the index."""

    __tablename__ = "snapshot"
    __table_args__ = (Index(None, "document_key", "id"),)

    id: str = Field(sa_column=Column(id_text(), primary_key=True))
    document_key: int = Field(sa_column=Column(big_key(), ForeignKey("document.key"), nullable=False))
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    label: str | None = Field(default=None, sa_column=Column(Text))
    metadata_: dict[str, Any] = Field(default_factory=dict, sa_column=Column("metadata", json_object(), nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    checksum: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RetiredLineageRow(Base, table=True):
    """What is kept of a purged document: that this lineage is over, and the CRDT client ids that wrote in it."""

    __tablename__ = "retired_lineage"

    document_id: str = Field(sa_column=Column(id_text(), primary_key=True))
    lineage: str = Field(sa_column=Column(Text, primary_key=True))
    authors: list[int] = Field(sa_column=Column(json_object(), nullable=False))
    retired_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class IdempotencyKeyRow(Base, table=True):
    """The answer that was given to a POST with this Idempotency-Key; `status` 0 while it is being worked on."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index(None, "created_at"),)

    caller: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    request_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    status: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(json_object(), nullable=False))
    response: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))


class ApiKeyRow(Base, table=True):
    """An API key: only the SHA-256 of its secret is kept; `prefix` is the part shown in listings."""

    __tablename__ = "api_key"

    id: str = Field(sa_column=Column(id_text(), primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    prefix: str = Field(sa_column=Column(Text, nullable=False))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    scopes: list[str] = Field(sa_column=Column(json_object(), nullable=False))
    documents: list[str] = Field(sa_column=Column(json_object(), nullable=False))
    created_at: datetime = Field(sa_column=Column(Moment, nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(Moment))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(Moment))


class AuditRow(Base, table=True):
    """Who did what to which document, when, and how it ended. Ids are UUIDv7: their order is the order of events."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "document", "id"),)

    id: str = Field(sa_column=Column(id_text(), primary_key=True))
    at: datetime = Field(sa_column=Column(Moment, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    actor_kind: str = Field(sa_column=Column(Text, nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    document: str | None = Field(default=None, sa_column=Column(id_text()))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(json_object(), nullable=False))


class RevocationRow(Base, table=True):
    """From `at` on, what was given before to this user, for this document or by this key counts `access` at most."""

    __tablename__ = "revocation"
    __table_args__ = (Index(None, "at"),)

    id: str = Field(sa_column=Column(id_text(), primary_key=True))
    at: datetime = Field(sa_column=Column(Moment, nullable=False))
    user: str | None = Field(default=None, sa_column=Column(Text))
    document: str | None = Field(default=None, sa_column=Column(id_text()))
    key: str | None = Field(default=None, sa_column=Column(Text))
    access: int = Field(sa_column=Column(Integer, nullable=False))


class TicketRow(Base, table=True):
    """Permission to open one socket, by the sha256 of the ticket; `until` when it can no longer be used."""

    __tablename__ = "ticket"
    __table_args__ = (Index(None, "until"),)

    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    until: datetime = Field(sa_column=Column(Moment, nullable=False))
    content: dict[str, Any] = Field(sa_column=Column(json_object(), nullable=False))


def _table(row: type[Base]) -> SQLTable:
    table = row.__table__  # type: ignore[attr-defined]
    assert isinstance(table, SQLTable)
    return table


# The same tables for statements that need no objects.
document = _table(DocumentRow)
update_log = _table(UpdateLogRow)
history_segment = _table(HistorySegmentRow)
checkpoint = _table(CheckpointRow)
snapshot = _table(SnapshotRow)
retired_lineage = _table(RetiredLineageRow)
idempotency_key = _table(IdempotencyKeyRow)
api_key = _table(ApiKeyRow)
audit = _table(AuditRow)
revocation = _table(RevocationRow)
ticket = _table(TicketRow)
