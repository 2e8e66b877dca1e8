"""What is measured: the shapes of load, and how much time a pace gives to each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadtests.fanout.measure import Load


@dataclass(frozen=True)
class Shape:
    """Who is in which room. `start` is the first rate of the search, in updates a second and writer."""

    rooms: int
    clients: int
    writers: int
    start: float = 1.0

    @property
    def fanout(self) -> int:
        """Deliveries that one round of keystrokes (one by every writer) causes."""
        return self.rooms * self.writers * (self.clients - 1)

    def at(self, rate: float, pace: Pace) -> Load:
        """This shape under so many updates a second and writer."""
        return Load(self.rooms, self.clients, self.writers, rate, window_s=pace.window_s, warm_s=pace.warm_s)

    def at_deliveries(self, deliveries_s: float, pace: Pace) -> Load:
        """This shape at so many deliveries a second."""
        return self.at(deliveries_s / self.fanout, pace)


SHAPES = {
    "A": Shape(rooms=1, clients=100, writers=10, start=100),
    "B": Shape(rooms=1, clients=1000, writers=5, start=20),
    "C": Shape(rooms=200, clients=5, writers=5, start=20),
}
SHAPE_TITLES = {
    "A": "1 room of 100 clients, 10 write",
    "B": "1 room of 1,000 clients, 5 write",
    "C": "200 rooms of 5 clients, all write",
}

LIGHT_RATE = 2.0  # updates a second and writer in shape A: about what people type
EQUAL_DELIVERIES_S = 20_000.0  # the rate at which every server's cost is compared
STORM_CLIENTS = 500
IDLE_ROOMS, IDLE_FIRST, IDLE_MORE = 10, 1_000, 5_000
DOCUMENTS_FIRST, DOCUMENTS_MORE = 20, 60
CURSOR_RATE = 10.0
CROWD = 200  # people moving cursors at once
CURVE_WRITERS = 5  # in the curve over clients
CURVE_CLIENTS = 100  # in the curve over writers


@dataclass(frozen=True)
class Pace:
    """How thoroughly to measure. `rounds` is how often each figure is taken; the median counts."""

    name: str
    window_s: float
    warm_s: float
    rounds: int
    hump_points: int
    crowds: tuple[int, ...]
    curve_clients: tuple[int, ...]
    curve_writers: tuple[int, ...]
    minutes_per_server: float  # as it took on two cores; the budget is held by the clock, not by this

    def longer(self, factor: float) -> Pace:
        """The same with windows so many times as long."""
        return replace(self, window_s=self.window_s * factor)


QUICK = Pace("quick", 1.5, 0.7, 1, 3, (CROWD,), (), (), minutes_per_server=3.5)
BRIEF = Pace("brief", 1.5, 0.7, 3, 4, (50, CROWD), (10, 100, 500, 2000), (1, 10, 100), minutes_per_server=9)
FULL = Pace(
    *("full", 3.0, 1.0, 3, 6, (25, 50, 100, CROWD, 400)),
    *((10, 30, 100, 300, 1000, 2000), (1, 3, 10, 30, 100)),
    minutes_per_server=18,
)
PACES = (QUICK, BRIEF, FULL)


def pace_for(budget_min: float, servers: int) -> Pace:
    """The most thorough pace that should fit into the budget; the quick one if none does."""
    fitting = [pace for pace in PACES if pace.minutes_per_server * servers <= budget_min]
    return fitting[-1] if fitting else QUICK
