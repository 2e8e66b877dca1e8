"""The documents of one socket of the Hocuspocus dialect: asked for one by one, each with its own room and permission.

Everything that bounds a socket bounds this one: one outbox for all of its documents, one place for what comes before a
document is open, one rate for what belongs to none. What bounds a session bounds each document.
"""

from __future__ import annotations

import asyncio
from random import uniform
from typing import Protocol

import structlog

from collab.core.bucket import Bucket
from collab.errors import CollabError, Overloaded, RateLimited, SlowReader
from collab.inspection import PAUSE_S_MAX
from collab.protocol import hocuspocus
from collab.protocol.hocuspocus import Type
from collab.sockets.admission import Lobby, Sockets
from collab.sockets.channel import Channel

log = structlog.get_logger(__name__)

IDLE_S = 60.0  # a socket on which no document is open, or being opened, for so long is closed
SETBACK_S = (0.5, 1.5)  # before a socket is closed that should come back: provider 2 waits for nothing, 3 storms


class Line(Protocol):
    """The socket, as a shell has it. `signs` counts signs of life of the peer, `full`: its outbox is."""

    signs: int
    full: bool

    def write(self, wire: bytes) -> None:
        """Sends ready-made WebSocket frames."""

    def close(self, error: CollabError) -> None:
        """Ends the socket, and with it every session, with the error's close code."""

    def ping(self) -> None:
        """Asks the peer for a sign of life."""

    def hold(self) -> None:
        """Reads nothing more until `go_on`."""

    def go_on(self) -> None:
        """Reads again."""

    def waiting_bytes(self) -> int:
        """What was written and not yet taken by the system."""


class Switchboard:
    """One per socket."""

    def __init__(self, sockets: Sockets, lobby: Lobby, line: Line) -> None:
        self.sockets = sockets
        self.line = line
        self._lobby = lobby
        self._limits = sockets.limits
        self._channels: dict[bytes, Channel] = {}
        self._last: Channel | None = None
        self._frames = Bucket(self._limits.frames_per_s, self._limits.frames_burst)
        self._holding: set[Channel] = set()
        self._waiting_bytes = 0
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._look)

    # --- from the socket

    def receive(self, data: bytes) -> float:
        """One frame; returns the seconds for which the socket should not be read. Raises what ends the socket."""
        last = self._last
        if last is not None and data.startswith(last.prefix) and len(data) > len(last.prefix):
            return last.take(data[len(last.prefix) :])
        if len(data) == 1 and data[0] in (Type.PING, Type.PONG):
            return self.count()
        prefix, message = hocuspocus.split(data)
        self._last = channel = self._channels.get(prefix) or self._add(prefix)
        return channel.take(message)

    def count(self) -> float:
        """A frame that belongs to no session; returns and raises as `receive` does."""
        owed_s = self._frames.take(asyncio.get_running_loop().time())
        if owed_s > self._limits.debt_s_max:
            raise RateLimited(f"{owed_s:.0f} s ahead of what one connection may send")
        return min(owed_s, PAUSE_S_MAX)

    def pause(self) -> None:
        """The outbox is full."""
        for channel in list(self._channels.values()):
            channel.pause()

    def resume(self) -> None:
        """The outbox has drained; each document may fill it again."""
        for channel in list(self._channels.values()):
            if not self.line.full:
                channel.resume()

    def leave(self, error: CollabError | None = None) -> None:
        """The socket is gone; `error` is why we ended it."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for channel in list(self._channels.values()):
            channel.leave(error)
        self._channels.clear()
        self._last = None
        self.sockets.arrivals.release(self)
        self.sockets.quit(self._lobby)

    def give_up(self) -> None:
        """What came before its document was open has waited too long, or the node holds too much of that."""
        self.line.close(Overloaded("too much arrived for documents that are not open"))

    # --- from its documents

    def is_first(self, channel: Channel) -> bool:
        """Whether it is the oldest here."""
        return next(iter(self._channels.values()), None) is channel

    def hold(self, channel: Channel) -> None:
        """While any document wants it, nothing is read."""
        self._holding.add(channel)
        self.line.hold()

    def go_on(self, channel: Channel) -> None:
        """This one no longer does."""
        self._holding.discard(channel)
        if not self._holding and not self._over:
            self.line.go_on()

    def forget(self, channel: Channel) -> None:
        """The provider has closed the document; its address may be opened anew."""
        self.forget_waiting(channel)
        self._channels.pop(channel.prefix, None)
        if self._last is channel:
            self._last = None

    def forget_waiting(self, channel: Channel) -> None:
        """What it sent before it was open is dealt with."""
        self._waiting_bytes -= sum(map(len, channel.waiting))
        channel.waiting = []
        self._weigh()
        if channel in self._holding:
            self.go_on(channel)

    # --- before a document is open

    def _add(self, prefix: bytes) -> Channel:
        if len(self._channels) >= self._limits.socket_documents_max:
            raise Overloaded(f"more than {self._limits.socket_documents_max} documents on one socket")
        channel = self._channels[prefix] = Channel(self, prefix)
        return channel

    def before(self, channel: Channel, message: bytes) -> float:
        """A message for a document that is not open: its token opens it, a close forgets it, all else waits.

        A provider 2 without a token sends none: its first message is a step 1. Edits may well come before the token,
        which the application is fetching.
        """
        kind = message[0]
        if kind == Type.CLOSE:
            if channel.opening is not None:
                channel.opening.cancel()
            self.forget(channel)
        elif kind == Type.AUTH:
            token, has_version = hocuspocus.decode_token(message)
            if channel.opening is None:
                channel.has_version = has_version
                self._open(channel, token)
        elif not channel.denied:
            self._keep(channel, message)
            if channel.opening is None and message[:2] == b"\x00\x00":
                self._open(channel, "")
        return self.count()

    def _keep(self, channel: Channel, message: bytes) -> None:
        channel.waiting.append(message)
        self._waiting_bytes += len(message)
        self._weigh()
        if self._waiting_bytes > self._limits.unopened_bytes_max or len(channel.waiting) > self._limits.frames_burst:
            if channel.opening is None:
                raise Overloaded("too much arrived for documents that are not open")
            self.hold(channel)

    def _weigh(self) -> None:
        if self._waiting_bytes > self.sockets.arrivals.free_bytes and not self._over:
            self.sockets.arrivals.hold(self, self._waiting_bytes, asyncio.get_running_loop().time())
        else:
            self.sockets.arrivals.release(self)

    def _open(self, channel: Channel, token: str) -> None:
        channel.denied = False
        task = asyncio.get_running_loop().create_task(self._admit(channel, token), name="open document")
        channel.opening = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, channel: Channel, token: str) -> None:
        try:
            document = hocuspocus.document_of(channel.prefix)
            admission = await self.sockets.admit_document(self._lobby, document, token)
        except CollabError as error:
            self._refuse(channel, error)
            return
        except Exception:
            log.exception("document admission failed")
            self._refuse(channel, CollabError())
            return
        try:
            channel.enter(admission)
        except CollabError as error:
            self.sockets.abandon(admission)
            self._refuse(channel, error)
        else:
            self._replay(channel)

    def _refuse(self, channel: Channel, error: CollabError) -> None:
        """In-band if it is for good; if coming back may help, the socket is closed, a little later."""
        if not error.may_retry:
            channel.deny(error.detail)
            return
        channel.denied, channel.opening = True, None
        self.forget_waiting(channel)
        asyncio.get_running_loop().call_later(uniform(*SETBACK_S), self.line.close, error)

    def _replay(self, channel: Channel) -> None:
        """Takes what came before, in order; the session's own bounds count it."""
        waiting = channel.waiting
        self.forget_waiting(channel)
        for message in waiting:
            if channel.session is not None:
                channel.take(message)

    def _look(self) -> None:
        """Is there still a document?"""
        if any(channel.session or channel.opening for channel in self._channels.values()):
            self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._look)
        else:
            self.line.close(SlowReader("no document is open on this socket"))
