"""Fixtures for tests with real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.puppets import Puppets, puppets
from tests.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module; its tests use documents of their own."""
    with running_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def people(node: Path) -> Iterator[Puppets]:
    """A Node process for real y-websocket clients."""
    with puppets(node) as people:
        yield people
