"""A client of each dialect on one document, seen as one of the plain dialect: what it adds is put on and taken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect

from collab.protocol.messages import encode_awareness, encode_step1, encode_step2
from collab.protocol.varint import write_varbytes
from tests.access.realm import Realm
from tests.patience import PATIENCE_S

DIALECTS = ("sync", "y-sweet", "hocuspocus")
EMPTY = encode_step2(b"\x00\x00")
QUERY = b"\x03"
NOBODY = encode_awareness(b"\x00")


def auth(token: str) -> bytes:
    """A token as provider 4 brings it: with a version."""
    return b"\x02\x00" + write_varbytes(token.encode()) + write_varbytes(b"4.8.0")


@dataclass
class Speaker:
    """One document on a socket; `address` begins each of its frames, and is empty where sockets have one document."""

    socket: ClientConnection
    address: bytes = b""

    async def send(self, *messages: bytes) -> None:
        """Each in a frame of its own."""
        for message in messages:
            await self.socket.send(self.address + message)

    async def hear(self) -> bytes:
        """The next message. Raises ConnectionClosed."""
        async with asyncio.timeout(PATIENCE_S):
            frame = await self.socket.recv()
        assert isinstance(frame, bytes) and frame.startswith(self.address)
        return frame[len(self.address) :]

    async def told(self) -> list[bytes]:
        """What was said until now: asks who is here, which is answered in order in every dialect; or until it ends."""
        seen: list[bytes] = []
        await self.send(QUERY)
        while not seen or not (seen[-1][:1] == b"\x01" or self.ended(seen[-1])):
            seen.append(await self.hear())
        return seen

    def ended(self, message: bytes) -> bool:
        """Whether it ends the document on a socket that stays."""
        return bool(self.address) and message.startswith(b"\x02\x01")


def url(here: Realm, dialect: str, document: str, query: str = "") -> str:
    """Where its socket is opened."""
    path = "/hocuspocus" if dialect == "hocuspocus" else f"/{dialect}/{document}"
    return here.server.socket_url.removesuffix("/sync") + path + query


def client_token(here: Realm, role: str, document: str) -> dict[str, str]:
    """What the application's `authEndpoint` passes on to `@y-sweet/client`."""
    access = {"reader": "read", "commenter": "comment"}.get(role, "write")
    made = here.ask(role, "POST", f"/api/documents/{document}/y-sweet-token", json={"access": access})
    assert made.status_code == 201, made.text
    token: dict[str, str] = made.json()
    assert token["authorization"] == ("full" if access == "write" else "read-only")
    return token


@asynccontextmanager
async def speaker(here: Realm, dialect: str, role: str, document: str) -> AsyncIterator[Speaker]:
    """Let in, each as its provider is, and answered its step 1; what it says from now on is its own."""
    asks, bearer, query = dialect == "hocuspocus", here.as_(role), ""
    if dialect == "y-sweet":
        bearer, query = {}, f"?token={client_token(here, role, document)['token']}"
    elif asks:
        bearer = {}
    async with connect(url(here, dialect, document, query), additional_headers=bearer, max_size=None) as socket:
        this = Speaker(socket, write_varbytes(document.encode()) if asks else b"")
        if asks:
            await this.send(auth(here.tokens[role]))
            assert (await this.hear())[:2] == b"\x02\x02"
        await this.send(encode_step1(b"\x00"))
        while (await this.hear())[:2] != b"\x00\x01":
            pass
        yield this
