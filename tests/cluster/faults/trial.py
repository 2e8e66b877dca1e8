"""Rounds of faults, and what they showed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.cluster.faults.kinds import ALL, CHEAP, DEAR, SPELL_S, Fault, during, node_stopped_long
from tests.cluster.faults.stage import Stage
from tests.patience import PATIENCE_S

PROMISED_S = 5.0
TARGETS = ("node", "postgres", "redis", "client")


@dataclass
class Findings:
    """One number per round in `seconds`: from healing until everyone was equal."""

    faults: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    edits: int = 0
    acked: int = 0
    lost: set[str] = field(default_factory=set)

    @property
    def late(self) -> int:
        """Rounds that took longer than is promised."""
        return sum(second > PROMISED_S for second in self.seconds)

    def quantile(self, share: float) -> float:
        """Seconds until everyone was equal in that share of the rounds."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def course(stage: Stage, rounds: int) -> list[Fault]:
    """Every kind in turn, shuffled; those that take long come once in ten rounds."""
    wanted: list[Fault] = []
    while len(wanted) < rounds:
        wanted += [*stage.random.sample(CHEAP, 9), stage.random.choice(DEAR)]
    return wanted[:rounds]


def thorough(stage: Stage, rounds: int) -> list[Fault]:
    """Every kind as often as the others."""
    wanted: list[Fault] = []
    while len(wanted) < rounds:
        wanted += stage.random.sample(ALL, len(ALL))
    return wanted[:rounds]


def with_stops(stage: Stage, faults: list[Fault], stops: int) -> list[Fault]:
    """`stops` of the rounds, anywhere, stop a node for 30 seconds instead."""
    for number in stage.random.sample(range(len(faults)), min(stops, len(faults))):
        faults[number] = node_stopped_long
    return faults


def together(faults: list[Fault]) -> list[list[Fault]]:
    """The same faults in fewer rounds: in each at most one of a node, of Postgres, of Redis and of a client."""
    rounds: list[list[Fault]] = []
    for fault in faults:
        fitting = (some for some in rounds if all(target(other) != target(fault) for other in some))
        found = next(fitting, None)
        if found is None:
            rounds.append(found := [])
        found.append(fault)
    return [sorted(some, key=target_order) for some in rounds]


def target(fault: Fault) -> str:
    """What it hits."""
    return fault.__name__.partition("_")[0]


def target_order(fault: Fault) -> int:
    """A node is hit first and healed last: it starts only where Postgres is."""
    return TARGETS.index(target(fault))


def run(
    stage: Stage,
    rounds: list[list[Fault]],
    spell_s: tuple[float, float],
    tell: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Edits go on throughout; after each fault everyone must become equal, and hold everything that was acked."""
    findings = Findings()
    for number, faults in enumerate(rounds):
        name = " + ".join(fault.__name__ for fault in faults)
        with ExitStack() as healing:
            for fault in faults:
                healing.enter_context(during(stage, fault))
            _spell(stage, number, max(SPELL_S.get(fault, stage.random.uniform(*spell_s)) for fault in faults))
        _pause(stage)
        seconds = stage.converge(PATIENCE_S)
        findings.faults.update(fault.__name__ for fault in faults)
        findings.seconds.append(seconds)
        findings.slowest = max(findings.slowest, (seconds, name))
        findings.lost |= stage.acked() - stage.loop.call(stage.persons[0].tokens)
        tell(f"{number + 1:4} {name:20} equal after {seconds:5.2f} s, {len(stage.acked())} acked")
        for person in stage.persons:
            person.editing = True
    findings.edits = sum(len(person.written) for person in stage.persons) + stage.puppet_tokens
    findings.acked = len(stage.acked())
    return findings


def _spell(stage: Stage, number: int, length_s: float) -> None:
    ends = time.monotonic() + length_s
    stage.puppet_edits()
    while True:
        stage.rest_edit(f"{number}.{ends - time.monotonic():.3f}")
        stage.puppet_edits()
        time.sleep(max(0.0, min(1.0, ends - time.monotonic())))
        if time.monotonic() >= ends:
            return


def _pause(stage: Stage) -> None:
    for person in stage.persons:
        person.editing = False
