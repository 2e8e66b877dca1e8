"""The bus on Redis or Valkey: a channel per document, plain pub/sub, or sharded where the server is a cluster.

Nothing is kept there: pub/sub has no keys, so FLUSHALL, a restart or an eviction policy changes nothing, and what a
node misses it reads from the log.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from redis.asyncio import ConnectionPool
from redis.crc import key_slot

from collab.bus import wire
from collab.bus.base import BusFrame, Deliver, Kind
from collab.bus.lane import ANSWER_S, CONNECT_S, FAILURES, Lane
from collab.errors import BadFrame
from collab.types import DocumentId

log = structlog.get_logger("collab.bus")

SLOTS = 16_384
REDISCOVER_S = 1.0
Address = tuple[str, int] | None
"""A server of a cluster; None stands for the one that the URL names."""


class RedisBus:
    """Satisfies the Bus port. Opens at once, whether the server is there or not."""

    def __init__(self, url: str, node: str, *, prefix: str = "collab") -> None:
        """`prefix` begins each channel's name: services that share a server need different ones.

        Raises ValueError for a URL that is none of redis://, rediss:// and unix://.
        """
        self._url = url
        self._node = node
        self._prefix = prefix.encode() + b":"
        self._deliver: Deliver = lambda frame: None
        self._documents: set[DocumentId] = set()
        self._lanes: dict[Address, Lane] = {}
        self._owners: list[Address] = []  # by slot, where the server is a cluster
        self._retired_losses = 0
        self.bad_messages = 0
        self._known = False  # whether the server has said if it is a cluster
        self._pool(None)  # a bad URL is told before anything runs
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to connect; waits a moment for it."""
        self._lanes[None] = self._lane(None, sharded=False)
        try:
            await self._discover()
        except FAILURES as error:
            log.warning("bus is away: edits cross through the database", error=repr(error))
        self._keeper = asyncio.create_task(self._keep(), name="bus keeper")

    async def close(self) -> None:
        """Lets go of every connection."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    # ------------------------------------------------------------------ the port

    @property
    def up(self) -> bool:
        """See the port."""
        return bool(self._lanes) and all(lane.sending and lane.hearing for lane in self._lanes.values())

    @property
    def losses(self) -> int:
        """See the port."""
        return self._retired_losses + sum(lane.losses for lane in self._lanes.values())

    def listen(self, deliver: Deliver) -> None:
        """See the port."""
        self._deliver = deliver

    def publish(self, frame: BusFrame) -> None:
        """See the port."""
        channel = self._channel(frame.document)
        self._of(channel).publish(channel, wire.encode(frame))

    async def subscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._documents.add(document)
        channel = self._channel(document)
        await self._of(channel).subscribe(channel)

    def unsubscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._documents.discard(document)
        channel = self._channel(document)
        self._of(channel).unsubscribe(channel)

    def figures(self) -> dict[str, float]:
        """For metrics."""
        lanes = self._lanes.values()
        return {
            "bus_up": float(self.up),
            "bus_messages_sent": sum(lane.sent for lane in lanes),
            "bus_frames_dropped": sum(lane.dropped for lane in lanes),
            "bus_send_failures": sum(lane.failures for lane in lanes),
            "bus_bad_messages": self.bad_messages,
        }

    # ------------------------------------------------------------------ channels and lanes

    def _channel(self, document: DocumentId) -> bytes:
        return self._prefix + document.encode("utf-8", "surrogatepass")

    def _of(self, channel: bytes) -> Lane:
        return self._lanes[self._owners[key_slot(channel)] if self._owners else None]

    def _pool(self, address: Address) -> Any:
        options: dict[str, Any] = {"protocol": 2, "socket_connect_timeout": CONNECT_S, "retry": None}
        pool = ConnectionPool.from_url(self._url, **options)
        if address is not None:
            pool.connection_kwargs.update(host=address[0], port=address[1])
        return pool

    def _lane(self, address: Address, sharded: bool) -> Lane:
        return Lane(self._pool(address), sharded=sharded, on_message=self._receive, on_recovered=self._tell_to_look)

    def _receive(self, channel: bytes, message: bytes) -> None:
        """A message is judged as a whole; a bad one is counted, and its channel goes on."""
        document = channel[len(self._prefix) :].decode("utf-8", "surrogatepass")
        try:
            for frame in list(wire.decode(message, document)):
                if frame.node != self._node:
                    self._deliver(frame)
        except BadFrame as error:
            self.bad_messages += 1
            log.warning("bad bus message", document=document, error=error.detail)

    def _tell_to_look(self, channels: set[bytes]) -> None:
        """Frames were dropped while nothing could be sent: whoever has these documents open should look them up."""
        for channel in channels:
            document = channel[len(self._prefix) :].decode("utf-8", "surrogatepass")
            if document:
                self.publish(BusFrame(Kind.LOOK, self._node, document))

    # ------------------------------------------------------------------ clusters

    async def _keep(self) -> None:
        """Learns the cluster's layout anew when a server says that a channel has moved, or is away."""
        while True:
            await asyncio.sleep(REDISCOVER_S)
            clustered = bool(self._owners)
            lanes = self._lanes.values()
            if any(lane.moved for lane in lanes) or not self._known or (clustered and not self.up):
                try:
                    await self._discover()
                except FAILURES as error:
                    log.debug("bus layout unknown", error=repr(error))
                except Exception:
                    log.exception("bus layout failed")

    async def _discover(self) -> None:
        """Asks the server of the URL, or one of the cluster, whether it is a cluster and who has which slots."""
        addresses: list[Address] = [None, *(address for address in self._lanes if address is not None)]
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                owners = await self._layout(address)
                break
            except FAILURES:
                if last == 0:
                    raise
        self._known = True
        if owners != self._owners:
            await self._relay(owners)
        for lane in self._lanes.values():
            lane.moved = False

    async def _layout(self, address: Address) -> list[Address]:
        connection = self._pool(address).make_connection()
        try:
            async with asyncio.timeout(CONNECT_S + ANSWER_S):
                await connection.connect()
                await connection.send_command("INFO", "cluster")
                if b"cluster_enabled:1" not in await connection.read_response(disable_decoding=True):
                    return []
                await connection.send_command("CLUSTER", "SLOTS")
                return _owners(await connection.read_response(disable_decoding=True), connection.host)
        finally:
            await connection.disconnect(nowait=True)

    async def _relay(self, owners: list[Address]) -> None:
        """Lays lanes to the servers that there are now, and moves every subscription to its lane."""
        wanted: set[Address] = {owner for owner in owners if owner is not None} or {None}
        old, kept = self._lanes, {address: lane for address, lane in self._lanes.items() if address in wanted}
        self._retired_losses += 1 + sum(lane.losses for address, lane in old.items() if address not in wanted)
        lanes = {address: kept.get(address) or self._lane(address, sharded=bool(owners)) for address in wanted}
        channels = [self._channel(document) for document in self._documents]
        before = {channel: self._of(channel) for channel in channels}
        self._lanes, self._owners = lanes, [owner if owner in lanes else min(lanes) for owner in owners]  # type: ignore[type-var]
        for channel in channels:
            if before[channel] is not self._of(channel):
                before[channel].unsubscribe(channel)
                self._of(channel).join(channel)
        await asyncio.gather(*(lane.close() for address, lane in old.items() if address not in wanted))


def _owners(answer: list[list[Any]], host: str) -> list[Address]:
    """CLUSTER SLOTS as a table by slot: each row is first slot, last slot, then [host, port, …] of its master."""
    owners: list[Address] = [None] * SLOTS
    for first, last, master, *_ in answer:
        address = ((master[0] or b"").decode() or host, int(master[1]))
        owners[first : last + 1] = [address] * (last - first + 1)
    return owners
