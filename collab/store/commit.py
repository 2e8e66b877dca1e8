"""The statements of one commit, in each database's fastest form that has a fixed text.

SQLite: rows travel in one multi-row VALUES, padded to one of a few sizes, and heads come back as one JSON text. The
driver lets go of the interpreter at every step of a statement and gets it back only when the event loop pauses, so a
commit must take few steps, however many rows it has. Postgres: arrays and `unnest`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Connection

from collab.store.append import Locked, Plan
from collab.types import DocumentId

CHUNK = 256  # rows in one statement at most


class CommitSql(Protocol):
    """Reads heads, with or without their lock, and writes a plan, inside the caller's transaction."""

    def heads(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """The heads of those that exist, as they are now."""

    def lock(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """The heads of those that exist, locked in id order until the transaction ends."""

    def write(self, connection: Connection, plan: Plan) -> None:
        """New heads and log rows."""


class SqliteCommit:
    """The lock is that of BEGIN IMMEDIATE: whoever is here is the only writer."""

    def lock(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """Nothing to add to the transaction's own lock."""
        return self.heads(connection, documents)

    def heads(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """One step per chunk."""
        found: dict[DocumentId, Locked] = {}
        for chunk in _chunks(documents):
            size = _padded(len(chunk))
            params = (*chunk, *[None] * (size - len(chunk)))
            text: str = connection.exec_driver_sql(_heads_text(size), params).scalar_one()
            found.update((row[1], Locked(*row)) for row in json.loads(text))
        return found

    def write(self, connection: Connection, plan: Plan) -> None:
        """Two statements per chunk."""
        for bumps in _chunks(list(plan.bumps.values())):
            size = _padded(len(bumps))
            connection.exec_driver_sql(_bump_text(size), (*_flat(bumps, 3, size), plan.now))
        for rows in _chunks(plan.rows):
            size = _padded(len(rows))
            connection.exec_driver_sql(_insert_text(size), _flat(rows, 7, size))


class PostgresCommit:
    """Row locks, taken in id order by every node, so that two batches never wait for each other in a ring."""

    HEADS = "SELECT key, id, lineage, seq, deleted_at FROM document WHERE id = ANY($1::text[])"
    # NO KEY: rows that merely refer to the document (snapshots, checkpoints) may be inserted meanwhile.
    LOCK = f"{HEADS} ORDER BY id FOR NO KEY UPDATE"
    WRITE = (
        "WITH bump AS (UPDATE document d SET seq = a.seq, log_bytes = d.log_bytes + a.added, updated_at = $1 "
        "FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS a(key, seq, added) WHERE d.key = a.key) "
        "INSERT INTO update_log (document_key, last_seq, first_seq, batch, created_at, checksum, payload) "
        "SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[], $10::bytea[], "
        "$11::bytea[])"
    )

    def lock(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """One round trip."""
        return self._read(self.LOCK, connection, documents)

    def heads(self, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        """One round trip."""
        return self._read(self.HEADS, connection, documents)

    def _read(self, sql: str, connection: Connection, documents: Sequence[DocumentId]) -> dict[DocumentId, Locked]:
        rows = connection.exec_driver_sql(sql, (list(documents),))
        return {row[1]: Locked(*row) for row in rows}

    def write(self, connection: Connection, plan: Plan) -> None:
        """One round trip."""
        if plan.rows:
            columns = (*zip(*plan.bumps.values(), strict=True), *zip(*plan.rows, strict=True))
            connection.exec_driver_sql(self.WRITE, (plan.now, *map(list, columns)))


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _padded(count: int) -> int:
    """One of 17 sizes, so that every text is in the driver's cache: powers of two, then steps of 8, then of 32."""
    if count <= 8:
        return 1 << (count - 1).bit_length()
    step = 8 if count <= 64 else 32
    return -(-count // step) * step


def _flat(rows: Sequence[Sequence[Any]], width: int, size: int) -> tuple[Any, ...]:
    return (*chain.from_iterable(rows), *[None] * (width * (size - len(rows))))


def _values(width: int, size: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"VALUES {','.join([row] * size)}"


@lru_cache
def _heads_text(size: int) -> str:
    # CROSS JOIN: SQLite keeps the order, so that it looks ids up in the index and does not scan the documents.
    return (
        f"WITH a(id) AS ({_values(1, size)}) "
        "SELECT json_group_array(json_array(d.key, d.id, d.lineage, d.seq, d.deleted_at)) "
        "FROM a CROSS JOIN document d ON d.id = a.id"
    )


@lru_cache
def _bump_text(size: int) -> str:
    return (
        f"WITH a(key, seq, added) AS ({_values(3, size)}) "
        "UPDATE document SET seq = a.seq, log_bytes = log_bytes + a.added, updated_at = ? "
        "FROM a WHERE document.key = a.key"
    )


@lru_cache
def _insert_text(size: int) -> str:
    return (
        "INSERT INTO update_log (document_key, last_seq, first_seq, batch, created_at, checksum, payload) "
        f"SELECT * FROM ({_values(7, size)}) WHERE column1 IS NOT NULL"
    )
