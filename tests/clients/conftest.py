"""Fixtures for tests with real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends import Backend, ground_of
from tests.front import Place, serving


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """One server, or several behind one address, for a module; its tests use documents of their own."""
    folder = tmp_path_factory.mktemp("data")
    with serving(ground_of(request, backend, folder), folder) as server:
        yield server
