"""What the people of one process did, in plain counts, and what they saw and when."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Clocks of one machine agree between processes (CLOCK_MONOTONIC), so that a stamp made by the load can be compared
# with a sighting of the probe.
now_s = time.monotonic


@dataclass(slots=True)
class Counts:
    """Monotonic counts. Requests are whole exchanges, frames are messages of sockets or event streams."""

    edits: int = 0
    posts: int = 0
    polls: int = 0
    polls_empty: int = 0
    frames_out: int = 0
    frames_in: int = 0
    joins: int = 0

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


@dataclass(slots=True)
class Stamps:
    """When each keystroke was made. A keystroke is named by what Yjs calls it: its author's id and clock.

    So the stamp costs no byte on the wire. Edits that only delete have no clock and are not timed.
    """

    clocks: dict[int, list[int]] = field(default_factory=dict)
    times: dict[int, list[float]] = field(default_factory=dict)

    def made(self, client: int, clock: int) -> None:
        """A keystroke, now."""
        clocks = self.clocks.setdefault(client, [])
        if not clocks or clocks[-1] < clock:
            clocks.append(clock)
            self.times.setdefault(client, []).append(now_s())

    def since(self, client: int, clock: int, then: int) -> list[float]:
        """When those were made that a reader who knew `then` learns of with `clock`."""
        clocks = self.clocks.get(client, [])
        return self.times.get(client, [])[bisect_left(clocks, then + 1) : bisect_left(clocks, clock + 1)]


@dataclass(slots=True)
class Sighting:
    """A reader whose screen is watched: what arrived on it, and when."""

    document: int
    known: dict[int, int] = field(default_factory=dict)
    log: list[tuple[int, int, float]] = field(default_factory=list)

    def look(self, clocks: Mapping[int, int]) -> list[tuple[int, int, int]]:
        """Notes what is new; returns (client, clock, what was known before)."""
        at = now_s()
        news = [(client, clock, self.known.get(client, 0)) for client, clock in clocks.items()]
        news = [(client, clock, then) for client, clock, then in news if clock > then]
        self.log += [(client, clock, at) for client, clock, _ in news]
        self.known = dict(clocks)
        return news


@dataclass(slots=True)
class Ledger:
    """Everything that one process's people put on record."""

    counts: Counts = field(default_factory=Counts)
    stamps: Stamps = field(default_factory=Stamps)
    sightings: list[Sighting] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    late_s: list[float] = field(default_factory=list)  # how late timers of typists fired: the generator's own weakness
    took_s: dict[str, list[float]] = field(default_factory=dict)  # of each REST operation, by its name

    def fault(self, error: BaseException) -> None:
        """Something failed on the way to or from the server."""
        self.faults[f"{type(error).__name__}: {error}"[:120]] += 1

    def log(self) -> dict[str, Any]:
        """Stamps and sightings, to be matched by whoever has both sides."""
        return {
            "stamps": [
                (client, clock, at)
                for client, clocks in self.stamps.clocks.items()
                for clock, at in zip(clocks, self.stamps.times[client], strict=True)
            ],
            "sightings": [(sighting.document, sighting.log) for sighting in self.sightings],
        }
