"""The whole REST service in one process: real SQLite on a temporary file, real journal, real hub, the real app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
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
from collab.auth.vigil import Vigil
from collab.bus.local import LocalBus
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
from tests.fakes import Recorder

BINARY = {"content-type": "application/octet-stream"}


async def until(holds: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Lets the loop run until the condition holds; AssertionError after the timeout."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    for _ in iter(lambda: bool(holds()), True):
        assert loop.time() < deadline, "it did not come true"
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
        hub = self.parts.hub
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

    def ask(self, vector: bytes = b"\x00") -> None:
        """A step 1."""
        self.send(encode_step1(vector))


@asynccontextmanager
async def running(
    folder: Path,
    limits: Limits = DEFAULT,
    engine: Any = None,
    authenticator: Callable[[dict[str, Principal]], Authenticator] = Anyone,
    rates: Rates | None = None,
    log: AccessLog | None = None,
    documents_max: int = 0,
) -> AsyncIterator[Service]:
    """The service until the block ends."""
    people: dict[str, Principal] = {}
    async with open_store(f"sqlite:///{folder / 'collab.db'}") as store:
        journal, counters = Journal(store.log), Counters()
        limits = replace(limits, frames_per_s=0.0)
        hub = Hub(
            node="n", update_log=store.log, journal=journal, bus=LocalBus(), limits=limits,
            settings=HubSettings(), counters=counters,
        )  # fmt: skip
        revocations, openness, audit = Revocations(), Openness(True, anywhere=True), Audit(store.audit)
        guard = Guard(
            authenticator(people), RevocablePolicy(revocations), openness=openness, revocations=revocations,
            rates=rates, audit=audit,
        )  # fmt: skip
        permissions = Permissions(
            Keys(store.keys), Tickets(MemoryTickets()),
            Vigil(store.revocations, store.keys, revocations, openness, hub),
            audit, store.keys, store.audit, Census(store.database, documents_max),
        )  # fmt: skip
        parts = Parts(
            hub=hub, log=store.log, catalog=store.catalog, snapshots=store.snapshots,
            idempotency=store.idempotency, engine=engine,
            door=Door(guard), permissions=permissions, limits=limits,
            counters=counters, refusals=Refusals(), probes={"database": store.log.ping},
            log_access=log or AccessLog(),
        )  # fmt: skip
        app = create_app(parts)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            try:
                yield Service(client, app, parts, store, journal, people)
            finally:
                await journal.close()
