"""Faults by the thousand, on a virtual clock: `python -m tests.faults.simulation --rounds 1000 --seed 1`.

Every seed is a whole life of a node: people type over connections that stall and break, the disk refuses, forgets and
loses its power, the process is killed; then it is calm, and everybody must hold the same. `--bug NAME` plants a mistake
and passes when it is found. A seed that fails is printed and can be run alone with `--rounds 1 --seed N`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from random import Random
from typing import NoReturn

import structlog

from tests.faults.sim.bugs import BUGS, NONE, Bug
from tests.faults.sim.plan import Plan
from tests.faults.sim.world import World, simulate


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


def silence() -> None:
    """The runtime's log lines would be the slowest part of it."""
    structlog.configure(processors=[_drop], cache_logger_on_first_use=True)


def fails(seed: int, bug: Bug = NONE) -> tuple[BaseException | None, World | None]:
    """What broke, or the world that held."""
    try:
        return None, simulate(seed, bug)
    except Exception as error:
        return error, None


def hunt(bug: Bug, seeds: range) -> int | None:
    """The first seed that finds the planted mistake."""
    return next((seed for seed in seeds if fails(seed, bug)[0] is not None), None)


def campaign(seeds: range, every_s: float, until_s: float) -> list[tuple[int, BaseException]]:
    """Runs the seeds, telling how far it has come; ends early when the time is over."""
    began = told = time.monotonic()
    found: list[tuple[int, BaseException]] = []
    acks = done = 0
    virtual_s = 0.0
    for seed in seeds:
        error, world = fails(seed)
        done += 1
        if error is not None:
            found.append((seed, error))
            sys.stdout.write(f"seed {seed}: {type(error).__name__}: {error}\n")
        elif world is not None:
            acks += world.acks
            virtual_s += world.loop.time()
        now = time.monotonic()
        if now - told > every_s or seed == seeds[-1] or now - began > until_s:
            told = now
            rate = done / (now - began)
            sys.stdout.write(
                f"{done:,} seeds, {len(found)} failures, {acks:,} acks checked, {virtual_s / 3600:.1f} "
                f"simulated hours, {rate:.0f} seeds/s\n"
            )
            sys.stdout.flush()
        if now - began > until_s:
            break
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--bug", choices=[*BUGS, "all"], help="plant this mistake: it must be found")
    options = parser.parse_args()
    silence()
    seeds = range(options.seed, options.seed + options.rounds)
    if options.bug:
        names = list(BUGS) if options.bug == "all" else [options.bug]
        return max(tell_hunt(name, seeds) for name in names)
    found = campaign(seeds, 10.0, options.minutes * 60.0)
    if found and len(seeds) == 1:
        traceback.print_exception(found[0][1], limit=-4)
        sys.stdout.write(f"{Plan.draw(Random(options.seed))}\n")
    return 1 if found else 0


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
