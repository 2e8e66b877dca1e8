"""Each suite runs on every database: a SQLite file and a real Postgres."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from collab.store.open import Store, open_store, upgrade
from collab.store.tables import Base
from tests import realservers

numbers = itertools.count()
migrated: dict[str, str] = {}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collab.db"
    return await fresh_postgres(request.getfixturevalue("postgres"))


async def emptied_postgres(server: realservers.Server) -> str:
    """The URL of a database with empty tables: one for the session, since making one takes its time."""
    if server.url not in migrated:
        migrated[server.url] = await fresh_postgres(server)
        await upgrade(migrated[server.url])
    connection = await asyncpg.connect(migrated[server.url])
    try:
        await connection.execute(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY")
    finally:
        await connection.close()
    return migrated[server.url]


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store that holds nothing, of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/collab.db"
    else:
        url = await emptied_postgres(request.getfixturevalue("postgres"))
    async with open_store(url) as opened:
        yield opened
