"""The goals of the benchmark, and what a run says of each: reached, or by how much not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from loadtests.fanout.peers import COLLAB, NODE_PEERS
from loadtests.fanout.scenarios import CROWD

Results = dict[str, Any]
OURS = COLLAB.name


@dataclass(frozen=True)
class Verdict:
    """One goal: our figure against the best peer's. `ratio` is ours over theirs; `reached` is None if unmeasured."""

    what: str
    goal: str
    ours: str
    best: str
    ratio: float | None
    reached: bool | None


@dataclass(frozen=True)
class Goal:
    """One line of the table: where to find the figure, which way is better, and the ratio to reach."""

    what: str
    goal: str
    path: tuple[str, ...]
    figure: str
    unit: str
    ratio: float
    more_is_better: bool = False
    peers: tuple[str, ...] | None = None  # None: all of them
    complete: str = ""  # a row counts only if this figure is true

    def verdict(self, results: Results) -> Verdict:
        """Holds our figure against the best peer's of the same run."""
        rows = {name: row for name, row in _at(results, self.path).items() if row}
        values = {name: float(row[self.figure]) for name, row in rows.items() if self._counts(row)}
        ours = values.pop(OURS, None)
        rivals = {name: value for name, value in values.items() if self._rivals(name)}
        if ours is None or not rivals:
            return self._one_sided(ours, tried=any(map(self._rivals, rows)))
        best = (max if self.more_is_better else min)(rivals, key=lambda name: rivals[name])
        ratio = ours / rivals[best] if rivals[best] else float("inf")
        reached = ratio >= self.ratio if self.more_is_better else ratio <= self.ratio
        return Verdict(self.what, self.goal, self._show(ours), f"{self._show(rivals[best])} ({best})", ratio, reached)

    def _one_sided(self, ours: float | None, tried: bool) -> Verdict:
        """A goal is reached if we carry what no peer could, and open if either side was not measured."""
        shown = "not measured" if ours is None else self._show(ours)
        best = "none carries it" if tried else "not measured"
        return Verdict(self.what, self.goal, shown, best, None, True if ours is not None and tried else None)

    def _rivals(self, name: str) -> bool:
        return name != OURS and (self.peers is None or name in self.peers)

    def _counts(self, row: dict[str, Any]) -> bool:
        return not self.complete or bool(row[self.complete])

    def _show(self, value: float) -> str:
        digits = 0 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
        return f"{value:,.{digits}f} {self.unit}".strip()


def _at(results: Results, path: Iterable[str]) -> dict[str, Any]:
    found: Any = results
    for step in path:
        found = found.get(step, {})
    return dict(found)


def _highest(letter: str, goal: str, ratio: float, peers: tuple[str, ...] | None) -> Goal:
    return Goal(
        *(f"{letter} highest deliveries/s", goal, ("highest", letter), "deliveries_s", "", ratio),
        more_is_better=True,
        peers=peers,
    )


def _cost(letter: str) -> Goal:
    what = f"{letter} server CPU per 100k deliveries at 20k/s"
    return Goal(what, "half the best peer's", ("equal", letter), "cpu_s_per_100k", "s", 0.5, complete="sustained")


GOALS = (
    _highest("A", "4 times the best Node peer", 4, NODE_PEERS),
    _highest("B", "4 times the best Node peer", 4, NODE_PEERS),
    _highest("C", "5 times the best peer", 5, None),
    Goal("D p50 at light load", "not above the best peer's", ("light",), "p50_ms", "ms", 1, complete="sustained"),
    Goal("D p99 at light load", "not above the best peer's", ("light",), "p99_ms", "ms", 1, complete="sustained"),
    Goal("E until all 500 have it", "half the best peer's", ("storm",), "all_s", "s", 0.5, complete="complete"),
    Goal("F bytes per idle connection", "not above the best peer's", ("memory",), "connection_bytes", "B", 1),
    Goal("F bytes per loaded document", "not above the best peer's", ("memory",), "document_bytes", "B", 1),
    Goal(
        *(f"G CPU of {CROWD} cursors at 10 Hz", "half the best peer's", ("presence", str(CROWD))),
        *("server_cpu_pct", "%", 0.5),
        complete="sustained",
    ),
    *(_cost(letter) for letter in "ABC"),
)


def verdicts(results: Results) -> list[Verdict]:
    """All goals, in the order of the table; the hump last."""
    return [*(goal.verdict(results) for goal in GOALS), *(hump_verdict(results, letter) for letter in ("A", "C"))]


def hump_verdict(results: Results, letter: str) -> Verdict:
    """Our processor time at every rate below the highest, against that at the highest; peers do not enter."""
    what, goal = f"{letter} hump: CPU below the highest rate", "never above the highest's"
    points = results.get("hump", {}).get(letter, {}).get(OURS, [])
    if len(points) < 2:
        return Verdict(what, goal, "not measured", "", None, None)
    cpu: Callable[[Any], float] = lambda row: float(row["server_cpu_pct"])  # noqa: E731
    most, top = max(map(cpu, points[:-1])), cpu(points[-1])
    return Verdict(what, goal, f"{most:.0f} %", f"{top:.0f} % at the highest", most / top, most <= top)
