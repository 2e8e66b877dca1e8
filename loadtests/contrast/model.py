"""What each thing costs the server, fitted to the runs; from that, break-even lines and larger crowds.

Per kind, the rates of a few events explain the processor time (and the bytes) of a run: requests of each sort, edits
in, frames out. Their unit costs are fitted by least squares of the relative error, none below zero, over all runs in
which the server was not saturated. The error of the fit is shown beside the figures.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from loadtests.contrast.archive import Archive
from loadtests.contrast.shape import KINDS

Row = Mapping[str, Any]
SATURATED = 0.8  # of a core; above it queues, not work, decide
SHARE_MIN = 0.002  # below it a window is all rounding
FITTED = ("kinds", "idle", "users", "edits", "interval", "ratio")
GIB_PER_CORE = 7.5  # memory that costs as much as a core where both are rented (about the same at large providers)
KEPT_S = 5.0  # uvicorn closes a kept connection after this much silence
WAIT_S = 25.0

EVENTS: dict[str, tuple[str, ...]] = {
    "socket": ("person", "edit in", "edit out"),
    "events": ("person", "POST", "event and fetch"),
    "longpoll": ("person", "POST", "answered poll"),
    "diff": ("empty poll", "POST", "answered poll"),
    "poll": ("empty poll", "POST", "answered poll"),
}


def rates(row: Row) -> dict[str, float]:
    """Of every event in a run, per second."""
    found = row["polls_s"] * (1 - row["empty_share"])
    return {
        "person": float(row["shape"]["users"]),
        "edit in": row["edits_s"],
        "edit out": row["deliveries_s"],
        "POST": row["posts_s"],
        "event and fetch": found,
        "answered poll": found,
        "empty poll": row["polls_s"] * row["empty_share"],
    }


@dataclass(frozen=True)
class Fit:
    """Unit costs of one kind; `error` is the median relative miss over `runs` runs."""

    units: dict[str, float]
    error: float
    runs: int


def fit(rows: Sequence[Row], kind: str, value: Callable[[Row], float]) -> Fit:
    """Unit costs of a kind's events. An event that never happened, or explains nothing, costs 0."""
    names = EVENTS[kind]
    usable = [row for row in rows if row["shape"]["kind"] == kind and value(row) > 0]
    samples = [([rates(row)[name] for name in names], value(row)) for row in usable]
    best: tuple[float, list[float]] = (math.inf, [0.0] * len(names))
    for size in range(1, len(names) + 1):
        for chosen in combinations(range(len(names)), size):
            units = _solve(samples, chosen, len(names))
            if units and min(units) >= 0 and (miss := _miss(samples, units)) < best[0]:
                best = miss, units
    misses = [abs(_total(each, best[1]) - wanted) / wanted for each, wanted in samples]
    error = statistics.median(misses) if misses else 0.0
    return Fit(dict(zip(names, best[1], strict=True)), error, len(samples))


Samples = Sequence[tuple[Sequence[float], float]]


def _total(events: Sequence[float], units: Sequence[float]) -> float:
    return sum(map(float.__mul__, map(float, events), units))


def _miss(samples: Samples, units: Sequence[float]) -> float:
    return sum(((_total(events, units) - wanted) / wanted) ** 2 for events, wanted in samples)


def _solve(samples: Samples, chosen: Sequence[int], width: int) -> list[float]:
    """Least squares of the relative error in the chosen events; empty if they cannot be told apart."""
    scaled = [[events[index] / wanted for index in chosen] for events, wanted in samples]
    matrix = [[sum(row[i] * row[j] for row in scaled) for j in range(len(chosen))] for i in range(len(chosen))]
    right = [sum(row[i] for row in scaled) for i in range(len(chosen))]
    found = _gauss(matrix, right)
    units = [0.0] * width
    for index, unit in zip(chosen, found, strict=False):
        units[index] = unit
    return units if found else []


def _gauss(matrix: list[list[float]], right: list[float]) -> list[float]:
    size = len(right)
    table = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(table[row][column]))
        if abs(table[pivot][column]) < 1e-9 * max(1e-30, max(abs(row[column]) for row in matrix)):
            return []
        table[column], table[pivot] = table[pivot], table[column]
        for row in range(size):
            if row != column:
                factor = table[row][column] / table[column][column]
                table[row] = [a - factor * b for a, b in zip(table[row], table[column], strict=True)]
    return [table[row][size] / table[row][row] for row in range(size)]


@dataclass(frozen=True)
class Costs:
    """Unit costs of all kinds: processor seconds and bytes on the wire per event, resident bytes per person."""

    cpu: dict[str, Fit]
    wire: dict[str, Fit]
    memory: dict[str, float]

    @classmethod
    def of(cls, archive: Archive) -> Costs:
        """Fitted to what was measured."""
        rows = [row for section in FITTED for row in archive.section(section)]
        calm = [row for row in rows if SHARE_MIN < row["server_cpu_share"] < SATURATED and not row["faults"]]
        idle = float(archive.facts.get("idle_share", 0.0))  # of the server alone
        memory = {row["shape"]["kind"]: max(0.0, row["bytes_per_user"]) for row in archive.section("memory")}
        return cls(
            {kind: fit(calm, kind, lambda row: max(0.0, row["server_cpu_share"] - idle)) for kind in KINDS},
            {kind: fit(calm, kind, lambda row: float(row["wire_bytes_s"])) for kind in KINDS},
            {kind: memory.get(kind, 0.0) for kind in KINDS},
        )

    def cpu_share(self, kind: str, load: Load) -> float:
        """Cores per person."""
        return _priced(self.cpu[kind], kind, load)

    def wire_bytes_s(self, kind: str, load: Load) -> float:
        """Bytes a second and person, both directions, headers of every layer included."""
        return _priced(self.wire[kind], kind, load)

    def memory_bytes(self, kind: str, load: Load) -> float:
        """Per person, on average over time: a poller whose connection was closed in between holds nothing."""
        share = min(1.0, KEPT_S / load.interval_s) if kind in ("diff", "poll") else 1.0
        return self.memory[kind] * share

    def price(self, kind: str, load: Load) -> float:
        """Processor and memory together, in cores per person."""
        return self.cpu_share(kind, load) + self.memory_bytes(kind, load) / (GIB_PER_CORE * 2**30)


@dataclass(frozen=True)
class Load:
    """One person's share: edits of others seen a second, own edits a second, and the poll interval."""

    seen_s: float
    own_s: float
    interval_s: float


def happening(kind: str, load: Load) -> dict[str, float]:
    """How often each event happens for one person. Key presses come at random, so that some share a poll."""
    hit = 1 - math.exp(-load.seen_s * load.interval_s)
    polls = 1 / load.interval_s if kind in ("diff", "poll") else 0.0
    pushed = load.seen_s if kind in ("events", "longpoll") else 0.0
    return {
        "person": 1.0,
        "edit in": load.own_s,
        "edit out": load.seen_s,
        "POST": load.own_s,
        "event and fetch": pushed,
        "answered poll": polls * hit if polls else pushed,
        "empty poll": polls * (1 - hit),
    }


def _priced(costs: Fit, kind: str, load: Load) -> float:
    events = happening(kind, load)
    return sum(unit * events[name] for name, unit in costs.units.items())


INTERVAL_S_MIN, INTERVAL_S_MAX = 0.05, 1e5


def break_even_s(cost: Callable[[str, Load], float], kind: str, seen_s: float) -> float | None:
    """The poll interval from which on polling is cheaper than a socket; None if it never is."""
    socket = cost("socket", Load(seen_s, 0.0, 1.0))
    low, high = INTERVAL_S_MIN, INTERVAL_S_MAX
    if cost(kind, Load(seen_s, 0.0, high)) > socket:
        return None
    for _ in range(60):
        middle = math.sqrt(low * high)
        if cost(kind, Load(seen_s, 0.0, middle)) > socket:
            low = middle
        else:
            high = middle
    return high


def line(cost: Callable[[str, Load], float], kind: str, seen: Iterable[float]) -> list[tuple[float, float]]:
    """The break-even line over edits seen a second."""
    found = [(seen_s, break_even_s(cost, kind, seen_s)) for seen_s in seen]
    return [(seen_s, interval_s) for seen_s, interval_s in found if interval_s is not None]
