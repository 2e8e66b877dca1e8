"""uvicorn's HTTP side with the bounds that it lacks: on headers, on their time, and on bodies that do not end.

A connection that has sent no complete request head within `handshake_s` is closed, so that slow senders cannot hold
connections; a head larger than `header_bytes_max` is answered 431, a body that is not complete in `arriving_s_max`, or
does not fit into what the node holds of unfinished ones, ends its connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collab.limits import Limits
from collab.sockets.arrivals import Arrivals

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHttp(HttpToolsProtocol):
    """What uvicorn instantiates per connection (`http=` of its Config)."""

    limits: ClassVar[Limits]
    arrivals: ClassVar[Arrivals]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._body_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self.arrivals.release(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._deadline is None:  # the first bytes of a further request
                self._expect_head()
            if self._is_too_large(data):
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)

    def _is_too_large(self, data: bytes) -> bool:
        """Counts what belongs to the head; a body may have come with it."""
        end = data.find(b"\r\n\r\n")
        self._head_bytes += len(data) if end < 0 else end
        return self._head_bytes > self.limits.header_bytes_max

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes, self._body_bytes = False, 0, 0
        self._forget_deadline()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self.arrivals.free_bytes:
            if not self.arrivals.hold(self, self._body_bytes, self.loop.time()):
                return
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """Hands the connection over. This object and its parser hold each other: they would stay until a collection,
        and with thousands of sockets that come at once, that is most of the memory.
        """
        super().handle_websocket_upgrade()
        self.parser = self.scope = self.headers = self.flow = None  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        self.arrivals.release(self)
        self._in_head = True
        super().on_message_complete()

    def give_up(self) -> None:
        """Hangs up in the middle of a body."""
        self.transport.abort()

    def _expect_head(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(self.limits.handshake_s, self._too_slow)

    def _too_slow(self) -> None:
        if self._in_head:
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
