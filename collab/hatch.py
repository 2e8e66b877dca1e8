"""A door for whoever owns the data folder: a Unix socket beside an embedded database, for `collab keys`.

SQLite takes one writing process, so while a node runs only the node can make keys; and the first key of an open node
must not come from the network. Who may open the socket (mode 0600) could as well write the database.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from collab.api.access import LOCAL
from collab.errors import CollabError, StorageUnavailable, all_errors

Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""

PATH_BYTES_MAX = 100  # of a Unix socket's name; some systems take 103
CALL_S = 10.0


def path_beside(database: Path) -> Path:
    """Where the socket of the node that has this SQLite file open is."""
    return database.with_name(f"{database.name}.sock")


class Hatch:
    """The listening side."""

    def __init__(self, app: Application, path: Path) -> None:
        self._app = app
        self.path = path

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Passes requests on as those of somebody at this machine."""
        scope[LOCAL] = True
        await self._app(scope, receive, send)

    async def open(self, server: uvicorn.Server) -> asyncio.Server:
        """Listens; the caller holds the database, so a socket that is there is a dead node's. Raises OSError."""
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(_name(self.path))
            self.path.chmod(0o600)  # nobody can connect yet: it does not listen
            config = uvicorn.Config(self, ws="none", lifespan="off", log_config=None, access_log=False)
            config.load()
            loop = asyncio.get_running_loop()
            return await loop.create_unix_server(
                lambda: config.http_protocol_class(config=config, server_state=server.server_state, app_state={}),  # type: ignore[call-arg]
                sock=listener,
            )
        except BaseException:
            listener.close()
            raise

    def close(self) -> None:
        """Takes the name away; the server closes the socket."""
        self.path.unlink(missing_ok=True)


def is_there(path: Path) -> bool:
    """Whether a node listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(_name(path))
        except OSError:
            return False
        return True


async def call(path: Path, method: str, target: str, body: Mapping[str, object] | None = None) -> Any:
    """One REST call through the hatch; returns the decoded answer. Raises the CollabError that the node answers."""
    transport = httpx2.AsyncHTTPTransport(uds=_name(path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", timeout=CALL_S) as client:
        try:
            answer = await client.request(method, target, json=body)
        except httpx2.TransportError as error:
            raise StorageUnavailable(f"the running node does not answer: {error}") from None
    if answer.is_success:
        return answer.json() if answer.content else None
    told = answer.json()
    kinds = {kind.code: kind for kind in all_errors()}
    raise kinds.get(told.get("code"), CollabError)(told.get("detail"))


def _name(path: Path) -> str:
    """A name that the system takes, however deep the folder."""
    name = str(path)
    if len(os.fsencode(name)) <= PATH_BYTES_MAX or not Path("/proc/self/fd").exists():
        return name
    return f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)}/{path.name}"
