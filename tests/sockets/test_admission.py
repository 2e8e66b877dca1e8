"""Whoever is admitted and then gone gives back the room and the seat."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.websockets import WebSocket

from collab.limits import Limits
from collab.metrics import Refusals
from collab.sockets.admission import Sockets
from collab.sockets.asgi import route
from collab.sockets.upgrade import Upgrade
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
