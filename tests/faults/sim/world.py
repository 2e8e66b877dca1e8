"""One run: people, nodes that are killed and started again, bad weather, then a calm in which all must agree."""

from __future__ import annotations

import asyncio
import random as global_random
from collections.abc import Coroutine
from random import Random
from typing import Any

from collab.crdt.clocks import Clocks
from tests.faults.sim import loop as virtual
from tests.faults.sim.broker import Broker
from tests.faults.sim.bugs import NONE, Bug
from tests.faults.sim.calm import Calm
from tests.faults.sim.disk import Disk
from tests.faults.sim.node import Node
from tests.faults.sim.people import Connection, Poller, RestWriter, Tab, covers
from tests.faults.sim.plan import Plan
from tests.faults.sim.weather import Weather
from tests.faults.sim.wire import Violation


class World:
    """Everything of one seed: equal seeds tell the same story."""

    def __init__(self, seed: int, bug: Bug = NONE) -> None:
        self.random = Random(seed)
        self.bug = bug
        self.plan = Plan.draw(self.random)
        self.disk = Disk(self.random)
        self.locks: dict[str, asyncio.Lock] = {}  # of the rows of a shared database
        self.broker = Broker(self.random, self.plan)
        self.stormy = True
        self.disk_away = False
        self.exiled: set[int] = set()  # places of nodes that do not reach the database
        self.nodes: dict[int, Node] = {}  # those that live, by place
        self.connections: list[Connection] = []
        self.acks = 0
        self.failed: BaseException | None = None
        self.loop: virtual.VirtualLoop
        self.offset_s = 0.0
        self._stopping: set[Node] = set()

    def wall_clock(self) -> float:
        """Unix seconds, as somebody has set them."""
        return 1.8e9 + self.loop.time() + self.offset_s

    def must_be_safe(self, document: str, update: bytes, what: str) -> None:
        """Raises unless a power cut right now would keep it."""
        kept = self.disk.synced.get(document)
        if not covers(kept.clocks if kept else Clocks(), update):
            raise Violation(f"acknowledged, but not on disk: {what} in {document} at {self.loop.time():.3f} s")

    async def run(self) -> None:
        """The whole story. Raises Violation."""
        self.loop = asyncio.get_running_loop()  # type: ignore[assignment]
        self.loop.set_exception_handler(self._note)
        for place in range(self.plan.nodes):
            self._start(place)
        self._cast()
        weather, calm = Weather(self), Calm(self)
        weather.schedule()
        await asyncio.sleep(self.plan.seconds)
        weather.clear()
        for place in range(self.plan.nodes):
            self._start(place)
        if self.plan.closings and self.plan.sibling_share:
            # What a closed tab told only its siblings reaches the server when one of them comes back, and not before.
            await asyncio.sleep(1.0)
            for tab in self.tabs:
                tab.hang_up()
        await calm.settle()
        calm.agree()

    def _note(self, loop: object, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.broken(error)

    def broken(self, error: BaseException) -> None:
        """Fails the run, whoever catches exceptions in between; the first one counts."""
        self.failed = self.failed or error

    # ------------------------------------------------------------------ who is there

    def _cast(self) -> None:
        plan = self.plan
        names = [f"d{number}" for number in range(plan.documents)]
        clients = iter(range(1, 1000))
        self.tabs = [Tab(self, self.random.choice(names), next(clients)) for _ in range(plan.tabs)]
        for tab in self.tabs:
            tab.siblings = [other for other in self.tabs if other is not tab and other.document == tab.document]
        self.rest = [RestWriter(self, self.random.choice(names), next(clients)) for _ in range(plan.rest)]
        self.pollers = [Poller(self, self.random.choice(names)) for _ in range(plan.pollers)]
        for person in (*self.tabs, *self.rest, *self.pollers):
            self.job(person.run())

    def job(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it beside everything else; what it raises fails the run."""
        self.loop.create_task(work).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken(error)

    def reach(self, home: int | None = None) -> Node | None:
        """The node that a load balancer picks: that of `home` if it lives, else any."""
        if home in self.nodes:
            return self.nodes[home]
        return self.random.choice(list(self.nodes.values())) if self.nodes else None

    # ------------------------------------------------------------------ lives of nodes

    def _start(self, place: int) -> None:
        if place not in self.nodes:
            if self.plan.nodes == 1:
                self.disk.recover(self.bug.barrier)
            self.nodes[place] = Node(self, place)

    def kill(self, node: Node) -> None:
        """SIGKILL; something starts it again after a while."""
        if self.nodes.get(node.place) is not node:
            return
        del self.nodes[node.place]
        node.kill()
        for connection in self.connections:
            if connection.node is node:
                connection.die()
        self.loop.call_later(self.random.uniform(0.05, 1.5), self._start, node.place)

    async def stop(self, node: Node) -> None:
        """SIGTERM: it closes its sockets, commits what waits, and ends."""
        if node not in self._stopping:
            self._stopping.add(node)
            await node.stop()
            self.kill(node)


def simulate(seed: int, bug: Bug = NONE) -> World:
    """Runs one seed to its end, with the bug planted already. Raises Violation, or whatever broke."""
    global_random.seed(seed)  # the journal's jitter
    world = World(seed, bug)
    virtual.run(world.run())
    return world
