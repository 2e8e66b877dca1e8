"""One address before several servers: each TCP connection goes to the next one, as behind a balancer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.backends import Ground
from tests.cluster.links import Loop
from tests.server import Server, running_server

CHUNK = 65_536


class Front:
    """Listens on `port`, a free one of loopback; `turn` says to which port the next connection goes."""

    def __init__(self, turn: Callable[[], int]) -> None:
        self.port = 0
        self._turn = turn
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def open(self) -> Front:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Ends what is left."""
        assert self._server is not None
        self._server.close()
        for writer in [each for writers in self._open.values() for each in writers]:
            writer.transport.abort()
        if self._open:
            await asyncio.wait(list(self._open))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._open[task] = [writer]
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._turn())
            writers.append(up_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, up_writer))
                both.create_task(_pass_on(up_reader, writer))
        except* OSError:  # a reset here is one there
            for each in writers:
                each.transport.abort()
        finally:
            for each in writers:
                each.close()
            del self._open[task]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


@dataclass
class Place:
    """Where clients come: one server's address, or that of a front before several."""

    url: str
    servers: Sequence[Server]

    @property
    def socket_url(self) -> str:
        """Base of the sockets of the plain dialect."""
        return f"ws{self.url[4:]}/sync"

    @property
    def hocuspocus_url(self) -> str:
        """Where sockets of the Hocuspocus dialect are opened."""
        return f"ws{self.url[4:]}/hocuspocus"

    @property
    def output(self) -> list[str]:
        """What all of them have printed."""
        return [line for server in self.servers for line in server.output]


@contextmanager
def serving(ground: Ground, folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Iterator[Place]:
    """As many server processes as the ground says, until the block ends."""
    with ExitStack() as stack:
        servers = []
        for number in range(ground.nodes):
            (folder / f"{number}").mkdir(parents=True)
            started = running_server(folder / f"{number}", *args, env={**ground.env, **(env or {})})
            servers.append(stack.enter_context(started))
        url = servers[0].url if ground.nodes == 1 else stack.enter_context(fronted(servers))
        yield Place(url, servers)


@contextmanager
def fronted(servers: Sequence[Server]) -> Iterator[str]:
    """The URL of an address before these servers."""
    loop = Loop()
    turns = cycle(servers)
    front = loop.run(Front(lambda: int(next(turns).url.rsplit(":", 1)[1])).open())
    try:
        yield f"http://127.0.0.1:{front.port}"
    finally:
        loop.run(front.close())
        loop.close()
