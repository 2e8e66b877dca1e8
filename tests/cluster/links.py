"""TCP links that can be slowed, stalled, refused and cut, and a loop in a thread of its own for them to run on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
LINGER_OFF = struct.pack("ii", 1, 0)  # closing sends a reset
STALL_S = 0.01


class Link:
    """Listens on `port` and passes everything on to whatever `upstream` says when a connection comes."""

    def __init__(self, upstream: Callable[[], tuple[str, int]]) -> None:
        self.upstream = upstream
        self.port = 0
        self.delay_s = 0.0
        self.refusing = self.stalled = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> Link:
        """Begins to listen on a free loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Cuts everything."""
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Resets every connection; new ones are welcome unless it is refusing."""
        for writer in list(self._writers):
            found = writer.get_extra_info("socket")
            if found is not None:
                with contextlib.suppress(OSError):
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF)
            writer.transport.abort()

    def heal(self) -> None:
        """As good as new."""
        self.delay_s, self.refusing, self.stalled = 0.0, False, False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.refusing:
                return
            host, port = self.upstream()
            up_reader, up_writer = await asyncio.open_connection(host, port)
        except OSError:
            return
        finally:
            if self.refusing:
                writer.transport.abort()
        self._writers.add(up_writer)
        pumps = [asyncio.create_task(self._pump(reader, up_writer)), asyncio.create_task(self._pump(up_reader, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for each in (writer, up_writer):
            self._writers.discard(each)
            each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while self.stalled:  # noqa: ASYNC110  # set from another thread
                    await asyncio.sleep(STALL_S)
                writer.write(data)
                await writer.drain()


class Loop:
    """An asyncio loop in a thread of its own, so that links and clients go on while the stage waits for a server."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks: list[asyncio.Task[Any]] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it there and waits."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60.0)

    def call(self, work: Any, *arguments: Any) -> Any:
        """The same for a plain call."""

        async def wrapped() -> Any:
            return work(*arguments)

        return self.run(wrapped())

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it there until the end."""

        async def begin() -> None:
            self._tasks.append(asyncio.get_running_loop().create_task(work))

        self.run(begin())

    def close(self) -> None:
        """Cancels what runs and ends the thread."""

        async def stop() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()
