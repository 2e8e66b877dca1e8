"""Each suite runs on every database: a SQLite file and a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collab.store.open import Store, open_store
from tests.databases import emptied_postgres, fresh_postgres


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collab.db"
    return await fresh_postgres(request.getfixturevalue("postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store that holds nothing, of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/collab.db"
    else:
        url = await emptied_postgres(request.getfixturevalue("postgres"))
    async with open_store(url) as opened:
        yield opened
