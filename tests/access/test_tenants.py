"""Two tenants on one service: neither learns whether a document of the other exists."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.errors import NotFound
from collab.sockets.admission import Lobby, Sockets
from collab.sockets.doorman import PolicyDoorman
from collab.sockets.upgrade import Upgrade
from collab.types import Access, Grant, Principal, Scope
from tests.access.realm import Realm, prepare, token
from tests.access.test_matrix import MINTING, NEEDED, call, operations
from tests.api.service import Service, running
from tests.backends import Ground

HIDDEN, ABSENT = "theirs-there", "theirs-gone"  # of one length: the id is echoed nowhere, but who knows
OURS = Principal(
    "us", "jwt", grants=(Grant("ours*", Access.WRITE),), scopes=frozenset({Scope.TICKETS_CREATE})
)  # fmt: skip


@pytest.fixture
async def service(ground: Ground) -> AsyncIterator[Service]:
    async with running(ground) as here:
        await here.create(HIDDEN)
        here.people["us"] = OURS
        here.parts.door.guard.openness.open = False
        yield here


async def test_the_store_is_not_even_asked(service: Service) -> None:
    """No statement and no room for either: whatever took longer for one of them would have to be done for it."""
    headers = {"authorization": "Bearer us"}
    calls = [
        ("GET", "", None), ("HEAD", "", None), ("PATCH", "", {"title": "x"}), ("DELETE", "", None),
        ("DELETE", "?purge=true", None), ("POST", "/undelete", None), ("GET", "/state", None),
        ("GET", "/state?wait=5&after=0", None), ("GET", "/updates", None), ("GET", "/content?root=t&type=text", None),
        ("GET", "/snapshots", None), ("GET", "/snapshots/latest", None), ("POST", "/snapshots", {"label": "x"}),
        ("GET", "/presence", None), ("GET", "/events", None), ("POST", "/tickets", {"user": {"id": "u"}}),
        ("POST", "/y-sweet-token", {"user": {"id": "u"}}),
    ]  # fmt: skip
    for method, path, body in calls:
        answers = []
        with service.statements() as executed:
            for name in (HIDDEN, ABSENT):
                url = f"/api/documents/{name}{path}"
                answers.append(await service.client.request(method, url, headers=headers, json=body))
        hidden, absent = ((a.status_code, a.content, sorted(set(a.headers) - {"x-request-id"})) for a in answers)
        assert hidden == absent and hidden[0] == 404, (method, path)
        assert (executed, service.parts.hub.slots) == ([], {}), (method, path)
    create = [
        await service.client.post("/api/documents", headers=headers, json={"id": name}) for name in (HIDDEN, ABSENT)
    ]
    assert create[0].status_code == create[1].status_code == 404
    assert create[0].content == create[1].content


async def test_the_store_is_not_even_asked_by_sockets(service: Service) -> None:
    """The same at the upgrade, and for a document that is asked for on an open socket."""
    parts = service.parts
    sockets = Sockets(parts.hub, PolicyDoorman(parts.door.guard), parts.limits, parts.refusals)
    headers = {"host": ("localhost",), "authorization": ("Bearer us",)}
    lobby = await sockets.admit(Upgrade("/hocuspocus", "", headers, "127.0.0.1"))
    assert isinstance(lobby, Lobby)
    for name in (HIDDEN, ABSENT):
        with service.statements() as executed:
            for path in (f"/sync/{name}", f"/y-sweet/{name}"):
                with pytest.raises(NotFound):
                    await sockets.admit(Upgrade(path, "", headers, "127.0.0.1"))
            with pytest.raises(NotFound):
                await sockets.admit_document(lobby, name, "us")
        assert (executed, parts.hub.slots) == ([], {}), name
    sockets.abandon(lobby)


async def test_every_door_answers_alike(land: Realm) -> None:
    """The whole API and the sockets of a real server: status, body and names of headers."""
    land.tokens["us"] = token("us", ("ours*", "write"))
    prepare(land, HIDDEN)
    calls = operations(land)
    for name in (*NEEDED["read"], *NEEDED["write"], *MINTING):
        answers = [call(land, "us", *calls[name], name, document) for document in (HIDDEN, ABSENT)]
        hidden, absent = ((a.status_code, a.content, sorted(a.headers)) for a in answers)
        assert hidden == absent and hidden[0] == 404, name
    told = []
    for document in (HIDDEN, ABSENT):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{land.server.socket_url}/{document}", additional_headers=land.as_("us"))
        told.append((refusal.value.response.status_code, refusal.value.response.body))
    assert told[0] == told[1] and told[0][0] == 404
    assert land.ask("us", "GET", "/api/documents").json() == {"items": [], "cursor": None}
