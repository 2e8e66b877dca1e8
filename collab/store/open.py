"""The store: one database, and every port on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from collab.errors import StorageUnavailable, UnsafeSettings
from collab.store import migrate
from collab.store.audit import SqlAudit
from collab.store.catalog import SqlCatalog
from collab.store.database import Database
from collab.store.idempotency import SqlIdempotency
from collab.store.keys import SqlKeys
from collab.store.log import SqlLog
from collab.store.postgres import PostgresDatabase
from collab.store.revocations import SqlRevocations
from collab.store.segments import SqlSegments
from collab.store.snapshots import SqlSnapshots
from collab.store.sqlite import SqliteDatabase, path_of
from collab.store.tickets import SqlTickets


@dataclass(frozen=True, slots=True)
class Store:
    """Everything durable. `embedded` says that this process alone owns the database (SQLite)."""

    database: Database
    log: SqlLog
    segments: SqlSegments
    catalog: SqlCatalog
    snapshots: SqlSnapshots
    keys: SqlKeys
    audit: SqlAudit
    revocations: SqlRevocations
    idempotency: SqlIdempotency
    tickets: SqlTickets
    embedded: bool


def connect(url: str, sync: str = "full", readonly: bool = False) -> Database:
    """The database of a URL: `sqlite:///path` or `postgresql://…`. Raises ValueError for others.

    With `readonly` an SQLite file may be read beside the process that owns it; every write then fails.
    """
    scheme = url.partition(":")[0].partition("+")[0]
    if scheme == "sqlite":
        return SqliteDatabase(path_of(url), sync, readonly)
    if scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url.replace("postgres://", "postgresql://", 1), sync)
    raise UnsafeSettings(f"no store for {scheme}:// (sqlite:///path or postgresql://…)")


@asynccontextmanager
async def open_store(url: str, *, sync: str = "full") -> AsyncIterator[Store]:
    """Opens the store. An embedded SQLite is migrated; a Postgres must be at the head (`collab db upgrade`).

    `sync="normal"` gives up the last commits at a power loss for speed. Raises StorageUnavailable.
    """
    database = connect(url, sync)
    try:
        if database.dialect == "sqlite":
            await migrate.upgrade(database)
        elif await migrate.needed(database):
            raise StorageUnavailable("the database schema is not current; run: collab db upgrade")
        yield _store(database)
    finally:
        await database.close()


def _store(database: Database) -> Store:
    return Store(
        database=database,
        log=SqlLog(database),
        segments=SqlSegments(database),
        catalog=SqlCatalog(database),
        snapshots=SqlSnapshots(database),
        keys=SqlKeys(database),
        audit=SqlAudit(database),
        revocations=SqlRevocations(database),
        idempotency=SqlIdempotency(database),
        tickets=SqlTickets(database),
        embedded=database.dialect == "sqlite",
    )


async def upgrade(url: str) -> tuple[str | None, str]:
    """Migrates the database of this URL to the head; answers the revisions before and after."""
    database = connect(url)
    try:
        return await migrate.upgrade(database)
    finally:
        await database.close()
