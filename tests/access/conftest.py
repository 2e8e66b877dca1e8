"""Fixtures of the access tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.realm import Realm, prepare, realm, token
from tests.backends import Backend, ground_of


@pytest.fixture
def anyio_backend() -> str:
    """The server's clients here run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def land(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    """One server for all of them; tests that change anything use documents of their own."""
    yield from _settled(request, backend, tmp_path_factory.mktemp("data"), "fast")


@pytest.fixture(scope="session")
def portable_land(
    request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Realm]:
    """Another one, on the portable socket shell."""
    yield from _settled(request, backend, tmp_path_factory.mktemp("data"), "asgi")


@pytest.fixture(params=["land", "portable_land"])
def shore(request: pytest.FixtureRequest) -> Realm:
    """Each of the two, for tests that come by sockets."""
    here: Realm = request.getfixturevalue(request.param)
    return here


def _settled(request: pytest.FixtureRequest, backend: Backend, folder: Path, shell: str) -> Iterator[Realm]:
    with realm(ground_of(request, backend, folder), folder, {"COLLAB_SOCKET_SHELL": shell}) as here:
        here.tokens |= {
            "expired": token("late", ("*", "write"), life_s=-3600),
            "stranger": token("stranger", ("elsewhere/*", "write")),
            "reader": token("reader", ("*", "read"), name="Rea"),
            "commenter": token("commenter", ("*", "comment")),
            "writer": token("writer", ("*", "write"), name="Wri"),
        }
        prepare(here, "notes")
        yield here
