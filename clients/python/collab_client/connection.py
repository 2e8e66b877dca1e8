"""One open socket: what it has sent, what it has been told, and which of it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from collab_client.errors import CollabError, ReadOnly, Unavailable
from collab_client.permits import Permit
from collab_client.wire import EMPTY_UPDATE, Kind, decode, encode


class Replica(Protocol):
    """The document behind a connection."""

    def vector(self) -> bytes:
        """Its state vector."""

    def lacking(self, vector: bytes) -> bytes:
        """The update that brings a replica with this vector up to date."""

    def apply(self, update: bytes) -> None:
        """Takes what others wrote. Raises BrokenDocument."""

    def show(self, entries: bytes) -> None:
        """Takes what others show of themselves."""

    def notice(self) -> None:
        """What may be done has changed."""


SLOWED = b"slowed down"  # how the server's notice of it begins


class Connection:
    """Synced once both sides have told each other what the other lacked."""

    def __init__(self, socket: ClientConnection, replica: Replica, permit: Permit) -> None:
        self.access = self._granted = permit.access or "write"
        self.synced = asyncio.Event()
        self._socket = socket
        self._replica = replica
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._asked = 0  # status requests sent so far
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._error: CollabError | None = None  # why nothing more will be answered
        self._answered = self._was_answered = False
        self._renewing = False
        self._handlers: dict[Kind, Callable[[bytes], None]] = {
            Kind.STEP1: self._on_step1,
            Kind.STEP2: self._on_step2,
            Kind.UPDATE: self._on_update,
            Kind.AWARENESS: replica.show,
            Kind.DENIED: self._on_denied,
            Kind.ACCESS: self._on_access,
            Kind.STATUS: self._on_status,
        }

    def send(self, kind: Kind, body: bytes) -> None:
        """A plain call: it goes out in order, as fast as the server reads."""
        self._outgoing.put_nowait(encode(kind, body))

    def renew(self, permit: Permit) -> None:
        """Shows a fresh ticket or token, so that the session goes on."""
        self._renewing = True
        self.send(Kind.TOKEN, (permit.secret or "").encode())

    async def acknowledged(self) -> None:
        """Returns once everything sent before is on disk. Raises ReadOnly, or Unavailable if the socket is gone."""
        if self._error is not None:
            raise self._error
        self._asked += 1
        payload = self._asked.to_bytes(8, "big")
        answer = self._waiting[payload] = asyncio.get_running_loop().create_future()
        self.send(Kind.STATUS, payload)
        try:
            await answer
        finally:
            self._waiting.pop(payload, None)

    async def run(self) -> None:
        """Until the socket closes (returns), or something fails (raises)."""
        self.send(Kind.STEP1, self._replica.vector())
        writing = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                if isinstance(message, bytes):
                    self._receive(message)
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            self._fail(Unavailable("the connection is gone"))

    async def _write(self) -> None:
        with suppress(ConnectionClosed):  # told by what reads
            while True:
                await self._socket.send(await self._outgoing.get())

    def _receive(self, message: bytes) -> None:
        try:
            kind, body = decode(message)
        except ValueError as error:
            raise Unavailable(f"the server sent what is no message: {error}") from None
        if kind in self._handlers:
            self._handlers[kind](body)

    def _on_step1(self, vector: bytes) -> None:
        if isinstance(self._error, ReadOnly):  # it asks for what it refused as well, once that may be
            self._error, self.access = None, self._granted
            self._replica.notice()
        lacking = self._replica.lacking(vector)
        if lacking != EMPTY_UPDATE:
            self.send(Kind.STEP2, lacking)
        self._was_answered = True
        self._check_synced()

    def _on_step2(self, update: bytes) -> None:
        self._on_update(update)
        self._answered = True
        self._check_synced()

    def _check_synced(self) -> None:
        if self._answered and self._was_answered:
            self.synced.set()

    def _on_update(self, update: bytes) -> None:
        if update != EMPTY_UPDATE:
            self._replica.apply(update)

    def _on_denied(self, reason: bytes) -> None:
        if self._renewing:  # the session goes on as long as it could before
            self._renewing = False
            return
        if reason.startswith(SLOWED):  # read more slowly, and nothing was refused
            return
        if self.access == "write":
            self.access = "read"
            self._replica.notice()
        self._fail(ReadOnly(reason.decode(errors="replace")))

    def _on_access(self, access: bytes) -> None:
        self._renewing = False
        self.access = self._granted = access.decode(errors="replace")
        self._replica.notice()

    def _on_status(self, payload: bytes) -> None:
        """The newest request's echo answers all that came before it."""
        for asked, answer in self._waiting.items():
            if asked <= payload and not answer.done():
                answer.set_result(None)

    def _fail(self, error: CollabError) -> None:
        if self._error is None or not isinstance(self._error, ReadOnly):
            self._error = error
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._error)
