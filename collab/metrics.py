"""Counts of this node as plain integers; Prometheus reads them only when it asks."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counters:
    """Added to on the hot path, so no object per event. `sockets` is a gauge, all others only grow."""

    sockets: int = 0
    frames_in: int = 0
    frames_out: int = 0
    updates_in: int = 0
    ticks: int = 0
    tick_failures: int = 0
    rooms_opened: int = 0
    rooms_unloaded: int = 0
    open_failures: int = 0
    slow_readers: int = 0
    folds: int = 0
    answers_made: int = 0  # to step 1: one is made for all who ask the same of a document that has not changed
    gaps_filled: int = 0  # rooms brought up to date from the log, because a frame of another node was not heard
    rows_from_log: int = 0
    bus_failures: int = 0
    task_failures: int = 0  # of what goes on for as long as the node does, and was begun again

    def items(self) -> list[tuple[str, int]]:
        """(name, value) of each."""
        return [(f.name, getattr(self, f.name)) for f in fields(self)]


class Refusals:
    """How often each error code was given, by where."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def count(self, where: str, code: str) -> None:
        """`where` is "socket" or "rest"."""
        key = (where, code)
        self.counts[key] = self.counts.get(key, 0) + 1
