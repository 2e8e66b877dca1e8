"""What goes wrong, and when: the plan's faults, carried out on whoever is there at that moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from collab.errors import StorageUnavailable
from tests.faults.sim.broker import SimBus
from tests.faults.sim.people import Tab

if TYPE_CHECKING:
    from tests.faults.sim.node import Node
    from tests.faults.sim.world import World

TEN_YEARS_S = 3.2e8


class Weather:
    """Sets a timer for each fault; in the calm none does anything."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random

    def schedule(self) -> None:
        """All of the plan."""
        plan = self._world.plan
        for times, fault in (
            (plan.kills, self._kill),
            (plan.stops, self._stop),
            (plan.cuts, self._cut),
            (plan.crashes, self._crash),
            (plan.freezes, self._freeze),
            (plan.drops, self._drop),
            (plan.closings, self._close_tab),
            (plan.evictions, self._evict),
            (plan.clock_jumps, self._jump),
            (plan.stalls, self._stall),
        ):
            for at in times:
                self._at(at, fault)
        for spans, begins in (
            (plan.outages, self._outage),
            (plan.exiles, self._exile),
            (plan.broker_deaths, self._broker_dies),
            (plan.partitions, self._partition),
        ):
            for at, lasts in spans:
                self._at(at, lambda begins=begins, lasts=lasts: begins(lasts))

    def clear(self) -> None:
        """The calm: all that was away comes back."""
        world = self._world
        world.stormy = world.disk_away = world.broker.stormy = False
        world.exiled.clear()
        if not world.broker.alive:
            world.broker.revive()
        for bus in list(world.broker.buses):
            if bus.cut_off:
                bus.heals()
        for connection in world.connections:
            connection.freeze(False)
            connection.server.down.seconds_per_byte = 0.0

    def _at(self, at: float, fault: Callable[[], None]) -> None:
        self._world.loop.call_at(at, lambda: fault() if self._world.stormy else None)

    def _after(self, seconds: float, ends: Callable[[], None]) -> None:
        self._at(self._world.loop.time() + seconds, ends)

    def _somebody(self) -> Node | None:
        nodes = list(self._world.nodes.values())
        return self._random.choice(nodes) if nodes else None

    # ------------------------------------------------------------------ nodes and their database

    def _kill(self) -> None:
        node = self._somebody()
        if node is not None:
            self._world.kill(node)

    def _stop(self) -> None:
        node = self._somebody()
        if node is not None:
            self._world.loop.create_task(self._world.stop(node))

    def _cut(self) -> None:
        """The machine with the database loses its power; if that is the node's own, the node goes with it."""
        if self._world.plan.nodes == 1:
            self._kill()
        else:
            self._restart()
        self._world.disk.cut()

    def _crash(self) -> None:
        self._restart()
        self._world.disk.recover(True)

    def _restart(self) -> None:
        self._world.disk.crashes += 1
        self._outage(self._random.uniform(0.0, 1.0))

    def _outage(self, seconds: float) -> None:
        self._world.disk_away = True
        self._after(seconds, lambda: setattr(self._world, "disk_away", False))

    def _exile(self, seconds: float) -> None:
        place = self._random.randrange(self._world.plan.nodes)
        self._world.exiled.add(place)
        self._after(seconds, lambda: self._world.exiled.discard(place))

    def _evict(self) -> None:
        node = self._somebody()
        if node is not None and node.hub.slots:
            document = self._random.choice(list(node.hub.slots))
            node.hub.evict(document, StorageUnavailable("this room had to be restarted"))

    def _jump(self) -> None:
        self._world.offset_s += self._random.choice((-1, 1)) * TEN_YEARS_S

    # ------------------------------------------------------------------ the bus

    def _broker_dies(self, seconds: float) -> None:
        self._world.broker.die()
        self._after(seconds, self._world.broker.revive)

    def _partition(self, seconds: float) -> None:
        for bus in self._one_bus():
            bus.cut(seconds)

    def _stall(self) -> None:
        for bus in self._one_bus():
            bus.stall(self._random.uniform(0.1, 3.0))

    def _one_bus(self) -> list[SimBus]:
        buses = self._world.broker.buses
        return [self._random.choice(buses)] if buses else []

    # ------------------------------------------------------------------ people

    def _freeze(self) -> None:
        if self._world.connections:
            connection = self._random.choice(self._world.connections[-6:])
            connection.freeze(True)
            self._world.loop.call_later(self._random.uniform(0.1, 8.0), connection.freeze, False)

    def _drop(self) -> None:
        self._random.choice(self._world.tabs).hang_up()

    def _close_tab(self) -> None:
        world = self._world
        tab = self._random.choice(world.tabs)
        if not tab.closed:
            tab.close()
            fresh = Tab(world, tab.document, 1000 + len(world.tabs))
            fresh.siblings = [other for other in world.tabs if other.document == tab.document and not other.closed]
            world.tabs.append(fresh)
            world.job(fresh.run())
