"""Whoever is admitted and then gone gives back the room and the seat."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.websockets import WebSocket

from collab.auth.base import Revocation
from collab.auth.guard import Guard
from collab.auth.revocations import RevocablePolicy, Revocations
from collab.errors import Unauthorized
from collab.limits import Limits
from collab.metrics import Refusals
from collab.sockets.admission import Admission, Sockets
from collab.sockets.asgi import route
from collab.sockets.doorman import PolicyDoorman
from collab.sockets.upgrade import Upgrade
from collab.types import Access, Grant, Principal
from tests.api.service import Anyone
from tests.fakes import Recorder
from tests.sockets.conftest import Node, TestDoorman


async def test_a_client_that_goes_while_it_is_admitted_keeps_no_room(node: Node) -> None:
    asked = asyncio.Event()

    async def make() -> None:
        asked.set()
        await asyncio.Event().wait()

    sockets = Sockets(node.hub, TestDoorman(), Limits(), Refusals(), make=make)
    admitting = asyncio.create_task(sockets.admit(Upgrade("/sync/doc", "", {}, "127.0.0.1", False)))
    await asked.wait()
    assert node.hub.slots["doc"].pins == 1
    admitting.cancel()
    await asyncio.gather(admitting, return_exceptions=True)
    assert node.hub.slots["doc"].pins == 0
    assert len(sockets.seats) == 0


async def test_a_client_that_goes_before_it_is_accepted_keeps_no_room(node: Node) -> None:
    sockets = Sockets(node.hub, TestDoorman(), Limits(), Refusals())
    scope = {
        "type": "websocket", "path": "/sync/doc", "raw_path": b"/sync/doc", "query_string": b"", "headers": [],
        "scheme": "ws", "client": ("127.0.0.1", 1), "subprotocols": [],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        raise OSError("gone")

    endpoint: Any = route(sockets).endpoint
    with pytest.raises(Exception):  # noqa: B017  # starlette has its own for it
        await endpoint(WebSocket(scope, receive, send))
    assert node.hub.slots["doc"].pins == 0
    assert len(sockets.seats) == 0


async def test_what_is_taken_back_while_a_document_loads_opens_nothing(node: Node) -> None:
    """It was looked for among sessions, and this was none yet."""
    ada = Principal("ada", "jwt", grants=(Grant("*", Access.WRITE),), issued_at=time.time() - 10)
    revocations = Revocations()
    guard = Guard(Anyone({"token": ada}), RevocablePolicy(revocations), revocations=revocations)
    sockets = Sockets(node.hub, PolicyDoorman(guard), Limits(), Refusals())
    upgrade = Upgrade("/sync/doc", "", {"authorization": ["Bearer token"]}, "127.0.0.1", False)
    first, second = await sockets.admit(upgrade), await sockets.admit(upgrade)
    assert isinstance(first, Admission) and isinstance(second, Admission)
    revocations.add(Revocation("r", datetime.now(UTC), user="ada", access=Access.READ))
    session = sockets.join(first, Recorder())
    assert session.access is Access.READ
    sockets.leave(first, session)
    revocations.add(Revocation("r2", datetime.now(UTC), user="ada"))
    with pytest.raises(Unauthorized):
        sockets.join(second, Recorder())
    sockets.abandon(second)
