"""A pycrdt client that edits without pause, comes back by itself, and remembers what it was told is saved."""

from __future__ import annotations

import asyncio
import hashlib
import json
from random import Random
from typing import Any

from pycrdt import Doc, Map, Text, create_sync_message, create_update_message, handle_sync_message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from collab.protocol import messages
from collab.protocol.messages import Kind

LONG = 400  # characters; a longer text is cut down again
PAUSE_S = (0.05, 0.2)


def digest(text: str, tokens: list[str]) -> str:
    """The same for equal content, in every language: sha256 of JSON."""
    return hashlib.sha256(json.dumps([text, sorted(tokens)], separators=(",", ":")).encode()).hexdigest()


class Person:
    """Lives on one loop; `acked` are the tokens that the service has promised to keep."""

    def __init__(self, name: str, url: str, seed: int) -> None:
        self.name = name
        self.acked: set[str] = set()
        self.written: list[str] = []
        self.editing = True
        self.online = True
        self._url = url
        self._random = Random(seed)
        self._doc: Doc[Any] = Doc()
        self._text = self._doc.get("text", type=Text)
        self._map = self._doc.get("tokens", type=Map)
        self._socket: ClientConnection | None = None
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._watch = self._doc.observe(self._changed)
        self._applying = False
        self._synced = False

    def digest(self) -> str:
        """Of what it sees now."""
        return digest(str(self._text), list(self._map.keys()))

    def tokens(self) -> set[str]:
        """What it sees of everybody's."""
        return set(self._map.keys())

    def _changed(self, event: Any) -> None:
        if not self._applying and self._synced:
            self._outgoing.put_nowait(create_update_message(event.update))

    def edit(self) -> None:
        """A token that stays, and a change of the text that may not."""
        token = f"{self.name}.{len(self.written)}"
        with self._doc.transaction():
            self._map[token] = 1
            length = len(self._text)
            self._text.insert(self._random.randint(0, length), token)
            if length > LONG:
                at = self._random.randint(0, length - LONG // 2)
                del self._text[at : at + LONG // 2]
        self.written.append(token)
        if self._synced:
            self._outgoing.put_nowait(messages.encode_status(b"%d" % len(self.written)))

    async def edit_for_ever(self) -> None:
        """While `editing`."""
        while True:
            await asyncio.sleep(self._random.uniform(*PAUSE_S))
            if self.editing:
                self.edit()

    async def live(self) -> None:
        """Connects, and connects again."""
        while True:
            try:
                if self.online:
                    async with connect(self._url, compression=None, max_size=None, open_timeout=3.0) as socket:
                        await self._converse(socket)
            except (OSError, WebSocketException, TimeoutError):
                pass
            finally:
                self._synced, self._socket = False, None
            await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def leave(self) -> None:
        """Goes offline; edits go on."""
        self.online = False
        if self._socket is not None:
            await self._socket.close()

    async def _converse(self, socket: ClientConnection) -> None:
        self._socket, self._outgoing = socket, asyncio.Queue()
        sender = asyncio.create_task(self._send(socket))
        try:
            self._outgoing.put_nowait(create_sync_message(self._doc))
            async for data in socket:
                assert isinstance(data, bytes)
                self._hear(data)
        finally:
            sender.cancel()

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            await socket.send(await self._outgoing.get())

    def _hear(self, data: bytes) -> None:
        kind, body = messages.decode(data)
        if kind is Kind.STATUS:
            self.acked.update(self.written[: int(body)])
        elif kind in (Kind.STEP1, Kind.STEP2, Kind.UPDATE):
            self._applying = True
            try:
                reply = handle_sync_message(data[1:], self._doc)
            finally:
                self._applying = False
            if reply is not None:  # what the service lacks; from now on each edit is sent as it is made
                self._outgoing.put_nowait(reply)
                self._synced = True
                self._outgoing.put_nowait(messages.encode_status(b"%d" % len(self.written)))
