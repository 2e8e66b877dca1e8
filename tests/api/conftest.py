"""Fixtures of the REST tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.service import Service, running


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio only."""
    return "asyncio"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Service]:
    """A fresh service on a fresh database, open to everybody."""
    async with running(tmp_path) as service:
        yield service
