"""API keys on SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from collab.auth.base import ApiKey
from collab.errors import Conflict, NotFound
from collab.store.base import Page
from collab.store.cursors import decode_cursor, page
from collab.store.database import Database
from collab.store.tables import ApiKeyRow
from collab.types import Scope


class SqlKeys:
    """Satisfies the KeyStore port on any Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, key: ApiKey) -> None:
        """Raises Conflict if the id or the hash is there already."""

        def work(connection: Connection) -> None:
            with Session(connection) as session:
                session.add(_row(key))
                session.flush()

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise Conflict("this key exists") from error

    async def find(self, hash: bytes) -> ApiKey | None:
        """One indexed read."""

        def work(connection: Connection) -> ApiKey | None:
            with Session(connection) as session:
                row = session.exec(select(ApiKeyRow).where(col(ApiKeyRow.sha256) == hash)).one_or_none()
                return None if row is None else _key(row)

        return await self._database.read(work)

    async def get(self, id: str) -> ApiKey:
        """Raises NotFound."""

        def work(connection: Connection) -> ApiKey:
            with Session(connection) as session:
                return _key(_existing(session, id))

        return await self._database.read(work)

    async def list(self, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """Oldest first: ids are UUIDv7."""
        query = select(ApiKeyRow).order_by(col(ApiKeyRow.id)).limit(limit + 1)
        if cursor is not None:
            query = query.where(col(ApiKeyRow.id) > decode_cursor(cursor))

        def work(connection: Connection) -> Page[ApiKey]:
            with Session(connection) as session:
                return page([_key(row) for row in session.exec(query)], limit, lambda key: key.id)

        return await self._database.read(work)

    async def revoke(self, id: str, at: datetime) -> ApiKey:
        """The first revocation's time stays."""

        def work(connection: Connection) -> ApiKey:
            with Session(connection) as session:
                row = _existing(session, id)
                row.revoked_at = row.revoked_at or at
                session.flush()
                return _key(row)

        return await self._database.write(work)

    async def touch(self, id: str, at: datetime) -> None:
        """A key that is gone is no error."""

        def work(connection: Connection) -> None:
            with Session(connection) as session:
                session.exec(update(ApiKeyRow).where(col(ApiKeyRow.id) == id).values(last_used_at=at))

        await self._database.write(work)


def _existing(session: Session, id: str) -> ApiKeyRow:
    row = session.get(ApiKeyRow, id)
    if row is None:
        raise NotFound(f"no key {id}")
    return row


def _row(key: ApiKey) -> ApiKeyRow:
    return ApiKeyRow(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        sha256=key.hash,
        scopes=sorted(key.scopes),
        documents=list(key.documents),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        hash=row.sha256,
        scopes=frozenset(map(Scope, row.scopes)),
        documents=tuple(row.documents),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
