"""Fixtures of the REST tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.service import Service, running
from tests.backends import Backend, Ground, ground_of


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio only."""
    return "asyncio"


@pytest.fixture
def ground(request: pytest.FixtureRequest, backend: Backend, tmp_path: Path) -> Ground:
    """What the service stands on, empty."""
    return ground_of(request, backend, tmp_path)


@pytest.fixture
async def api(ground: Ground) -> AsyncIterator[Service]:
    """A fresh service on a fresh database, open to everybody."""
    async with running(ground) as service:
        yield service
