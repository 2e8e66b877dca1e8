"""One polite client in Python: puts a document into a room and stays, so that the room stays loaded."""

from __future__ import annotations

import time
from contextlib import ExitStack

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from collab.protocol.varint import write_varbytes, write_varuint
from loadtests.fanout.document import Document, clocks_in
from loadtests.fanout.measure import Target
from loadtests.fanout.replay import STEP_1, SYNC, sync_parts

AUTH_TOKEN = b"\x02\x00" + write_varbytes(b"token")
STEP_2 = 1
STORE_S_MAX = 30.0
EMPTY_VECTOR = b"\x00"


class NotStored(Exception):
    """The server did not take the document, or did not give it back in time."""


class Visitor:
    """A client of one room, as a context manager; it leaves when the block ends.

    It brings a document as a client does that comes back from working offline: as its answer to the server's
    step 1. So it may hold the work of many authors, which a server need not accept from one who types.
    """

    def __init__(self, target: Target, room: str, document: Document) -> None:
        self._dialect = target.dialect
        self._room = room
        self._url = f"ws://127.0.0.1:{target.port}" + target.path.replace("{document}", room)
        self._document = document
        self._stack = ExitStack()
        self._socket: ClientConnection | None = None

    def __enter__(self) -> Visitor:
        try:
            self._socket = self._stack.enter_context(connect(self._url, compression=None, max_size=None, proxy=None))
            if self._dialect == "hocuspocus":
                self._send(AUTH_TOKEN)
            self._bring()
        except (WebSocketException, TimeoutError) as error:
            self._stack.close()
            raise NotStored(f"{type(error).__name__}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _bring(self) -> None:
        """Asks until the server's state holds the whole document. Raises NotStored."""
        deadline_s = time.monotonic() + STORE_S_MAX
        while time.monotonic() < deadline_s:
            self._send_sync(STEP_1, EMPTY_VECTOR)
            if clocks_in(self._await_state()) == self._document.clocks:
                return
            time.sleep(0.05)
        raise NotStored(f"the document is not there after {STORE_S_MAX:.0f} s")

    def _send(self, message: bytes) -> None:
        assert self._socket is not None
        address = write_varbytes(self._room.encode()) if self._dialect == "hocuspocus" else b""
        self._socket.send(address + message)

    def _send_sync(self, step: int, body: bytes) -> None:
        self._send(write_varuint(SYNC) + write_varuint(step) + write_varbytes(body))

    def _await_state(self) -> bytes:
        """The body of the next step 2; answers the server's own step 1 with the document on the way."""
        assert self._socket is not None
        while True:
            message = self._socket.recv(timeout=STORE_S_MAX)
            assert isinstance(message, bytes)
            step, body = sync_parts(message, self._dialect) or (None, b"")
            if step == STEP_1:
                self._send_sync(STEP_2, self._document.state)
            if step == STEP_2:
                return body
