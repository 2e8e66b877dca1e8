"""Databases of a running Postgres for tests: new ones, or one for the session that is emptied each time."""

from __future__ import annotations

import itertools

import asyncpg

from collab.store.open import upgrade
from collab.store.tables import Base
from tests import realservers

numbers = itertools.count()
migrated: dict[str, str] = {}


async def fresh_postgres(server: realservers.Server) -> str:
    """The URL of a new, empty database on this server."""
    name = f"test_{next(numbers)}"
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{server.url.rpartition('/')[0]}/{name}"


async def upgraded_postgres(server: realservers.Server) -> str:
    """The same, with our tables in it."""
    url = await fresh_postgres(server)
    await upgrade(url)
    return url


async def emptied_postgres(server: realservers.Server) -> str:
    """The URL of a database with empty tables: one for the session, since making one takes its time."""
    if server.url not in migrated:
        migrated[server.url] = await upgraded_postgres(server)
    connection = await asyncpg.connect(migrated[server.url])
    try:
        await connection.execute(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY")
    finally:
        await connection.close()
    return migrated[server.url]
