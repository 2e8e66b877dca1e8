"""A clock that moves only when told."""

from __future__ import annotations


class Clock:
    """Call it for the time in seconds; `pass_s` lets time go by."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        """Forward, or back if negative."""
        self.now += seconds
