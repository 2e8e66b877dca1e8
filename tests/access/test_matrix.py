"""Every role at every route and with every message: who may not, changes no byte and speaks as nobody else."""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64decode
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from collab.api.samples import HELLO, PARAMETERS, SAMPLES
from collab.core.awareness import encode_entries
from collab.errors import CollabError
from collab.protocol.messages import (
    encode_awareness,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.types import Access
from tests.access.realm import Realm, prepare
from tests.crdt import corpus
from tests.patience import PATIENCE_S
from tests.unit.test_room import enter, make_room
from tests.updates import typed

ROLES = ("nobody", "expired", "stranger", "reader", "commenter", "writer", "admin")
NEEDED = {
    "anyone": ("healthz", "readyz", "metrics"),
    "caller": ("list_documents",),
    "read": (
        "read_document", "probe_document", "read_updates", "read_state", "read_content", "list_snapshots",
        "read_snapshot", "read_snapshot_state", "read_snapshot_content", "diff_snapshot", "read_events",
        "read_presence",
    ),
    "write": (
        "create_document", "patch_document", "delete_document", "undelete_document", "post_update", "put_content",
        "patch_content", "create_snapshot", "patch_snapshot", "restore_snapshot", "delete_snapshot",
    ),
    "admin": (
        "create_ticket", "create_y_sweet_token", "create_key", "list_keys", "read_key", "revoke_key", "revoke_sessions",
        "read_audit",
    ),
}  # fmt: skip
"""What each call asks for; the samples of MINTING speak for somebody else, which only admins here may."""
MINTING = ("create_ticket", "create_y_sweet_token")
MAY = {
    "nobody": {"anyone"},
    "expired": {"anyone"},
    "stranger": {"anyone", "caller"},
    "reader": {"anyone", "caller", "read"},
    "commenter": {"anyone", "caller", "read"},
    "writer": {"anyone", "caller", "read", "write"},
    "admin": set(NEEDED),
}


def operations(here: Realm) -> dict[str, tuple[str, str]]:
    """Every call of the API: its method and path."""
    paths = here.client.get("/api/openapi.json").json()["paths"]
    return {
        call["operationId"]: (method.upper(), path)
        for path, methods in paths.items()
        for method, call in methods.items()
    }


def call(here: Realm, role: str, method: str, path: str, operation: str, document: str) -> httpx2.Response:
    """The call's sample, on this document."""
    sample = SAMPLES[operation]
    options: dict[str, Any] = {}
    if sample.json is not None:
        options = {"json": sample.json}
        if operation == "create_document":
            options = {"json": {"id": f"{document}-new"}}
    elif sample.update is not None:
        options = {"content": b64decode(sample.update), "headers": {"content-type": "application/octet-stream"}}
    elif sample.text is not None:
        options = {"content": sample.text, "headers": {"content-type": sample.media_type}}
    for name, value in (PARAMETERS | {"document": document}).items():
        path = path.replace(f"{{{name}}}", value)
    return here.ask(role, method, path + sample.query, **options)


def test_every_call_of_the_api_is_in_the_matrix(land: Realm) -> None:
    assert sorted(operations(land)) == sorted(sum(NEEDED.values(), ()))


@pytest.mark.parametrize("role", ROLES)
def test_who_may_not_is_refused_and_changes_nothing(land: Realm, role: str) -> None:
    before, calls = land.content("notes"), operations(land)
    for needed, names in NEEDED.items():
        for name in names if needed not in MAY[role] else ():
            answer = call(land, role, *calls[name], name, "notes")
            status = answer.status_code
            if role in ("nobody", "expired"):
                assert (status, answer.headers["www-authenticate"]) == (401, "Bearer"), (name, status)
            elif needed == "admin" and name not in MINTING:
                assert status == 403, (name, status)
            else:
                assert status == (404 if role == "stranger" else 403), (name, status)
            if calls[name][0] != "HEAD":
                assert set(answer.json()) <= {"type", "title", "status", "code", "detail", "may_retry"}, answer.text
    assert land.content("notes") == before


@pytest.mark.parametrize("role", ROLES)
def test_who_may_is_let_in(land: Realm, role: str) -> None:
    calls = operations(land)
    for needed in MAY[role]:
        for name in NEEDED[needed]:
            document = "notes"
            if needed == "write":
                prepare(land, document := f"{role}-{name}")
            answer = call(land, role, *calls[name], name, document)
            refused = name in ("read_key", "revoke_key") and answer.status_code == 404  # the sample's key is none
            assert answer.status_code < 300 or refused, (name, answer.text)


# ---------------------------------------------------------------------- sockets


async def echoed(socket: ClientConnection, mark: bytes) -> list[bytes]:
    """Asks who is here and reads until the answer, so that all before it has been dealt with."""
    seen: list[bytes] = []
    await socket.send(encode_step1(mark))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            frame = await socket.recv()
            assert isinstance(frame, bytes)
            seen.append(frame)
            if frame[:2] == b"\x00\x01":
                return seen


@pytest.mark.parametrize(("role", "status"), [("nobody", 401), ("expired", 401), ("stranger", 404)])
async def test_who_may_not_read_gets_no_socket(land: Realm, role: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await land.socket(role, "notes")
    answer = refusal.value.response
    assert (answer.status_code, answer.headers.get("www-authenticate")) == (status, "Bearer" if status == 401 else None)


def test_no_bytes_of_a_reader_change_anything() -> None:
    """Each item known to hurt a CRDT library, as it is and damaged, as an edit, as an answer and as presence."""
    room, seeds = make_room(), random.Random(9)
    writer, _ = enter(room, "writer")
    room.receive(writer, encode_update(b64decode(HELLO)), 0.0)
    room.drain()
    before = room.state()
    for item in corpus.items("update") + corpus.items("state_vector"):
        damaged = bytearray(item.data or b"x")
        damaged[seeds.randrange(len(damaged))] = seeds.randrange(256)
        for data in (item.data, bytes(damaged)):
            for wrap in (encode_update, encode_step2, encode_step1, encode_awareness):
                reader, outbox = enter(room, "reader", Access.READ)
                with suppress(CollabError):
                    room.receive(reader, wrap(data), 0.0)
                    room.receive(reader, encode_status(b"\x01"), 0.0)
                    assert not reader.refused or encode_status(b"\x01") not in outbox.take()
                room.leave(reader, 0.0)
                assert room.drain().entries == []
    assert (room.state(), len(room.awareness)) == (before, 0)


async def test_the_log_names_who_was_let_in(land: Realm) -> None:
    """Whatever a client says of itself."""
    prepare(land, "signed")
    socket = await land.socket("writer", "signed")
    await socket.send(encode_awareness(encode_entries([(81, 1, b'{"user":{"id":"reader"}}')])))
    await socket.send(encode_update(typed(81, 0, "mine")))
    await socket.send(encode_status(b"\x01"))
    while encode_status(b"\x01") not in await echoed(socket, b"\x00"):
        pass
    updates = land.ask("admin", "GET", "/api/documents/signed/updates").json()
    assert updates["items"][-1]["author"] == "writer", json.dumps(updates)
    await socket.close()


async def test_who_brings_a_document_into_being_is_in_the_audit(land: Realm) -> None:
    """By a keystroke as by a call."""
    socket = await land.socket("writer", "typed-first")
    await socket.send(encode_update(typed(91, 0, "hello")))
    await socket.close()
    wanted = "/api/audit?action=document.create&document=typed-first"
    items: list[dict[str, str]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not items:  # rows are written beside the work
            items = land.ask("admin", "GET", wanted).json()["items"]
            await asyncio.sleep(0)
    assert [(item["actor"], item["actor_kind"]) for item in items] == [("writer", "edit")]
