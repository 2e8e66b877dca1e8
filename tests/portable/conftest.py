"""Fixtures of the archive tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The store runs on asyncio only."""
    return "asyncio"
