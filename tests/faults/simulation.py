"""Faults by the thousand, on a virtual clock: `python -m tests.faults.simulation --rounds 1000 --seed 1`.

Every seed is a whole life of one node with a database of its own, or of two or three that share one and a bus: people
type over connections that stall and break, the database refuses, forgets and loses its power, the bus loses, delays,
doubles and reorders, nodes are killed and cut off; then it is calm, and everybody must hold the same. `--bug NAME`
plants a mistake and passes when it is found. A seed that fails is printed and can be run alone with `--rounds 1 --seed
N`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import NoReturn

import structlog

from tests.faults.sim.bugs import BUGS, NONE, Bug
from tests.faults.sim.plan import Plan
from tests.faults.sim.world import World, simulate

STRETCH = 100  # seeds that one process runs before it tells


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


def silence() -> None:
    """The runtime's log lines would be the slowest part of it."""
    structlog.configure(processors=[_drop], cache_logger_on_first_use=True)


def fails(seed: int, bug: Bug = NONE) -> tuple[BaseException | None, World | None]:
    """What broke, or the world that held."""
    with bug.planted():
        try:
            return None, simulate(seed, bug)
        except Exception as error:
            return error, None


def hunt(bug: Bug, seeds: range) -> int | None:
    """The first seed that finds the planted mistake."""
    return next((seed for seed in seeds if fails(seed, bug)[0] is not None), None)


@dataclass(frozen=True, slots=True)
class Tally:
    """What some seeds came to."""

    seeds: int = 0
    acks: int = 0
    virtual_s: float = 0.0
    broken: tuple[tuple[int, str], ...] = ()

    def __add__(self, more: Tally) -> Tally:
        return Tally(
            self.seeds + more.seeds,
            self.acks + more.acks,
            self.virtual_s + more.virtual_s,
            self.broken + more.broken,
        )


def stretch(seeds: range) -> Tally:
    """Runs these seeds."""
    tally = Tally()
    for seed in seeds:
        error, world = fails(seed)
        if world is not None:
            tally += Tally(1, world.acks, world.loop.time())
        else:
            tally += Tally(1, broken=((seed, f"{type(error).__name__}: {error}"),))
    return tally


def campaign(seeds: range, jobs: int, every_s: float, until_s: float) -> Tally:
    """Runs the seeds in so many processes, telling how far it has come; ends early when the time is over."""
    began = told = time.monotonic()
    tally = Tally()
    stretches = [seeds[start : start + STRETCH] for start in range(0, len(seeds), STRETCH)]
    with ProcessPoolExecutor(jobs, initializer=silence) if jobs > 1 else nullcontext() as pool:
        # A few at a time, so that the end is not far when it is wanted.
        for start in range(0, len(stretches), 4 * jobs):
            some = stretches[start : start + 4 * jobs]
            for part in pool.map(stretch, some) if pool else map(stretch, some):
                tally += part
                for seed, error in part.broken:
                    sys.stdout.write(f"seed {seed}: {error}\n")
                now = time.monotonic()
                if now - told > every_s or tally.seeds == len(seeds):
                    told = now
                    tell(tally, now - began)
            if time.monotonic() - began > until_s:
                tell(tally, time.monotonic() - began)
                break
    return tally


def tell(tally: Tally, seconds: float) -> None:
    """One line."""
    sys.stdout.write(
        f"{tally.seeds:,} seeds, {len(tally.broken)} failures, {tally.acks:,} acks checked, "
        f"{tally.virtual_s / 3600:.1f} simulated hours, {tally.seeds / seconds:.0f} seeds/s\n"
    )
    sys.stdout.flush()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share them")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between lines")
    parser.add_argument("--bug", choices=[*BUGS, "all"], help="plant this mistake: it must be found")
    options = parser.parse_args()
    silence()
    seeds = range(options.seed, options.seed + options.rounds)
    if options.bug:
        names = list(BUGS) if options.bug == "all" else [options.bug]
        return max(tell_hunt(name, seeds) for name in names)
    if len(seeds) == 1:
        return tell_story(options.seed)
    return 1 if campaign(seeds, options.jobs, options.every, options.minutes * 60.0).broken else 0


def tell_story(seed: int) -> int:
    """Runs one seed: what it decided, and where it broke."""
    error, _ = fails(seed)
    sys.stdout.write(f"{Plan.draw(Random(seed))}\n")
    if error is not None:
        traceback.print_exception(error, limit=-4, file=sys.stdout)
    return 0 if error is None else 1


def tell_hunt(name: str, seeds: range) -> int:
    """Plants one bug; 0 if a seed found it."""
    seed = hunt(BUGS[name], seeds)
    if seed is None:
        sys.stdout.write(f"{name}: NOT found in {len(seeds)} seeds\n")
        return 1
    error, _ = fails(seed, BUGS[name])
    sys.stdout.write(f"{name}: found by seed {seed} (number {seed - seeds.start + 1}): {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
