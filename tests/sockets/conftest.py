"""A node on a free port in this process, once behind each socket shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from collab.bus.local import LocalBus
from collab.errors import CollabError, Unauthorized
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters, Refusals
from collab.sockets import asgi
from collab.sockets.admission import Sockets
from collab.sockets.fast import FastProtocol
from collab.sockets.http import BoundedHttp
from collab.sockets.upgrade import Upgrade
from collab.store.open import open_store
from collab.types import ANONYMOUS, Access, DocumentId, Principal
from collab.upkeep import Upkeep


@dataclass
class TestDoorman:
    """Admits everybody with the access that the test says, or refuses with its error."""

    __test__ = False

    access: Access = Access.WRITE
    refuse: CollabError | None = None
    principal: Principal = ANONYMOUS
    tokens: dict[str, tuple[Principal, Access]] = field(default_factory=dict)
    seen: list[Upgrade] = field(default_factory=list)

    async def admit(self, upgrade: Upgrade, document: DocumentId) -> tuple[Principal, Access, str | None]:
        self.seen.append(upgrade)
        if self.refuse is not None:
            raise self.refuse
        return self.principal, self.access, next(iter(upgrade.subprotocols), None)

    async def renew(
        self, upgrade: Upgrade, document: DocumentId, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        if token not in self.tokens:
            raise Unauthorized
        return self.tokens[token]

    def address(self, upgrade: Upgrade) -> str:
        return upgrade.peer or "unknown"


@dataclass
class Node:
    """The running node and its parts."""

    url: str
    hub: Hub
    journal: Journal
    upkeep: Upkeep
    doorman: TestDoorman
    refusals: Refusals
    sockets: Sockets


@asynccontextmanager
async def running_node(shell: str, folder: Path, limits: Limits) -> AsyncIterator[Node]:
    async with open_store(f"sqlite:///{folder / 'collab.db'}") as store:
        journal, counters, doorman, refusals = Journal(store.log), Counters(), TestDoorman(), Refusals()
        hub = Hub(
            node="n", update_log=store.log, journal=journal, bus=LocalBus(), limits=limits,
            settings=HubSettings(), counters=counters,
        )  # fmt: skip
        sockets = Sockets(hub, doorman, limits, refusals)
        config = uvicorn.Config(
            Starlette(routes=[asgi.route(sockets)]),
            port=0,
            http=type("H", (BoundedHttp,), {"limits": limits, "arrivals": sockets.arrivals}),
            ws=type("P", (FastProtocol,), {"sockets": sockets}) if shell == "fast" else "websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        server.capture_signals = nullcontext  # type: ignore[method-assign]  # pytest keeps its own
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
            await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Node(f"ws://127.0.0.1:{port}/sync/", hub, journal, Upkeep(hub), doorman, refusals, sockets)
        finally:
            server.should_exit = True
            await task
            await journal.close()


@pytest.fixture(params=["fast", "asgi"])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    limits = getattr(request.function, "limits", Limits(frames_per_s=0))
    async with running_node(request.param, tmp_path, limits) as running:
        yield running
