"""The people: tabs on sockets, writers by REST, pollers; each checks every promise made to it when it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from picows import WSMsgType

from collab.crdt.gate import check_state_vector
from collab.errors import CollabError
from collab.protocol.messages import (
    Kind,
    decode,
    encode_awareness,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.protocol.varint import read_varuint, write_varuint
from collab.sockets.listener import FastSocket
from collab.sockets.upgrade import Upgrade
from tests.faults.sim.known import known
from tests.faults.sim.presence import Presence
from tests.faults.sim.replica import Replica
from tests.faults.sim.wire import Frame, Pipe, ServerEnd, Violation
from tests.updates import deleted, typed, typed_after

if TYPE_CHECKING:
    from collab.slot import Slot
    from tests.faults.sim.node import Node
    from tests.faults.sim.world import World

T = TypeVar("T")
WATCHDOG_S = 20.0  # silence after which a client takes its connection for dead; they get a frame every 15 s
ASK_EVERY_S = 1.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Author:
    """Types into a replica under one CRDT client id and remembers what was made."""

    def __init__(self, world: World, document: str, client: int) -> None:
        self.world = world
        self.random: Random = world.random
        self.document = document
        self.client = client
        self.replica = Replica()
        self.mine: list[bytes] = []
        self.saved = 0

    def edit(self) -> bytes:
        """One insertion or deletion on what is known, applied here at once."""
        clocks = self.replica.clocks.next
        if clocks and self.random.random() < self.world.plan.delete_share:
            client = self.random.choice(list(clocks))
            start = self.random.randrange(clocks[client])
            update = deleted(client, start, min(self.random.randint(1, 3), clocks[client] - start))
        else:
            update = self._insertion(clocks)
        self.replica.apply(update)
        self.mine.append(update)
        return update

    def _insertion(self, clocks: dict[int, int]) -> bytes:
        clock = clocks.get(self.client, 0)
        text = "".join(self.random.choice(LETTERS) for _ in range(self.random.randint(1, 4)))
        others = [client for client in clocks if client != self.client]
        if others and self.random.random() < 0.4:
            origin = self.random.choice(others)
            return typed_after(self.client, clock, text, (origin, self.random.randrange(clocks[origin])))
        return typed(self.client, clock, text)

    def promised(self, count: int) -> None:
        """The server says that the first `count` edits are safe: are they, at this very moment?"""
        for number in range(self.saved, count):
            self.world.must_be_safe(self.document, self.mine[number], f"edit {number} of client {self.client}")
        self.saved = max(self.saved, count)
        self.world.acks += 1


class Tab(Author):
    """A y-websocket client that also asks "durable yet?" as y-sweet's does; reconnects for ever."""

    def __init__(self, world: World, document: str, client: int) -> None:
        super().__init__(world, document, client)
        self.server: ServerEnd | None = None
        self.up: Pipe | None = None
        self.answered = False  # the server's step 1, on this connection
        self.synced = False
        self.closed = False
        self.heard_at = 0.0
        self.asked_at = 0.0
        self.siblings: list[Tab] = []
        self.slow = self.random.random() < world.plan.slow_share
        self.home = client % world.plan.nodes
        self.presence = Presence(client)
        self._lost = asyncio.Event()
        self._said: list[bytes] = []

    @property
    def at_rest(self) -> bool:
        """Connected, in sync, all saved."""
        return self.synced and self.answered and self.saved == len(self.mine)

    async def run(self) -> None:
        """Connects again and again; types while the weather is bad."""
        self.world.loop.create_task(self._type())
        while not self.closed:
            self._lost.clear()
            if await self._connect():
                await self._stay()
            self.hang_up()
            await asyncio.sleep(self.random.uniform(0.05, 1.0))

    def close(self) -> None:
        """The tab is closed; what it had not saved may be gone, and its socket ends."""
        self.closed = True
        self.hang_up()

    def hang_up(self) -> None:
        """Drops the connection; the server hears of it later, or never if the line is silent."""
        server, self.server, up, self.up = self.server, None, self.up, None
        self.answered = self.synced = False
        self.presence.lost()
        self._lost.set()
        if server is not None and up is not None:
            server.down.break_()
            up.send(None)

    async def _connect(self) -> bool:
        node = self.world.reach(self.home if self.random.random() < self.world.plan.home_share else None)
        await asyncio.sleep(self.random.expovariate(1.0) * self.world.plan.latency_s)
        if node is None or node.dead:
            return False
        self.home = node.place
        upgrade = Upgrade(f"/sync/{self.document}", "", {}, "192.0.2.1")
        try:
            admission = await unless_dead(node, node.sockets.admit(upgrade))
        except CollabError:
            return False
        if admission is None or self.closed:
            return False
        latency_s = self.world.plan.latency_s
        connection = Connection(self, ServerEnd(self.random, latency_s, lambda data: None, lambda code: None))
        self.server, self.up = connection.server, connection.up
        self.heard_at = self.world.loop.time()
        connection.open(node, FastSocket(node.sockets, admission), self.slow and self.world.stormy)
        self._send(encode_step1(self.replica.clocks.encode_state_vector()))
        self._send(encode_awareness(self.presence.current()))
        return True

    async def _stay(self) -> None:
        """Until the connection is lost, or seems to be."""
        while not self._lost.is_set():
            try:
                await asyncio.wait_for(self._lost.wait(), ASK_EVERY_S)
            except TimeoutError:
                if self.world.loop.time() - self.heard_at > WATCHDOG_S:
                    return
                self._ask()
                self._say(self.presence.pass_time(self.world.loop.time()))

    def _say(self, presence: bytes | None) -> None:
        if presence is not None:
            self._send(encode_awareness(presence))

    async def _type(self) -> None:
        plan = self.world.plan
        while self.world.stormy and not self.closed:
            await asyncio.sleep(self.random.expovariate(plan.edits_per_s))
            if not self.world.stormy or self.closed:
                return
            update = self.edit()
            self._send(encode_update(update))
            self._ask()
            if self.random.random() < 0.1:
                self._send(encode_awareness(self.presence.announce(self.world.loop.time())))
            for sibling in self.siblings:
                if self.random.random() < plan.sibling_share:
                    self.world.loop.call_later(self.random.uniform(0.0, 0.1), sibling.replica.apply, update)
            if self._said and self.random.random() < plan.repeat_share:
                self._send(self.random.choice(self._said[-5:]))
            if self.replica.updates and self.random.random() < plan.relay_share:
                self._send(encode_update(self.replica.updates[-1]))

    def _ask(self) -> None:
        """Only once the server's step 1 is answered: before that, edits made offline have not been sent."""
        if self.answered and self.saved < len(self.mine):
            self._send(encode_status(write_varuint(len(self.mine))))

    def _send(self, message: bytes) -> None:
        if self.up is not None:
            self.up.send(message)
            if message[:2] == b"\x00\x02":
                self._said = [*self._said[-5:], message]

    def receive(self, message: bytes) -> None:
        """A message of the server."""
        self.heard_at = self.world.loop.time()
        if message == b"ping":
            self._send(b"pong")
            return
        kind, body = decode(message)
        if kind is Kind.STEP1:
            self._send(encode_step2(self.replica.lacking(check_state_vector(body))))
            self.answered = True
            self._ask()
        elif kind is Kind.STEP2 or kind is Kind.UPDATE:
            self.replica.apply(body)
            self.synced = self.synced or kind is Kind.STEP2
        elif kind is Kind.AWARENESS:
            self._say(self.presence.receive(body, self.heard_at))
        elif kind is Kind.STATUS:
            self.promised(read_varuint(body, 0)[0])


class Connection:
    """One connection of a tab: what each end does with what arrives."""

    def __init__(self, tab: Tab, server: ServerEnd) -> None:
        self.tab = tab
        self.server = server
        server._receive, server._lost = self._to_tab, self._lost
        server.unbounded = lambda reason: tab.world.broken(Violation(reason))
        self.up = server.up = Pipe(tab.random, tab.world.plan.latency_s, self._to_server)

    def open(self, node: Node, listener: FastSocket, slow: bool) -> None:
        """The handshake is done."""
        self.node, self.listener = node, listener
        self.server.listener = listener
        if slow:
            self.server.down.seconds_per_byte = 1.0 / self.tab.world.plan.bandwidth
        self.tab.world.connections.append(self)
        listener.on_ws_connected(self.server)  # type: ignore[arg-type]

    def freeze(self, frozen: bool) -> None:
        """The line goes silent in both directions, or speaks again."""
        for pipe in (self.up, self.server.down):
            pipe.frozen = frozen
            pipe.thaw()

    def die(self) -> None:
        """The server's process is gone: its kernel resets the connection."""
        self.server.dead = True
        self.up.break_()
        self.server.down.send(None)

    def _to_tab(self, message: bytes) -> None:
        if self.tab.server is self.server:
            self.tab.receive(message)

    def _lost(self, code: int) -> None:
        if self.tab.server is self.server:
            self.tab.hang_up()

    def _to_server(self, message: bytes | None) -> None:
        if self.server.dead or self.server.is_disconnected:
            return
        if message is None:
            self.server.is_disconnected = True
            self.listener.on_ws_disconnected(self.server)  # type: ignore[arg-type]
        elif message == b"pong":
            self.listener.answered = self.listener.heard = True
        else:
            self.listener.on_ws_frame(self.server, Frame(WSMsgType.BINARY, message))  # type: ignore[arg-type]


class RestWriter(Author):
    """POSTs one update after the other, each until it is answered; every other one under a condition."""

    async def run(self) -> None:
        """Types while the weather is bad; what was made is posted to the end."""
        while self.world.stormy:
            await asyncio.sleep(self.random.expovariate(self.world.plan.edits_per_s))
            update = self.edit()
            while not await self._post(update):  # noqa: ASYNC110  as a client tries again
                await asyncio.sleep(self.random.uniform(0.05, 1.0))
            self.promised(len(self.mine))

    async def _post(self, update: bytes) -> bool:
        node = self.world.reach()
        if node is None:
            return False
        try:
            send = guarded if len(self.mine) % 2 else submit
            seq = await unless_dead(node, send(node, self.document, update, f"rest{self.client}"))
        except CollabError:
            return False
        if seq is not None:
            kept = self.world.disk.synced.get(self.document)
            if kept is None or not 0 < seq <= kept.seq:
                raise Violation(f"REST was told seq {seq}, the disk is at {kept.seq if kept else None}")
        return seq is not None


class Poller:
    """Reads the log by long polls; its numbers must be dense and its content the document's."""

    def __init__(self, world: World, document: str) -> None:
        self.world = world
        self.document = document
        self.replica = Replica()
        self.seq = 0

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self.world.random.uniform(0.05, 1.0))
            node = self.world.reach()
            if node is not None:
                try:
                    await unless_dead(node, self._poll(node))
                except CollabError:
                    pass

    async def _poll(self, node: Node) -> None:
        slot = await node.hub.open(self.document)
        try:
            seq = await node.hub.beyond(slot, self.seq, 5.0)
            self._must_have(slot, seq)
        finally:
            node.hub.release(slot)
        if self.document not in self.world.disk.synced:
            return
        for row in await node.log.read(self.document, self.seq, 100):
            if row.first_seq > self.seq + 1:
                raise Violation(f"a poller at {self.seq} was given {row.first_seq}")
            for entry in row.entries:
                self.replica.apply(entry.update)
            self.seq = row.last_seq

    def _must_have(self, slot: Slot, seq: int) -> None:
        """A version that is named has all before it: there is no gap in the room that names it."""
        kept = self.world.disk.synced.get(self.document)
        for row in kept.after(self.seq) if kept is not None else ():
            for entry in row.entries[: max(0, seq - row.first_seq + 1)]:
                if not covers(slot.room.history.clocks, entry.update):
                    raise Violation(
                        f"a room names version {seq} and lacks what {row.first_seq}..{row.last_seq} brought"
                    )


async def submit(node: Node, document: str, update: bytes, author: str) -> int:
    """What the REST handler does."""
    slot = await node.hub.open(document)
    try:
        return await node.hub.submit(slot, update, author)
    finally:
        node.hub.release(slot)


async def guarded(node: Node, document: str, update: bytes, author: str) -> int:
    """The same with If-Match: stored only if the document still stands where the room does, and shown then."""

    async def made(parts: list[bytes], client: int) -> bytes:
        return update

    asked: list[int] = []
    slot = await node.hub.open(document)
    try:
        seq, changed = await node.hub.edit(slot, author, made, lambda lineage, seq: asked.append(seq))
        if changed and seq != asked[-1] + 1:
            raise Violation(f"an edit on the condition that the document stands at {asked[-1]} was stored as {seq}")
        return seq
    finally:
        node.hub.release(slot)


async def unless_dead(node: Node, work: Coroutine[Any, Any, T]) -> T | None:
    """The answer, or None if the node died first and it will never come."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, node.died}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return await task
    task.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody is there to hear it
    return None


def covers(safe: Any, update: bytes) -> bool:
    """Whether everything the update says is in these clocks."""
    return bool(safe.adds_nothing(known(update)))
