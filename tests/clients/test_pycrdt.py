"""pycrdt.Provider, unmodified, over a WebSocket."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
import pytest
from pycrdt import Doc, Provider, Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.clients.puppets import Puppets
from tests.front import Place
from tests.patience import PATIENCE_S


class Channel:
    """What pycrdt asks of a transport: the application's part, as its documentation shows."""

    def __init__(self, socket: ClientConnection, path: str) -> None:
        self._socket = socket
        self.path = path

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._socket.send(message)

    async def recv(self) -> bytes:
        data = await self._socket.recv()
        assert isinstance(data, bytes)
        return data


class Person:
    """A document kept in sync by a provider."""

    def __init__(self) -> None:
        self.doc: Doc[Text] = Doc()
        self.text = self.doc.get("text", type=Text)
        self._changed = asyncio.Event()
        self._watch = self.doc.observe(lambda event: self._changed.set())

    async def reads(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while str(self.text) != text:
                await self._changed.wait()
                self._changed.clear()

    @asynccontextmanager
    async def online(self, server: Place, document: str) -> AsyncIterator[None]:
        async with connect(f"{server.socket_url}/{document}", max_size=None, compression=None) as socket:
            async with Provider(self.doc, Channel(socket, document)) as provider:
                async with asyncio.timeout(PATIENCE_S):
                    await provider.synced.wait()
                yield


async def seq_when_stored(server: Place, document: str, text: str) -> int:
    """The number of stored updates of the first stored state that reads so."""
    async with httpx2.AsyncClient() as http, asyncio.timeout(PATIENCE_S):
        while True:
            answer = await http.get(f"{server.url}/api/documents/{document}/state")
            if answer.status_code == 404:  # its first commit is under way
                continue
            answer.raise_for_status()
            stored = Person()
            stored.doc.apply_update(answer.content)
            if str(stored.text) == text:
                return int(answer.headers["etag"].strip('"').rsplit(".", 1)[1])


@pytest.mark.anyio
async def test_two_providers_exchange_edits_and_offline_edits(server: Place) -> None:
    document = uuid4().hex
    ana, bo = Person(), Person()
    ana.text += "offline "
    async with ana.online(server, document), bo.online(server, document):
        await bo.reads("offline ")
        bo.text += "ünd online 🌍"
        await ana.reads("offline ünd online 🌍")
        del ana.text[0:8]
        await bo.reads("ünd online 🌍")
    late = Person()
    async with late.online(server, document):
        await late.reads("ünd online 🌍")


@pytest.mark.anyio
async def test_its_echo_is_neither_stored_nor_shown(server: Place, people: Puppets) -> None:
    """The provider sends every update that it receives straight back, the first step 2 included."""
    document = uuid4().hex
    typist = people.connect(3, server.socket_url, document).synced()
    person = Person()
    typist.insert(0, "one")
    async with person.online(server, document):
        await person.reads("one")
        for count in range(5):
            await to_thread(typist.insert, 0, str(count))
        await person.reads("43210one")
        person.text += "!"  # sent after all its echoes: when this has come, they were looked at
        await to_thread(typist.reads, "43210one!")
        assert await seq_when_stored(server, document, "43210one!") == 7
        received = typist.notes["received"]
    async with person.online(server, document):  # the whole document comes back as an echo now
        person.text += "?"
        await to_thread(typist.reads, "43210one!?")
        assert await seq_when_stored(server, document, "43210one!?") == 8
    assert typist.notes["received"] == received + 1


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
