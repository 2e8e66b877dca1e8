"""Bytes on the wire, counted by the kernel: TCP_INFO of each connection (Linux), so that nothing slips through.

Counted is the payload of TCP in both directions: request lines, headers, handshakes, TLS records, frames. Segments are
counted as well, since each costs 40 bytes of TCP and IP headers on the wire; acknowledgements ride in segments too.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

# linux/tcp.h, struct tcp_info: bytes_acked and bytes_received are 64 bits wide at 120, segs_out and segs_in follow.
_COUNTS = struct.Struct("=120xQQII")
_STATE = struct.Struct("=B")
_ESTABLISHED = 1
SEGMENT_HEADER_BYTES = 40  # IPv4 and TCP without options


@dataclass(slots=True)
class Bytes:
    """Sent and received by the clients, in bytes of TCP payload, and in segments."""

    up: int = 0
    down: int = 0
    segments_up: int = 0
    segments_down: int = 0

    def add(self, other: Bytes) -> None:
        """Adds another count to this one."""
        self.up += other.up
        self.down += other.down
        self.segments_up += other.segments_up
        self.segments_down += other.segments_down


@dataclass(slots=True)
class Traffic:
    """All connections of one process: those that are open, and the sum of those that were."""

    opened: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _closed: Bytes = field(default_factory=Bytes)

    def watch(self, connection: socket.socket) -> None:
        """Counts a connection from its first byte on."""
        self.opened += 1
        self._open.add(connection)

    def leave(self, connection: socket.socket) -> None:
        """Takes the final count of a connection; call it before closing."""
        if connection in self._open:
            self._open.remove(connection)
            self._closed.add(count(connection))

    @property
    def held(self) -> int:
        """Connections open now."""
        return len(self._open)

    def total(self) -> Bytes:
        """Everything so far."""
        total = Bytes()
        total.add(self._closed)
        for connection in self._open:
            total.add(count(connection))
        return total


def count(connection: socket.socket) -> Bytes:
    """What the kernel has counted on one connection."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTS.size)
    return Bytes(*_COUNTS.unpack(info))


def established(connection: socket.socket) -> bool:
    """False once the other side has closed; asks the kernel, sends nothing."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _STATE.size)
    return bool(_STATE.unpack(info)[0] == _ESTABLISHED)
