"""A node on a free port in this process, once behind each socket shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.applications import Starlette

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
from tests.api.service import bus_of, run
from tests.backends import Ground, Turns
from tests.front import Front


@dataclass
class TestDoorman:
    """Admits everybody with the access that the test says, or refuses with its error."""

    __test__ = False

    access: Access = Access.WRITE
    refuse: CollabError | None = None
    principal: Principal = ANONYMOUS
    tokens: dict[str, tuple[Principal, Access]] = field(default_factory=dict)
    seen: list[Upgrade] = field(default_factory=list)

    async def greet(self, upgrade: Upgrade) -> str | None:
        return next(iter(upgrade.subprotocols), None)

    async def admit(
        self, upgrade: Upgrade, document: DocumentId, token: str | None = None
    ) -> tuple[Principal, Access, str | None]:
        self.seen.append(upgrade)
        if self.refuse is not None:
            raise self.refuse
        if token is not None and token in self.tokens:
            return *self.tokens[token], None
        return self.principal, self.access, next(iter(upgrade.subprotocols), None)

    async def renew(
        self, upgrade: Upgrade, document: DocumentId, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        if token not in self.tokens:
            raise Unauthorized
        return self.tokens[token]

    def still(self, principal: Principal, document: DocumentId) -> Access:
        return Access.WRITE

    def address(self, upgrade: Upgrade) -> str:
        return upgrade.peer or "unknown"


@dataclass
class Node:
    """The running node and its parts; of several, behind one `url`, the first one's."""

    url: str
    hub: Hub
    journal: Journal
    upkeep: Upkeep
    doorman: TestDoorman
    refusals: Refusals
    sockets: Sockets
    port: int


@asynccontextmanager
async def running_node(shell: str, ground: Ground, limits: Limits) -> AsyncIterator[Node]:
    """All of them, until the block ends."""
    doorman, refusals = TestDoorman(), Refusals()
    async with AsyncExitStack() as stack:
        nodes = []
        for number in range(ground.nodes):
            store = await stack.enter_async_context(open_store(ground.url))
            journal = Journal(store.log)
            stack.push_async_callback(journal.close)
            name = f"n{number}"
            hub = Hub(
                node=name, update_log=store.log, journal=journal, bus=await bus_of(ground, name, stack), limits=limits,
                settings=HubSettings(), counters=Counters(),
            )  # fmt: skip
            sockets = Sockets(hub, doorman, limits, refusals)
            port = await serving(stack, sockets, shell, limits)
            nodes.append(Node("", hub, journal, Upkeep(hub), doorman, refusals, sockets, port))
            if ground.nodes > 1:
                run(stack, hub.neighbours.run())
        nodes[0].url = f"ws://127.0.0.1:{await address(stack, ground, nodes)}/sync/"
        yield nodes[0]


async def address(stack: AsyncExitStack, ground: Ground, nodes: list[Node]) -> int:
    """The port where clients come."""
    if ground.nodes == 1:
        return nodes[0].port
    turns = Turns(ground, nodes)
    front = await Front(lambda: turns.next().port).open()
    stack.push_async_callback(front.close)
    return front.port


class PromptServer(uvicorn.Server):
    """Ends when it is told to: uvicorn's looks every tenth of a second, which a hundred tests would wait for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told.wait()


async def serving(stack: AsyncExitStack, sockets: Sockets, shell: str, limits: Limits) -> int:
    """Serves until the stack is closed; returns the port."""
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
    server = PromptServer(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign]  # pytest keeps its own
    task = asyncio.create_task(server.serve())

    async def stop() -> None:
        server.told.set()
        await task

    stack.push_async_callback(stop)
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@pytest.fixture(params=["fast", "asgi"])
async def node(request: pytest.FixtureRequest, ground: Ground) -> AsyncIterator[Node]:
    """The node, or two."""
    limits = getattr(request.function, "limits", Limits(frames_per_s=0))
    async with running_node(request.param, ground, limits) as running:
        yield running
