"""API keys in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import uuid_utils
from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select, update

from collab.auth.base import ApiKey, Revocation
from collab.errors import NotFound
from collab.store.base import Page
from collab.store.database import Database
from collab.store.revocations import insert_revocation
from collab.store.tables import ApiKeyRow
from collab.types import Scope

KEYS = ApiKeyRow.__table__  # type: ignore[attr-defined]
# An open node asks four times a second whether there is a key by now: the statement is built once.
_PAGE = select(KEYS).where(KEYS.c.id > bindparam("after")).order_by(KEYS.c.id).limit(bindparam("most"))


class SqlKeys:
    """Satisfies the KeyStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, key: ApiKey) -> None:
        """See the port."""
        values = {
            "id": key.id,
            "name": key.name,
            "prefix": key.prefix,
            "sha256": key.hash,
            "scopes": sorted(key.scopes),
            "documents": list(key.documents),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
        }
        await self._database.write(lambda connection: connection.execute(insert(KEYS), values) and None)

    async def find(self, hash: bytes) -> ApiKey | None:
        """See the port."""
        return await self._database.read(lambda connection: _one(connection, KEYS.c.sha256 == hash))

    async def get(self, id: str) -> ApiKey:
        """See the port."""
        return _existing(await self._database.read(lambda connection: _one(connection, KEYS.c.id == id)))

    async def list(self, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """Ids are UUIDv7, so oldest first is the order of the primary key; the cursor is the last id seen."""
        asked = {"after": cursor or "", "most": limit + 1}
        found = await self._database.read(lambda connection: [_key(row) for row in connection.execute(_PAGE, asked)])
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def revoke(self, id: str, at: datetime) -> ApiKey:
        """See the port. In the same transaction it becomes a revocation, which ends what the key has opened."""
        revoked = update(KEYS).where(KEYS.c.id == id, KEYS.c.revoked_at.is_(None)).values(revoked_at=at)

        def work(connection: Connection) -> ApiKey | None:
            if connection.execute(revoked).rowcount:
                insert_revocation(connection, Revocation(str(uuid_utils.uuid7()), at, key=id))
            return _one(connection, KEYS.c.id == id)

        return _existing(await self._database.write(work))

    async def touch(self, id: str, at: datetime) -> None:
        """See the port."""
        touched = update(KEYS).where(KEYS.c.id == id).values(last_used_at=at)
        await self._database.write(lambda connection: connection.execute(touched) and None)


def _one(connection: Connection, condition: ColumnElement[bool]) -> ApiKey | None:
    row = connection.execute(select(KEYS).where(condition)).one_or_none()
    return None if row is None else _key(row)


def _existing(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise NotFound
    return key


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        hash=row.sha256,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        documents=tuple(row.documents),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
