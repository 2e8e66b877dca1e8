"""pycrdt-websocket behind uvicorn, as its documentation shows it; documents live in memory only."""

import sys

import uvicorn
import uvloop
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main(port: int) -> None:
    """Serves on loopback until it is stopped."""
    rooms = WebsocketServer()
    config = uvicorn.Config(
        ASGIServer(rooms),
        host="127.0.0.1",
        port=port,
        lifespan="off",
        log_level="error",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    async with rooms:
        await uvicorn.Server(config).serve()


uvloop.run(main(int(sys.argv[1])))
