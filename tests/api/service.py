"""The whole REST service in one process: real database, real journal, real hub, the real app; or two such nodes.

Of two nodes each call by REST, and each socket, goes to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import Connection, Engine, event

from collab.accesslog import AccessLog
from collab.api.access import Door
from collab.api.app import create_app
from collab.api.parts import Parts, Permissions
from collab.audit import Audit
from collab.auth.base import Authenticator, Credentials
from collab.auth.guard import Guard
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness
from collab.auth.rates import Rates
from collab.auth.revocations import RevocablePolicy, Revocations
from collab.auth.tickets import MemoryTickets, Tickets
from collab.auth.vigil import POLL_S, Vigil
from collab.bus.base import Bus
from collab.bus.local import LocalBus
from collab.bus.redis import RedisBus
from collab.core.session import Session
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import DEFAULT, Limits
from collab.metrics import Counters, Refusals
from collab.protocol.messages import encode_step1, encode_update
from collab.slot import Slot
from collab.store.census import Census
from collab.store.open import Store, open_store
from collab.types import ANONYMOUS, Access, Principal
from tests.backends import Ground, Turns
from tests.fakes import Recorder
from tests.patience import PATIENCE_S, Elapsed

BINARY = {"content-type": "application/octet-stream"}


async def until(holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Lets the loop run until the condition holds; Elapsed after the timeout."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    for _ in iter(lambda: bool(holds()), True):
        if loop.time() > deadline:
            raise Elapsed("it did not come true")
        await asyncio.sleep(0)


class Anyone:
    """Authenticates whoever says a known name as a bearer token; without one, the open mode's principal."""

    def __init__(self, people: dict[str, Principal]) -> None:
        self._people = people

    async def who(self, credentials: Credentials) -> Principal:
        """See the port."""
        return self._people[credentials.token] if credentials.token else ANONYMOUS


@dataclass
class Service:
    """What tests touch: the client, and the parts behind it."""

    client: httpx2.AsyncClient
    app: FastAPI
    parts: Parts
    store: Store
    journal: Journal
    people: dict[str, Principal]
    front: Balanced
    turns: Turns[Parts]
    nodes: list[Parts]

    async def create(self, document: str = "d", **fields: object) -> dict[str, object]:
        """Creates a document; returns its details."""
        answer = await self.client.post("/api/documents", json={"id": document, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def post(self, update: bytes, document: str = "d") -> httpx2.Response:
        """Sends an update."""
        return await self.client.post(f"/api/documents/{document}/updates", content=update, headers=BINARY)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collects every SQL statement that is executed while the block runs, white space evened out."""
        executed: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            executed.append(" ".join(statement.split()))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield executed
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    async def explain(self, statement: str, values: tuple[object, ...]) -> str:
        """SQLite's plan for a statement."""

        def work(connection: Connection) -> str:
            return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())

        return await self.store.database.read(work)

    @asynccontextmanager
    async def socket(self, document: str = "d", access: Access = Access.WRITE) -> AsyncIterator[Peer]:
        """A session in the room, as the socket shells make one."""
        hub = self.turns.next().hub
        slot = await hub.open(document)
        outbox = Recorder()
        session = Session("s", ANONYMOUS, access, outbox, self.parts.limits)
        hub.join(slot, session)
        try:
            yield Peer(hub, slot, session, outbox)
        finally:
            hub.leave(slot, session)


@dataclass
class Peer:
    """A client on a socket, without the socket."""

    hub: Hub
    slot: Slot
    session: Session
    outbox: Recorder

    def send(self, frame: bytes) -> None:
        """One message into the room."""
        self.hub.receive(self.slot, self.session, frame)

    def edit(self, update: bytes) -> None:
        """An update into the room."""
        self.send(encode_update(update))

    async def saved(self) -> None:
        """Until all that went into the room is on disk."""
        await self.hub.durable(self.slot, self.slot.room.ledger.entered)

    def ask(self, vector: bytes = b"\x00") -> None:
        """A step 1."""
        self.send(encode_step1(vector))


@asynccontextmanager
async def running(
    ground: Ground,
    limits: Limits = DEFAULT,
    engine: Any = None,
    authenticator: Callable[[dict[str, Principal]], Authenticator] = Anyone,
    rates: Rates | None = None,
    log: AccessLog | None = None,
    documents_max: int = 0,
) -> AsyncIterator[Service]:
    """The service until the block ends. Of several nodes `parts`, `app`, `store` and `journal` are the first one's."""
    people: dict[str, Principal] = {}
    openness = Openness(True, anywhere=True)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_store(ground.url))
        audit = Audit(first.audit)

        def assembled(store: Store, hub: Hub) -> Parts:
            revocations = Revocations()
            guard = Guard(
                authenticator(people), RevocablePolicy(revocations), openness=openness, revocations=revocations,
                rates=rates, audit=audit,
            )  # fmt: skip
            vigil = Vigil(store.revocations, store.keys, revocations, openness, hub)
            tickets = Tickets(MemoryTickets() if store.embedded else store.tickets)
            permissions = Permissions(
                Keys(store.keys), tickets, vigil, audit, store.keys, store.audit, Census(store.database, documents_max)
            )
            return Parts(
                hub=hub, log=store.log, catalog=store.catalog, snapshots=store.snapshots,
                idempotency=store.idempotency, engine=engine,
                door=Door(guard), permissions=permissions, limits=hub.limits,
                counters=hub.counters, refusals=Refusals(), probes={"database": store.log.ping},
                log_access=log or AccessLog(),
            )  # fmt: skip

        stores, journals, nodes = [first], [], []
        while len(stores) < ground.nodes:
            stores.append(await stack.enter_async_context(open_store(ground.url)))
        for store, name in zip(stores, ("n", "n2"), strict=False):
            journals.append(Journal(store.log))
            stack.push_async_callback(journals[-1].close)
            bus = await bus_of(ground, name, stack)
            nodes.append(assembled(store, hub_of(name, store, journals[-1], bus, limits)))
            if ground.nodes > 1:
                run(stack, nodes[-1].hub.neighbours.run())
                run(stack, keeping_watch(nodes[-1].permissions.vigil, over := asyncio.Event()), over)
        apps = [create_app(parts) for parts in nodes]
        front = Balanced(ground, apps)
        transport = httpx2.ASGITransport(front, raise_app_exceptions=True)
        client = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://test"))
        yield Service(client, apps[0], nodes[0], first, journals[0], people, front, Turns(ground, nodes), nodes)


def hub_of(node: str, store: Store, journal: Journal, bus: Bus, limits: Limits) -> Hub:
    """A node's rooms."""
    limits = replace(limits, frames_per_s=0.0)
    return Hub(
        node=node, update_log=store.log, journal=journal, bus=bus, limits=limits, settings=HubSettings(),
        counters=Counters(),
    )  # fmt: skip


async def bus_of(ground: Ground, node: str, stack: AsyncExitStack) -> Bus:
    """A node's bus, until the stack is closed."""
    if ground.redis_url is None:
        return LocalBus()
    bus = RedisBus(ground.redis_url, node, prefix=ground.redis_prefix)
    await bus.start()
    stack.push_async_callback(bus.close)
    return bus


async def keeping_watch(vigil: Vigil, over: asyncio.Event) -> None:
    """What `Vigil.run` does, but ended between two looks: asyncpg leaves a socket behind when a query is cancelled."""
    while not over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), POLL_S)
        await vigil.look()


def run(stack: AsyncExitStack, forever: Coroutine[None, None, None], over: asyncio.Event | None = None) -> None:
    """A task of a node, until the stack is closed; it is told so by the event, else cancelled."""
    task = asyncio.create_task(forever)

    async def stop() -> None:
        if over is None:
            task.cancel()
        else:
            over.set()
        await asyncio.wait({task})

    stack.push_async_callback(stop)


class Balanced:
    """An ASGI application that gives each call to the next node."""

    def __init__(self, ground: Ground, apps: list[FastAPI]) -> None:
        self._turns = Turns(ground, apps)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._turns.next()(scope, receive, send)
