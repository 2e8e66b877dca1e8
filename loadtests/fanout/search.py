"""Finds the highest rate that a server sustains: a ramp until it breaks, then halving the gap."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from loadtests.fanout.measure import Measurement

RAMP = 2.5  # each step of the ramp is so many times the last
CLOSE_ENOUGH = 1.10  # ratio between the lowest rate that failed and the highest that held
STEPS_MAX = 24
LOWEST = 1 / 40  # of the first rate; a server that does not hold that holds nothing worth a figure


@dataclass(frozen=True)
class Found:
    """The highest rate that held (updates a second and writer), what was measured there (None if none held).

    `broke` is what went wrong at the lowest rate that did not hold.
    """

    rate: float
    at: Measurement | None
    broke: str = ""


Try = Callable[[float], Measurement]


def climb(attempt: Try, start: float, ramp: float = RAMP, close: float = CLOSE_ENOUGH) -> Found:
    """Ramps up from `start` until a rate fails (down, if the first one does), then closes the gap.

    A rate at which a ramp ends, or with which it begins, must fail twice: one late window would hide all above it.
    """
    held, failed, rate = Found(0.0, None), math.inf, start
    for _ in range(STEPS_MAX):
        measured = attempt(rate)
        if not measured.sustained and not (held.rate and math.isfinite(failed)):
            measured = attempt(rate)
        if measured.sustained:
            held = Found(rate, measured, held.broke)
            if measured.generator_bound:
                return held  # more would measure the generator
        else:
            failed, held = rate, replace(held, broke=measured.fault)
        if failed <= max(close * held.rate, LOWEST * start):
            return held
        rate = _next(held.rate, failed, ramp)
    return held


def _next(held: float, failed: float, ramp: float) -> float:
    if math.isinf(failed):
        return held * ramp
    if held == 0:
        return failed / ramp
    return math.sqrt(held * failed)


def again(attempt: Try, before: float) -> Found:
    """A later round: the rate found before, then up or down in small steps until the other side is seen."""
    if before <= 0:
        return Found(0.0, None)
    measured = attempt(before)
    held = Found(before, measured) if measured.sustained else Found(0.0, None, measured.fault)
    step = CLOSE_ENOUGH if measured.sustained else 1 / CLOSE_ENOUGH
    rate = before
    for _ in range(3):
        if measured.sustained and measured.generator_bound:
            return held
        rate *= step
        measured = attempt(rate)
        held = Found(rate, measured, held.broke) if measured.sustained else replace(held, broke=measured.fault)
        if measured.sustained != (step > 1):
            return held
    return held
