"""Each suite runs on every database: a SQLite file and a real Postgres."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from collab.store.open import Store, open_store, upgrade
from tests import realservers

numbers = itertools.count()


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


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store with the current schema."""
    await upgrade(url)
    async with open_store(url) as opened:
        yield opened
