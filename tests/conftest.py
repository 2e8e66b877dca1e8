"""Fixtures that every test folder shares."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from collab.auth.keys import Keys
from collab.store.open import open_store
from collab.types import Scope
from tests import backends, node_tools, realservers, trust
from tests.backends import Backend, Ground, ground_of
from tests.clients.puppets import Puppets, puppets
from tests.cluster.nodes import Cluster, cluster
from tests.patience import be_patient
from tests.server import running_server

# How fast a machine draws examples, or runs one, decides nothing.
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
be_patient()
trust.read_once()
gc.disable()  # until all is imported and collected, which nothing of is garbage


def pytest_xdist_auto_num_workers() -> int:
    """Half of the long tests wait for a server, a browser or a clock: more than two workers to a core keep it busy."""
    return 2 * len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else 4


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look at it again and again."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """See tests/backends.py."""
    backends.add_options(parser)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """See tests/backends.py."""
    backends.parametrize(metafunc)


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """What the test's service stands on."""
    return getattr(request, "param", Backend.SQLITE)


@pytest.fixture
def ground(request: pytest.FixtureRequest, backend: Backend, tmp_path: Path) -> Ground:
    """What a service in this process stands on, empty."""
    return ground_of(request, backend, tmp_path)


@pytest.fixture(scope="session")
def node() -> Path:
    """The node binary; `tests/node/node_modules` holds the real Yjs packages when a test asks for this."""
    node_tools.node_modules()
    return node_tools.node_executable()


@pytest.fixture(scope="module")
def people(node: Path) -> Iterator[Puppets]:
    """A Node process for real y-websocket clients."""
    with puppets(node) as people:
        yield people


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


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes on a Postgres and a Valkey of their own: a module may kill any of them."""
    with (
        realservers.postgres(fsync=False) as postgres,
        realservers.valkey() as valkey,
        cluster(tmp_path_factory.mktemp("nodes"), 2, postgres=postgres, valkey=valkey) as running,
    ):
        yield running


class Service(NamedTuple):
    """A service that asks for keys, and two that it knows."""

    url: str
    admin: str
    reader: str


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests; each makes documents of its own in it."""
    folder = tmp_path_factory.mktemp("service")
    admin, reader = asyncio.run(_keys(folder))
    with running_server(folder) as started:
        yield Service(started.url, admin, reader)


async def _keys(folder: Path) -> tuple[str, str]:
    async with open_store(f"sqlite:///{folder / 'collab.db'}") as store:
        keys = Keys(store.keys)
        _, admin = await keys.mint("admin", [Scope.ADMIN])
        _, reader = await keys.mint("reader", [Scope.DOCUMENTS_READ])
        return admin, reader


@pytest.fixture
def document() -> str:
    """The id of a document that nobody else uses."""
    return f"team/{uuid4().hex} é"
