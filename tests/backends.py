"""What the API and socket suites stand on: `pytest --backends all tests/api tests/sockets tests/access`.

    sqlite      one node on a SQLite file
    postgres    one node on Postgres
    nodes       two nodes on Postgres and Valkey behind one address, which spreads calls and connections over them

Without the option tests run on SQLite, and those marked `everywhere` on all three.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Generic, TypeVar

import pytest

from tests import realservers
from tests.databases import emptied_postgres, upgraded_postgres

T = TypeVar("T")


class Backend(StrEnum):
    """One of the three."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    NODES = "nodes"


@dataclass(frozen=True)
class Ground:
    """An empty database, a bus if there are several nodes, and how many of them callers are spread over."""

    url: str
    redis_url: str | None = None
    redis_prefix: str = ""
    nodes: int = 1
    spread: bool = True

    @property
    def env(self) -> dict[str, str]:
        """For a node that is a process; nothing for an embedded database, which lies in its data folder."""
        if self.redis_url is None:
            return {} if self.url.startswith("sqlite") else {"COLLAB_DATABASE_URL": self.url}
        return {
            "COLLAB_DATABASE_URL": self.url, "COLLAB_REDIS_URL": self.redis_url,
            "COLLAB_REDIS_PREFIX": self.redis_prefix,
        }  # fmt: skip


def embedded(folder: Path) -> Ground:
    """A SQLite file there."""
    return Ground(f"sqlite:///{folder / 'collab.db'}")


def ground_of(request: pytest.FixtureRequest, backend: Backend, folder: Path) -> Ground:
    """A fresh one, with servers of the session where it needs any."""
    if backend is Backend.SQLITE:
        return embedded(folder)
    shared = request.scope != "function"  # then others' tests must not empty it meanwhile
    server: realservers.Server = request.getfixturevalue("postgres")
    url = asyncio.run(upgraded_postgres(server) if shared else emptied_postgres(server))
    if backend is Backend.POSTGRES:
        return Ground(url)
    valkey: realservers.Server = request.getfixturevalue("valkey")
    spread = shared or request.node.get_closest_marker("one_node") is None
    return Ground(url, valkey.url, f"test-{token_hex(4)}", 2, spread)


def add_options(parser: pytest.Parser) -> None:
    """The option of the command line."""
    parser.addoption("--backends", default="", help="all, or some of sqlite,postgres,nodes: what to run the suites on")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Runs a test on every backend that is asked for and that it can run on."""
    if "backend" not in metafunc.fixturenames:
        return
    marks = {mark.name: mark for mark in metafunc.definition.iter_markers()}
    given = str(metafunc.config.getoption("--backends"))
    if not given:
        given = "all" if "everywhere" in marks else Backend.SQLITE
    chosen = list(Backend) if given == "all" else [Backend(name) for name in given.split(",")]
    if "sqlite_only" in marks:
        chosen = [backend for backend in chosen if backend is Backend.SQLITE]
    if chosen != [Backend.SQLITE]:
        metafunc.parametrize("backend", chosen, indirect=True, scope="session")


class Turns(Generic[T]):
    """Each in turn, as behind a balancer; always the first if callers are not to be spread."""

    def __init__(self, ground: Ground, places: list[T]) -> None:
        self._turns = itertools.cycle(places if ground.spread else places[:1])

    def next(self) -> T:
        """Whose turn it is."""
        return next(self._turns)
