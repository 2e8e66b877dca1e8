"""Fixtures that every test folder shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import node_tools, realservers


@pytest.fixture(scope="session")
def node() -> Path:
    """The node binary; `tests/node/node_modules` holds the real Yjs packages when a test asks for this."""
    node_tools.node_modules()
    return node_tools.node_executable()


@pytest.fixture(scope="session")
def postgres() -> Iterator[realservers.Server]:
    """A real PostgreSQL for the session; tests that kill it start their own."""
    with realservers.postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[realservers.Server]:
    """A real Valkey for the session; tests that kill it start their own."""
    with realservers.valkey() as server:
        yield server
