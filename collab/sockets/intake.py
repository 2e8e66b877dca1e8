"""Reading while a large frame arrives: some of it at a time, and no faster than the node may read such frames."""

from __future__ import annotations

import asyncio
from time import thread_time
from typing import TYPE_CHECKING

from collab.sockets.arrivals import READ_BYTES

if TYPE_CHECKING:
    from collab.sockets.fast import FastProtocol


class Intake(asyncio.BufferedProtocol):
    """Stands between a transport and its protocol meanwhile, so that it costs those nothing who send small frames.

    What reading takes spaces no ticks, since that would not make it less.
    """

    __slots__ = ("_began", "_protocol")

    def __init__(self, protocol: FastProtocol) -> None:
        self._protocol = protocol
        self._began = 0.0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go: the loop asks right before it reads them."""
        self._began = thread_time()
        buffer: memoryview = self._protocol.get_buffer(sizehint)
        return buffer[:READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        protocol = self._protocol
        protocol.buffer_updated(nbytes)
        if protocol.is_arriving:
            protocol.count_arriving()
            protocol.sockets.hub.turns.spent_s += thread_time() - self._began
        protocol.rest(protocol.sockets.arrivals.read(nbytes, asyncio.get_running_loop().time()))

    def eof_received(self) -> bool | None:
        over: bool | None = self._protocol.eof_received()
        return over

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
