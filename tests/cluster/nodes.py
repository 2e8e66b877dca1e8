"""Several real nodes on one Postgres and one Valkey, as plain processes on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from collab.store.open import upgrade
from tests import realservers
from tests.server import Server, running_server

CALM = {"COLLAB_ENGINE_WORKERS": "1"}


@dataclass
class Cluster:
    """The running parts."""

    postgres: realservers.Server
    valkey: realservers.Server | None
    nodes: list[Server]


def prepared(database_url: str) -> str:
    """The same URL, its schema brought up to date."""
    asyncio.run(upgrade(database_url))
    return database_url


@contextmanager
def cluster(
    folder: Path,
    count: int,
    *,
    postgres: realservers.Server,
    valkey: realservers.Server | None,
    database_url: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """`count` nodes until the block ends; the database is brought up to date first."""
    url = prepared(database_url or postgres.url)
    settings = {**CALM, "COLLAB_DATABASE_URL": url, **(env or {})}
    if valkey is not None:
        settings["COLLAB_REDIS_URL"] = valkey.url
    with ExitStack() as stack:
        nodes = []
        for number in range(count):
            data = folder / f"node{number}"
            data.mkdir()
            nodes.append(stack.enter_context(running_server(data, env=settings)))
        yield Cluster(postgres, valkey, nodes)
