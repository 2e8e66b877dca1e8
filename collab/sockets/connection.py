"""One connection of the fast shell: framing, fragments, closing, slowing; whose frames they are, its heirs know."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import cast

import structlog
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from collab.errors import BadFrame, CollabError, Overloaded, TooLarge
from collab.sockets.admission import Sockets, close_reason
from collab.sockets.backlog import Backlog

log = structlog.get_logger(__name__)

BINARY, CONTINUATION, CLOSE = WSMsgType.BINARY, WSMsgType.CONTINUATION, WSMsgType.CLOSE
LINGER_S = 1.0  # what comes this long after our close frame is read and dropped
CLOSE_S = 2.0


class FastConnection(WSListener, ABC):
    """What `FastSocket` (one document) and `FastSwitchboard` (several) have in common."""

    __slots__ = (
        "answered",
        "backlog",
        "full",
        "heard",
        "held",
        "parts",
        "resting",
        "sockets",
        "transport",
        "unread",
        "write",
    )

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self.transport: WSTransport | None = None
        self.parts: list[bytes] | None = None
        self.answered = self.heard = True
        self.full = False
        self.held = False
        self.resting = False
        self.backlog: Backlog | None = None  # what was read and not looked at yet
        self.unread = 0  # bytes that have come since the last frame: the beginning of one

    # --- what its heirs know

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether nothing that comes is looked at any more."""

    @abstractmethod
    def _join(self) -> None:
        """The socket is open."""

    @abstractmethod
    def _leave(self, error: CollabError | None = None) -> None:
        """The socket is gone; `error` is why we ended it."""

    @abstractmethod
    def _receive(self, message: bytes) -> None:
        """One message, whole."""

    @abstractmethod
    def _pay(self) -> float:
        """Counts a frame that brings nothing; returns for how long not to read. Raises RateLimited."""

    # --- outbox

    def close(self, error: CollabError) -> None:
        """Sends the error's close code and hangs up; the session is over at once, whether that is read or not."""
        self._leave(error)
        transport = self.transport
        if transport is not None and not (transport.is_disconnected or transport.is_close_frame_sent):
            transport.send_close(cast(WSCloseCode, error.close_code), close_reason(error))
            self._linger(transport)

    def _linger(self, transport: WSTransport) -> None:
        """Reads on until the client has hung up, for a moment: closing over what it had sent meanwhile would reset
        the connection, and who was typing would lose the close code, come back, and be refused again and again.
        """
        underlying = transport.underlying_transport
        if not underlying.is_closing() and not underlying.is_reading():
            underlying.resume_reading()
        loop = asyncio.get_running_loop()
        loop.call_later(LINGER_S, transport.disconnect)
        loop.call_later(CLOSE_S, self._abort)

    def _abort(self) -> None:
        """For a client that does not take what is queued for it."""
        if self.transport is not None:
            self.transport.underlying_transport.abort()

    def refuse(self, error: CollabError) -> None:
        """Counts, then closes. What still comes of a connection that is over is not looked at."""
        if self.is_over:
            return
        self.sockets.refusals.count("socket", error.code)
        self.close(error)

    def hold(self) -> None:
        """Stops reading; frames of the slice that is being taken still come."""
        self.held = True
        self.stop_reading()

    def go_on(self) -> None:
        """Reads again."""
        self.held = False
        self.answered = self.heard = True
        self._wake()

    def ping(self) -> None:
        """A WebSocket ping; any frame in answer sets `answered` and `heard`."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send_ping()

    def waiting_bytes(self) -> int:
        """In the transport's buffer."""
        return 0 if self.transport is None else int(self.transport.underlying_transport.get_write_buffer_size())

    # --- events of picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        underlying = transport.underlying_transport
        underlying.set_write_buffer_limits(high=self.sockets.limits.outbox_bytes_max)
        self.write = underlying.write
        self._join()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.answered = self.heard = True
        self.unread = 0
        kind = frame.msg_type
        if kind == BINARY and frame.fin and self.parts is None and not frame.rsv1:
            self._receive(frame.get_payload_as_bytes())
        elif kind == BINARY or kind == CONTINUATION:
            self._fragment(kind, frame)
        elif kind == CLOSE:
            self._leave()
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code() or WSCloseCode.OK)  # most say none, and 0 is not one
            transport.disconnect()
        elif kind == WSMsgType.PING:
            self._pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.TEXT:
            self.refuse(BadFrame("a text frame; this protocol is binary"))
        else:
            self._count()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.parts = None
        self.sockets.arrivals.release(self)
        self._leave()

    def give_up(self) -> None:
        """What it began to send does not end, or there is no room for it."""
        self.parts = None
        self.refuse(Overloaded("a large message did not arrive in time, or too many were under way"))
        self._abort()

    # --- frames

    def _pong(self, payload: bytes) -> None:
        """Pings count as frames; who does not read what it is sent gets no answers to keep for it."""
        if self.is_over or self.full or self.transport is None:
            return
        self.transport.send_pong(payload)
        self._count()

    def _count(self) -> None:
        """A frame that brings nothing is a frame."""
        if self.is_over:
            return
        try:
            pause_s = self._pay()
        except CollabError as error:
            self.refuse(error)
            return
        if pause_s > 0.0:
            self.rest(pause_s)

    def _fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if self.is_over:
            return
        if frame.rsv1:
            self.refuse(BadFrame("a compressed frame; compression was not agreed on"))
            return
        if (kind == BINARY) != (self.parts is None):
            self.refuse(BadFrame("fragments out of order"))
            return
        if self.parts is None:
            self.parts = []
        self.parts.append(frame.get_payload_as_bytes())
        limits, arrivals = self.sockets.limits, self.sockets.arrivals
        size = sum(map(len, self.parts))
        if len(self.parts) > limits.fragments_max or size > limits.sync_frame_bytes_max:
            self.parts = None
            self.refuse(TooLarge("too many or too large fragments"))
        elif frame.fin:
            message, self.parts = b"".join(self.parts), None
            arrivals.release(self)
            self._receive(message)
        elif size > arrivals.free_bytes:
            arrivals.hold(self, size, asyncio.get_running_loop().time())

    def rest(self, pause_s: float) -> None:
        """Not reading is how a socket is slowed: its own sender waits, nothing is lost."""
        if self.transport is None or self.resting:
            return
        self.resting = True
        self.stop_reading()
        asyncio.get_running_loop().call_later(pause_s, self._rested)

    def _rested(self) -> None:
        self.resting = False
        self._wake()

    def stop_reading(self) -> None:
        """What was read already is still in line."""
        if self.transport is not None:
            underlying = self.transport.underlying_transport
            if not underlying.is_closing() and underlying.is_reading():
                underlying.pause_reading()

    def _wake(self) -> None:
        if self.held or self.resting:
            return
        if self.sockets.hub.congested:
            self.answered = self.heard = True  # it cannot be heard now
            self.rest(self.sockets.hub.settings.full_pause_s)
        elif self.backlog is not None:
            self.backlog.take()
        elif self.transport is not None and not self.transport.underlying_transport.is_closing():
            self.transport.underlying_transport.resume_reading()
