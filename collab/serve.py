"""Runs one node: uvicorn with our socket shell, and a shutdown that drains."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import structlog
import uvicorn

from collab.errors import CollabError, UnsafeSettings
from collab.hatch import Hatch, path_beside
from collab.reload import Reload, load_certificate
from collab.services import Services
from collab.settings import Settings
from collab.sockets.fast import FastProtocol
from collab.sockets.http import BoundedHttp
from collab.store.sqlite import SqliteDatabase
from collab.telemetry import Traced, wanted
from collab.workers import BEAT_S, Pool

log = structlog.get_logger(__name__)

CLOSE_S = 2.0
"""For closing what is open, once drained."""


class DrainingServer(uvicorn.Server):
    """uvicorn, but sockets are drained and the journal flushed before connections are cut."""

    def __init__(self, config: uvicorn.Config, services: Services, on_ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._services = services
        self._on_ready = on_ready
        self.hatch: Hatch | None = None
        # A database that is away may keep it from ever closing; what had to be kept was committed by the drain.
        self.deadline = Timer(services.settings.drain_s + CLOSE_S, os._exit, (1,))
        self.deadline.daemon = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again when it has ended, and that ends the process: what is below it is closed
        before, so that the last lines of logs and audit, spans, and SQLite's WAL are where they belong."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; then tells the port, which may have been picked by the system."""
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what lives now lives for ever: the collector need not look at it again
            # Updates are acyclic and die by reference count. With the default threshold of 700 the collector walks
            # them again and again, which made taking in an update twice as dear.
            gc.set_threshold(50_000, 20, 10)
            listening = next(iter(self.servers)).sockets[0]
            self.hatch = await _open_hatch(self, self._services)
            self._on_ready(listening.getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops accepting, drains, flushes, then lets uvicorn close what is left."""
        self.deadline.start()
        if self.hatch is not None:
            self.hatch.close()
        for server in self.servers:
            server.close()
        log.info("draining", sockets=sum(1 for _ in self._services.hub.sessions()))
        await self._services.drain()
        await super().shutdown(sockets)


def run(settings: Settings, on_ready: Callable[[int], None]) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status. Says on stderr why it cannot."""
    try:
        if settings.workers > 1:
            return Pool(settings, on_ready, work).run()
        return work(settings, on_ready)
    except OSError as error:
        print(f"collab: {error}", file=sys.stderr)
        return 1


def work(
    settings: Settings,
    on_ready: Callable[[int], None],
    sockets: list[socket.socket] | None = None,
    beat: Callable[[], None] = lambda: None,
) -> int:
    """One node: on its own socket, or on those given; `beat` is called every second while its loop turns."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, on_ready, sockets, beat))
    except UnsafeSettings as error:
        print(f"collab: {error}", file=sys.stderr)
        return 2
    except CollabError as error:
        print(f"collab: {error.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _beat(beat: Callable[[], None]) -> None:
    while True:
        beat()
        await asyncio.sleep(BEAT_S)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(
    settings: Settings,
    on_ready: Callable[[int], None],
    sockets: list[socket.socket] | None,
    beat: Callable[[], None],
) -> None:
    if settings.ssl_certfile is not None:
        load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
    beating = asyncio.create_task(_beat(beat))
    async with Services.open(settings) as services:
        traced = Traced(services.app, services.node) if wanted() else None
        config = uvicorn.Config(
            traced or services.app,
            host=settings.host,
            port=settings.port,
            http=_http(services),
            ws=_shell(settings, services),
            ws_max_size=services.limits.sync_frame_bytes_max,
            ws_per_message_deflate=False,  # compression is per connection: it would undo the shared frame
            ws_ping_interval=20.0,
            ws_ping_timeout=60.0,
            lifespan="off",
            log_config=None,
            access_log=False,
            backlog=4096,
            timeout_graceful_shutdown=2,
            server_header=False,
            proxy_headers=False,  # uvicorn would believe whatever comes from loopback; auth/proxies.py believes names
            ssl_certfile=settings.ssl_certfile,
            ssl_keyfile=settings.ssl_keyfile,
        )
        open_to_all = services.entrance.guard.openness.open
        log.info("serving", node=services.node, socket_shell=settings.socket_shell, open=open_to_all)
        if open_to_all:
            log.warning("open: no authentication is configured, whoever reaches this address may do everything")
        Reload(services, config).listen()
        server = DrainingServer(config, services, on_ready)
        await server.serve(sockets)
        if traced is not None:
            await asyncio.to_thread(traced.close)
    server.deadline.cancel()
    beating.cancel()
    log.info("ended", node=services.node)


async def _open_hatch(server: uvicorn.Server, services: Services) -> Hatch | None:
    """For `collab keys` beside a node that has an embedded database; without it they are made by REST."""
    database = services.store.database
    if not isinstance(database, SqliteDatabase) or not hasattr(socket, "AF_UNIX"):
        return None
    hatch = Hatch(services.app, path_beside(database.path))
    try:
        server.servers.append(await hatch.open(server))
    except OSError as error:
        log.warning(
            "no Unix socket beside the database: `collab keys` works only while this is stopped", error=str(error)
        )
        return None
    return hatch


def _http(services: Services) -> Any:
    return type("NodeHttp", (BoundedHttp,), {"limits": services.limits, "arrivals": services.sockets.arrivals})


def _shell(settings: Settings, services: Services) -> Any:
    if settings.socket_shell == "asgi":
        return "websockets-sansio"
    return type("NodeProtocol", (FastProtocol,), {"sockets": services.sockets, "__slots__": ()})
