"""One benchmark run: all servers in turn (A B A B), until the budget of time ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from loadtests.fanout.bench import Bench
from loadtests.fanout.measure import GeneratorFailed, Load, Measurement, NotHeld
from loadtests.fanout.scenarios import Pace
from loadtests.fanout.server import DiedAtStart
from loadtests.fanout.visitor import NotStored

Result = TypeVar("Result")
BROKEN = (GeneratorFailed, NotHeld, NotStored, DiedAtStart, OSError, TimeoutError)


@dataclass
class Campaign:
    """The servers, the pace and the clock; sections put what they find into `results`."""

    benches: dict[str, Bench]
    pace: Pace
    deadline_s: float  # of time.monotonic()
    say: Callable[[str], None]
    results: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def out_of_time(self) -> bool:
        """Whether the budget is spent."""
        return time.monotonic() >= self.deadline_s

    def skip(self, title: str) -> None:
        """Notes that something was not measured for want of time."""
        if title not in self.skipped:
            self.skipped.append(title)
            self.say(f"{title}: no time left")

    def in_turn(self, title: str, rounds: int, work: Callable[[Bench], Result]) -> dict[str, list[Result]]:
        """Does `work` for every server, round by round; a server that breaks loses that figure, the others go on."""
        done: dict[str, list[Result]] = {name: [] for name in self.benches}
        for name, bench in [*self.benches.items()] * rounds:
            if self.out_of_time():
                self.skip(title)
                break
            try:
                done[name].append(work(bench))
            except BROKEN as error:
                self.failures.append(f"{title}, {name}: {error}")
                self.say(f"{title} {name}: failed: {error}")
                bench.server.restart()
        return done

    def measured(self, title: str, bench: Bench, load: Load, quiet: bool = False) -> Measurement:
        """Measures one load and says so; `quiet` asks for a window in which nothing else ran."""
        result = bench.run(load, quiet)
        self.say(f"{title} {bench.peer.name}: {in_words(result)}")
        return result


def in_words(measured: Measurement) -> str:
    """One line of progress."""
    marks = [
        measured.fault,
        "generator-bound" if measured.generator_bound else "",
        "disturbed" if measured.disturbed else "",
    ]
    figures = [
        f"{measured.updates_s:,.0f} updates/s",
        f"{measured.deliveries_s:,.0f} deliveries/s",
        f"p50 {measured.p50_ms:.1f} p99 {measured.p99_ms:.1f} ms",
        f"server {measured.server_cpu_pct:.0f} %",
        f"generator {measured.generator_cpu_pct:.0f} %",
    ]
    return ", ".join([*figures, *(mark for mark in marks if mark)])
