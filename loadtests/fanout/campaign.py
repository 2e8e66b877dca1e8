"""One benchmark: all servers in turn (A B A B), until all is measured or the time of this sitting is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from loadtests.fanout.bench import Bench
from loadtests.fanout.measure import GeneratorFailed, Load, Measurement, NotHeld
from loadtests.fanout.notebook import Notebook
from loadtests.fanout.scenarios import Pace
from loadtests.fanout.server import DiedAtStart
from loadtests.fanout.visitor import NotStored

BROKEN = (GeneratorFailed, NotHeld, NotStored, DiedAtStart, OSError, TimeoutError)
Work = Callable[[Bench, list[Any]], Any]
"""Measures one server once; given what the rounds before found for it. The result must be something JSON holds."""


@dataclass
class Campaign:
    """The servers, the pace, the clock and the notebook; sections put what they find into `results`."""

    benches: dict[str, Bench]
    pace: Pace
    deadline_s: float  # of time.monotonic()
    say: Callable[[str], None]
    book: Notebook = field(default_factory=Notebook)
    asleep: Collection[str] = ()  # servers of earlier sittings: their pieces count, none are added
    measuring: bool = True  # False: this section only tells what earlier sittings found
    results: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """All servers of the results."""
        return [*self.benches, *(name for name in self.asleep if name not in self.benches)]

    def out_of_time(self) -> bool:
        """Whether the budget is spent."""
        return time.monotonic() >= self.deadline_s

    def skip(self, title: str) -> None:
        """Notes that something was not measured for want of time."""
        if title not in self.skipped:
            self.skipped.append(title)
            self.say(f"{title}: no time left")

    def in_turn(self, title: str, rounds: int, work: Work) -> dict[str, list[Any]]:
        """Does `work` for every server, round by round; a server that breaks loses that figure, the others go on."""
        done: dict[str, list[Any]] = {name: [] for name in self.names}
        for turn in range(rounds):
            for name in self.names:
                piece = self.book.find(title, name, turn) or self._measure(title, name, turn, work, done[name])
                piece = piece or self.book.find_old(title, name, turn)
                if piece and piece["failure"]:
                    self.failures.append(f"{title}, {name}: {piece['failure']}")
                elif piece:
                    done[name].append(piece["result"])
        return done

    def _measure(self, title: str, name: str, turn: int, work: Work, before: list[Any]) -> dict[str, Any] | None:
        bench = self.benches.get(name)
        if bench is None or not self.measuring:
            return None
        if self.out_of_time():
            self.skip(title)
            return None
        try:
            bench.ready()
            self.book.note(title, name, turn, result=work(bench, before))
        except BROKEN as error:
            self.book.note(title, name, turn, failure=str(error))
            self.say(f"{title} {name}: failed: {error}")
            bench.stop()  # it starts afresh when its turn comes again
        return self.book.find(title, name, turn)

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
