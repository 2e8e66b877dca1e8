"""What sockets and streams go on for: as long as the permission that opened them, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.protocol.varint import write_varbytes
from tests.access.realm import Realm, token
from tests.patience import PATIENCE_S

NOTES = write_varbytes(b"notes")


def key_of(land: Realm, *scopes: str) -> tuple[str, str]:
    """A fresh API key: (id, secret)."""
    made = land.ask("admin", "POST", "/api/keys", json={"name": "stream", "scopes": list(scopes)}).json()
    return made["id"], made["key"]


@contextmanager
def stream(land: Realm, path: str, secret: str) -> Iterator[Iterator[str]]:
    """Lines of an event stream."""
    headers = {"authorization": f"Bearer {secret}"}
    with httpx2.stream("GET", f"{land.server.url}{path}", headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


def test_an_event_stream_ends_with_the_key_that_opened_it(land: Realm) -> None:
    id, secret = key_of(land, "documents:read")
    with stream(land, "/api/documents/notes/events", secret) as lines:
        assert next(lines).startswith("event: ")
        land.ask("admin", "DELETE", f"/api/keys/{id}")
        assert any(line == "event: end" for line in lines)


def test_a_trace_ends_with_the_key_that_opened_it(land: Realm) -> None:
    id, secret = key_of(land, "admin")
    with stream(land, "/api/console/rooms/notes/trace", secret) as lines:
        land.ask("admin", "DELETE", f"/api/keys/{id}")
        assert any(line == "event: end" for line in lines)


def test_a_repeated_call_tells_nothing_to_who_may_no_longer_read(land: Realm) -> None:
    land.tokens["mover"] = token("mover", ("team/*", "write"))

    def call() -> dict[str, Any]:
        return {"json": {"id": "team/plan", "title": "secret"}, "headers": {"idempotency-key": "once"}}

    assert land.ask("mover", "POST", "/api/documents", **call()).status_code == 201
    land.tokens["mover"] = token("mover", ("elsewhere/*", "write"))
    assert land.ask("mover", "POST", "/api/documents", **call()).status_code == 404


async def refusal_of(socket: ClientConnection) -> int | bytes:
    """What ends it: the close code, or the message of the Hocuspocus dialect that refuses its document."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                message = await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 0
            if isinstance(message, bytes) and message.startswith(NOTES + b"\x02\x01"):
                return message[len(NOTES) :][:2]


@pytest.mark.parametrize(
    ("mount", "ended"), [("/sync/notes", 4401), ("/y-sweet/notes", 4401), ("/hocuspocus", b"\x02\x01")]
)
async def test_a_permission_that_is_taken_back_ends_in_every_dialect(
    land: Realm, mount: str, ended: int | bytes
) -> None:
    secret = token(mount, ("*", "write"))
    bearer = {} if mount == "/hocuspocus" else {"authorization": f"Bearer {secret}"}
    url = land.server.socket_url.removesuffix("/sync") + mount
    async with connect(url, additional_headers=bearer) as socket:
        if mount == "/hocuspocus":
            await socket.send(NOTES + b"\x02\x00" + write_varbytes(secret.encode()))
            assert await socket.recv() == NOTES + b"\x02\x02" + write_varbytes(b"read-write")
        else:
            await socket.recv()
        answer = await asyncio.to_thread(land.ask, "admin", "POST", "/api/sessions/revoke", json={"user": mount})
        assert answer.status_code == 200
        assert await refusal_of(socket) == ended
