"""SocketEditor: a live socket, as y-websocket keeps one."""

from __future__ import annotations

from typing import Any

from collab.protocol import messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varuint, write_varuint
from loadtests.contrast.ledger import now_s
from loadtests.contrast.origin import socket_path
from loadtests.contrast.person import FAILURES, Person
from loadtests.contrast.websocket import WebSocket


class SocketEditor(Person):
    """Everything goes through one connection; what was typed while it was down goes out with the next handshake."""

    kind = "socket"

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._socket: WebSocket | None = None
        self._saved = 0
        self._open = False  # the server has been given what it lacked

    def stay(self) -> None:
        """Until the socket ends."""
        began_s = now_s()
        self._socket = WebSocket(self.crew.origin, socket_path(self.document), self.crew.traffic)
        self._send(messages.encode_step1(self.replica.vector()))
        for message in self._socket.messages():
            self.crew.ledger.counts.frames_in += 1
            self._receive(message, began_s)

    def _receive(self, message: bytes, began_s: float) -> None:
        kind, body = messages.decode(message)
        if kind == Kind.UPDATE:
            self.merge(body)
        elif kind == Kind.STEP1:
            self._send(messages.encode_step2(self.replica.lacking(body)))
            self._open = True
        elif kind == Kind.STEP2:
            if body != messages.EMPTY_UPDATE:
                self.merge(body)
            self.tell("WS", "socket: connected and in sync", now_s() - began_s, len(body))
            self.arrived()
        elif kind == Kind.STATUS:
            self._saved = max(self._saved, read_varuint(body, 0)[0])

    def send(self, update: bytes) -> None:
        """Offline, the next handshake takes it along."""
        if self._open:
            self._send(messages.encode_update(update))

    def _send(self, message: bytes) -> None:
        try:
            if self._socket is not None:
                self._socket.send(message)
                self.crew.ledger.counts.frames_out += 1
        except FAILURES as error:
            self.crew.ledger.fault(error)  # the reading side sees the end as well, and connects again

    @property
    def saved(self) -> int:
        """As the echo of message 102 says."""
        return self._saved

    def confirm(self) -> None:
        """Message 102: answered once everything before it is durable."""
        if self._open:
            self._send(messages.encode_status(write_varuint(self.replica.edits)))

    def leave(self) -> None:
        """Closes the socket."""
        self._open = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None
