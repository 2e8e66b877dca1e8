"""Real clients that were away while their document was purged: they cannot bring it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest
from pycrdt import Doc, Provider, Text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.api.test_purge import SECRET, files_with
from tests.clients.puppets import Puppets
from tests.clients.test_pycrdt import Channel
from tests.patience import PATIENCE_S
from tests.server import Server, running_server, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose documents are all purged by the end of each test."""
    with running_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def name() -> str:
    """A document of the test's own."""
    return uuid4().hex


@pytest.mark.parametrize("made_again", [False, True], ids=["stays away", "made again"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_y_websocket_back_from_offline(
    server: Server, people: Puppets, name: str, version: int, made_again: bool
) -> None:
    """Refused with 4411; who opens the id afterwards sees nothing of the old, and the files hold nothing of it."""
    document = f"{server.url}/api/documents/{name}"
    ana = people.connect(version, server.socket_url, name).synced()
    bo = people.connect(version, server.socket_url, name).synced()
    ana.insert(0, SECRET)
    bo.reads(SECRET)
    wait_until(lambda: httpx2.get(document).status_code == 200, what="the commit of what bo has been shown")
    ana.do("disconnect")
    ana.insert(0, "offline ")
    assert httpx2.delete(document, params={"purge": True}).status_code == 204
    bo.do("closed", code=4411, seconds=PATIENCE_S)
    if made_again:
        eve = people.connect(version, server.socket_url, name).synced()
        eve.insert(0, "new")
    ana.do("reconnect")
    ana.do("closed", code=4411, seconds=PATIENCE_S)
    fresh = people.connect(version, server.socket_url, name).synced()
    fresh.reads("new" if made_again else "")
    for one in (ana, bo, fresh):
        one.do("disconnect")
    if made_again:  # the text was shown before it was committed
        wait_until(lambda: httpx2.get(document).status_code == 200, what="the document made again")
    else:
        assert httpx2.get(document).status_code == 404
    assert files_with(server.data, SECRET) == []


async def test_a_pycrdt_provider_back_from_offline(server: Server, name: str) -> None:
    """The same for a client in Python."""
    url = f"{server.socket_url}/{name}"
    doc: Doc[Text] = Doc()
    doc["text"] = text = Text()
    text += SECRET
    async with connect(url) as socket, Provider(doc, Channel(socket, name)):
        async with asyncio.timeout(PATIENCE_S), httpx2.AsyncClient() as http:
            while b"SECRET" not in (await http.get(f"{server.url}/api/documents/{name}/state")).content:
                pass  # each look takes a request
    assert httpx2.delete(f"{server.url}/api/documents/{name}", params={"purge": True}).status_code == 204
    text += " offline"
    async with connect(url) as socket, Provider(doc, Channel(socket, name)):
        async with asyncio.timeout(PATIENCE_S):
            await socket.wait_closed()
        assert socket.close_code == 4411
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    assert httpx2.get(f"{server.url}/api/documents/{name}").status_code == 404
    assert files_with(server.data, SECRET) == []
