"""A tiny Yjs server for testing the benchmark: correct as it stands, or with one planted fault.

Each fault is one that a real server could have and that a benchmark which only counts bytes would not see.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pycrdt import merge_updates
from websockets.asyncio.server import ServerConnection, serve

from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes

FAULTY_UPDATE = 7  # the update, counted over a room, to which a fault happens
STEP_1, STEP_2, UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"
EMPTY_UPDATE = b"\x00\x00"
AUTHENTICATED = b"\x02\x02" + write_varbytes(b"read-write")


@dataclass
class Room:
    """What was typed so far, and who is here."""

    updates: list[bytes] = field(default_factory=list)
    clients: list[ServerConnection] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)


class Relay:
    """Serves the plain dialect at /ROOM, or Hocuspocus' for one document per socket.

    `merging` sends one merged update per turn of the loop to everybody, its authors too. `fault` is one of
    skips-one-client, tells-nobody, forgets, alters, swaps (harmless: a client may get updates out of order).
    """

    def __init__(self, fault: str = "", merging: bool = False, hocuspocus: bool = False) -> None:
        self.fault = fault
        self.merging = merging
        self.hocuspocus = hocuspocus
        self.rooms: dict[str, Room] = defaultdict(Room)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Yields the port, a free one if none is asked for."""
        async with serve(self._client, "127.0.0.1", port, compression=None, max_size=None) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    async def _client(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        room = None if self.hocuspocus else self._enter(socket, socket.request.path)
        if room:
            await socket.send(STEP_1 + write_varbytes(b"\x00"))
        async for frame in socket:
            assert isinstance(frame, bytes)
            address, offset = b"", 0
            if self.hocuspocus:
                name, offset = read_varbytes(frame, 0)
                address = write_varbytes(name)
                room = room or self._enter(socket, name.decode())
            assert room
            await self._message(room, socket, address, frame[offset:])
        if room:
            room.clients.remove(socket)

    def _enter(self, socket: ServerConnection, name: str) -> Room:
        room = self.rooms[name]
        room.clients.append(socket)
        return room

    async def _message(self, room: Room, socket: ServerConnection, address: bytes, message: bytes) -> None:
        if message[:1] == b"\x02":
            await socket.send(address + AUTHENTICATED)
        elif message[:1] == b"\x01":
            self._tell(room.clients, address + message)
        elif message[:2] == STEP_1:
            state = merge_updates(*room.updates) if room.updates else EMPTY_UPDATE
            await socket.send(address + STEP_2 + write_varbytes(state))
        else:
            _, offset = read_varuint(message, 1)
            update, _ = read_varbytes(message, offset)
            if update != EMPTY_UPDATE:
                self._accept(room, socket, address, update)

    def _accept(self, room: Room, author: ServerConnection, address: bytes, update: bytes) -> None:
        room.updates.append(update)
        others = [client for client in room.clients if client is not author]
        now = len(room.updates) == FAULTY_UPDATE and self.fault
        if self.merging:
            self._gather(room, address, update)
        elif now == "tells-nobody":
            return
        elif now == "skips-one-client":
            self._send(others[1:], address, update)
        elif now == "swaps":
            asyncio.get_running_loop().call_later(0.05, self._send, others, address, update)
        elif now == "alters":
            self._send(others, address, update[:-2] + b"#" + update[-1:])
        else:
            self._send(others, address, update)
        if now == "forgets":
            room.updates.pop()
            room.updates.append(EMPTY_UPDATE)

    def _gather(self, room: Room, address: bytes, update: bytes) -> None:
        if not room.waiting:
            asyncio.get_running_loop().call_later(0.02, self._tick, room, address)
        room.waiting.append(update)

    def _tick(self, room: Room, address: bytes) -> None:
        waiting, room.waiting = room.waiting, []
        self._send(room.clients, address, merge_updates(*waiting))

    def _send(self, clients: list[ServerConnection], address: bytes, update: bytes) -> None:
        self._tell(clients, address + UPDATE + write_varbytes(update))

    def _tell(self, clients: list[ServerConnection], frame: bytes) -> None:
        for client in list(clients):
            asyncio.get_running_loop().create_task(_quietly(client, frame))


async def _quietly(client: ServerConnection, frame: bytes) -> None:
    try:
        await client.send(frame)
    except OSError:
        return


async def main(port: int) -> None:
    """Serves until it is ended; the benchmark's own tests run it as a peer of its own process."""
    async with Relay().listening(port):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
