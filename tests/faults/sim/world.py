"""One run: people, a node that is killed and started again, bad weather, then a calm in which all must agree."""

from __future__ import annotations

import asyncio
import random as global_random
from collections.abc import Callable
from random import Random

from collab.crdt.clocks import Clocks
from collab.crdt.gate import check
from collab.errors import StorageUnavailable
from tests.faults.sim import loop as virtual
from tests.faults.sim.bugs import NONE, Bug
from tests.faults.sim.disk import Disk
from tests.faults.sim.node import Node
from tests.faults.sim.people import Author, Connection, Poller, RestWriter, Tab, covers
from tests.faults.sim.plan import Plan
from tests.faults.sim.replica import Replica
from tests.faults.sim.wire import Violation

CALM_S = 120.0  # how long everybody may take to agree once the weather is fine
TEN_YEARS_S = 3.2e8


class World:
    """Everything of one seed. `trace` is a digest-able record: equal for equal seeds."""

    def __init__(self, seed: int, bug: Bug = NONE) -> None:
        self.random = Random(seed)
        self.bug = bug
        self.plan = Plan.draw(self.random)
        self.disk = Disk(self.random)
        self.stormy = True
        self.disk_away = False
        self.node: Node | None = None
        self.connections: list[Connection] = []
        self.acks = 0
        self.failed: BaseException | None = None
        self.loop: virtual.VirtualLoop
        self._offset_s = 0.0

    def wall_clock(self) -> float:
        """Unix seconds, as somebody has set them."""
        return 1.8e9 + self.loop.time() + self._offset_s

    def must_be_safe(self, document: str, update: bytes, what: str) -> None:
        """Raises unless a power cut right now would keep it."""
        kept = self.disk.synced.get(document)
        if not covers(kept.clocks if kept else Clocks(), update):
            raise Violation(f"acknowledged, but not on disk: {what} in {document} at {self.loop.time():.3f} s")

    async def run(self) -> None:
        """The whole story. Raises Violation."""
        self.loop = asyncio.get_running_loop()  # type: ignore[assignment]
        self.loop.set_exception_handler(self._note)
        self._start()
        self._cast()
        self._schedule()
        await asyncio.sleep(self.plan.seconds)
        self.stormy = self.disk_away = False
        for connection in self.connections:
            connection.freeze(False)
            connection.server.down.seconds_per_byte = 0.0
        if self.node is None:
            self._start()
        if self.plan.closings and self.plan.sibling_share:
            # What a closed tab told only its siblings reaches the server when one of them comes back, and not before.
            await asyncio.sleep(1.0)
            for tab in self.tabs:
                tab.hang_up()
        await self._settle()
        self._agree()

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
        self.jobs = [self._job(person.run()) for person in (*self.tabs, *self.rest, *self.pollers)]

    def _job(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.loop.create_task(work)  # type: ignore[arg-type]
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None and self.failed is None:
            self.failed = task.exception()

    # ------------------------------------------------------------------ the weather

    def _schedule(self) -> None:
        plan = self.plan
        for at, lasts in plan.outages:
            self._at(at, lambda: setattr(self, "disk_away", True))
            self._at(at + lasts, lambda: setattr(self, "disk_away", False))
        for times, fault in (
            (plan.kills, self._kill),
            (plan.cuts, self._cut),
            (plan.freezes, self._freeze),
            (plan.drops, self._drop),
            (plan.closings, self._close_tab),
            (plan.evictions, self._evict),
            (plan.clock_jumps, self._jump),
        ):
            for at in times:
                self._at(at, fault)

    def _at(self, at: float, fault: Callable[[], None]) -> None:
        self.loop.call_at(at, lambda: fault() if self.stormy else None)

    def _start(self) -> None:
        if self.node is None:
            self.disk.recover(self.bug.barrier)
            self.node = Node(self)

    def _kill(self) -> None:
        if self.node is not None:
            node, self.node = self.node, None
            node.kill()
            for connection in self.connections:
                if connection.node is node:
                    connection.die()
            self.loop.call_later(self.random.uniform(0.05, 1.5), self._start)

    def _cut(self) -> None:
        self._kill()
        self.disk.cut()

    def _freeze(self) -> None:
        if self.connections:
            connection = self.random.choice(self.connections[-6:])
            connection.freeze(True)
            self.loop.call_later(self.random.uniform(0.1, 8.0), connection.freeze, False)

    def _drop(self) -> None:
        self.random.choice(self.tabs).hang_up()

    def _close_tab(self) -> None:
        tab = self.random.choice(self.tabs)
        if not tab.closed:
            tab.close()
            fresh = Tab(self, tab.document, 1000 + len(self.jobs))
            fresh.siblings = [other for other in self.tabs if other.document == tab.document and not other.closed]
            self.tabs.append(fresh)
            self.jobs.append(self._job(fresh.run()))

    def _evict(self) -> None:
        if self.node is not None and self.node.hub.slots:
            document = self.random.choice(list(self.node.hub.slots))
            self.node.hub.evict(document, StorageUnavailable("this room had to be restarted"))

    def _jump(self) -> None:
        self._offset_s += self.random.choice((-1, 1)) * TEN_YEARS_S

    # ------------------------------------------------------------------ the calm

    async def _settle(self) -> None:
        until = self.loop.time() + CALM_S
        while not self._at_rest():
            if self.failed is not None:
                raise self.failed
            if self.loop.time() > until:
                raise Violation(f"no rest {CALM_S:.0f} s after the last fault: {self._unrest()}")
            await asyncio.sleep(0.5)
        if self.failed is not None:
            raise self.failed

    def _open_tabs(self) -> list[Tab]:
        return [tab for tab in self.tabs if not tab.closed]

    def _at_rest(self) -> bool:
        return self.node is not None and not self._unrest() and self._quiet()

    def _quiet(self) -> bool:
        """Nothing is under way, from a server that has died meanwhile either."""
        live = [c for c in self.connections if c.tab.server is c.server]
        node = self.node
        if node is None or node.journal.waiting_bytes or any(slot.room.dirty for slot in node.hub.slots.values()):
            return False
        return not any(c.up or c.server.down for c in live)

    def _unrest(self) -> list[str]:
        wrong = [
            f"tab {t.client}: saved {t.saved} of {len(t.mine)}, synced {t.synced}, answered {t.answered}"
            for t in self._open_tabs()
            if not t.at_rest
        ]
        wrong += [f"rest {r.client}: {r.saved} of {len(r.mine)}" for r in self.rest if r.saved < len(r.mine)]
        for poller in self.pollers:
            kept = self.disk.synced.get(poller.document)
            if kept is not None and poller.seq < kept.seq:
                wrong.append(f"poller at {poller.seq} of {kept.seq}")
        return wrong

    def _agree(self) -> None:
        stored = {document: self._stored(document) for document in self.disk.synced}
        people: list[Tab | Poller] = [*self._open_tabs(), *self.pollers]
        for person in people:
            content = person.replica.content()
            if content != stored.get(person.document, Replica().content()):
                raise Violation(f"{type(person).__name__} and the log of {person.document} differ at rest")
            self._waits_in_vain(person)
        authors: list[Author] = [*self.tabs, *self.rest]
        for author in authors:
            for number in range(author.saved):
                self.must_be_safe(author.document, author.mine[number], f"edit {number} of client {author.client}")

    def _waits_in_vain(self, person: Tab | Poller) -> None:
        """What a replica still holds back may only wait for what died with a closed tab."""
        for update in person.replica.pending:
            checked = check(update)
            if self.disk.synced[person.document].clocks.is_ready(checked):
                raise Violation(f"a {type(person).__name__} waits for what the log of {person.document} holds")

    def _stored(self, document: str) -> str:
        """The content of the whole log, and of what a load gives: they must be the same."""
        whole, loaded = Replica(), Replica()
        for row in self.disk.read(document, 0, 1_000_000):
            for entry in row.entries:
                whole.apply(entry.update)
        found = self.disk.load(document)
        assert found is not None
        if found.checkpoint is not None:
            loaded.apply(found.checkpoint.state)
        for row in found.rows:
            for entry in row.entries:
                loaded.apply(entry.update)
        if whole.pending or loaded.pending:
            raise Violation(f"the log of {document} holds updates whose dependencies it does not hold")
        if whole.content() != loaded.content():
            raise Violation(f"a load of {document} is not what its log says")
        return whole.content()


def simulate(seed: int, bug: Bug = NONE) -> World:
    """Runs one seed to its end. Raises Violation, or whatever broke."""
    global_random.seed(seed)  # the journal's jitter
    with bug.planted():
        world = World(seed, bug)
        virtual.run(world.run())
    return world
