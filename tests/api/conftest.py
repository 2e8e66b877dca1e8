"""Fixtures of the REST tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.service import Service, running
from tests.backends import Ground


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio only."""
    return "asyncio"


@pytest.fixture
async def api(ground: Ground) -> AsyncIterator[Service]:
    """A fresh service on a fresh database, open to everybody."""
    async with running(ground) as service:
        yield service
