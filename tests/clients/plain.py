"""A plain-dialect client with no engine of its own, on the `websockets` package: what a test sends is what goes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from websockets.sync.client import ClientConnection, connect

from collab.protocol import messages
from collab.protocol.messages import Kind
from tests.patience import PATIENCE_S


class PlainClient:
    """Blocking calls; frames that are not asked for are kept in `updates` or dropped."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.updates: list[bytes] = []

    def send(self, frame: bytes) -> None:
        """Any bytes, as one binary frame."""
        self.socket.send(frame)

    def receive(self, kind: Kind) -> bytes:
        """Waits for the next message of a kind and returns its body; updates that pass by are kept."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            data = self.socket.recv(timeout=deadline - time.monotonic())
            assert isinstance(data, bytes)
            found, body = messages.decode(data)
            if found is kind:
                return body
            if found is Kind.UPDATE:
                self.updates.append(body)

    def sync(self, vector: bytes, lacks: Callable[[bytes], bytes]) -> list[bytes]:
        """The whole handshake; `lacks` answers the server's state vector with an update.

        Returns what the document holds more: the server may send it as updates before its step 2.
        """
        self.send(messages.encode_step1(vector))
        asked = self.receive(Kind.STEP1)
        self.send(messages.encode_step2(lacks(asked)))
        last = self.receive(Kind.STEP2)
        updates, self.updates = [*self.updates, last], []
        return updates

    def saved(self, payload: bytes = b"\x01") -> None:
        """Asks whether everything sent so far is durable, and waits for the yes."""
        self.send(messages.encode_status(payload))
        while self.receive(Kind.STATUS) != payload:
            pass


@contextmanager
def plain_client(socket_url: str, document: str, **query: str) -> Iterator[PlainClient]:
    """Connected until the block ends."""
    address = f"{socket_url}/{quote(document, safe='')}?{urlencode(query)}"
    with connect(address, compression=None, max_size=None, ping_interval=None) as socket:
        yield PlainClient(socket)
