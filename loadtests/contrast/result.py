"""What a run showed, reduced to the figures that the report is about."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.contrast.shape import Shape
from loadtests.contrast.traffic import SEGMENT_HEADER_BYTES

GENERATOR_SHARE_MAX = 0.85  # of its core; above it the generator may be what is slow
LATE_MS_MAX = 20.0


@dataclass(frozen=True)
class Window:
    """Differences of all counters between two moments; the load's and the probe's people are one crowd."""

    began_s: float
    ended_s: float
    counts: dict[str, float]
    server_cpu_s: float
    generator_cpu_s: float
    held: int

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Window:
        """From two marks of a run."""
        counts: dict[str, float] = defaultdict(float)
        for side in ("load", "probe"):
            for name, value in after[side].items():
                counts[name] += value - before[side][name]
        return cls(
            began_s=before["at_s"],
            ended_s=after["at_s"],
            counts=dict(counts),
            server_cpu_s=after["server_cpu_s"] - before["server_cpu_s"],
            generator_cpu_s=after["load"]["cpu_s"] - before["load"]["cpu_s"],
            held=after["load"]["held"] + after["probe"]["held"],
        )


@dataclass(frozen=True)
class Result:
    """The figures of one run. Bytes are TCP payload per delivered edit unless named otherwise."""

    shape: dict[str, Any]
    window_s: float
    edits_s: float  # made, all writers together
    deliveries_s: float  # edits times the people who had to see each
    p50_ms: float  # propagation: from a key press to another, watched, screen
    p95_ms: float
    p99_ms: float
    sightings: int
    messages_per_delivery: float  # requests, frames and stream events, both directions
    up_per_delivery: float
    down_per_delivery: float
    wire_bytes_s: float  # both directions with 40 bytes for each segment
    requests_s: float
    polls_s: float
    empty_share: float  # of polls
    posts_s: float
    frames_s: float
    opened_per_min: float
    held: int
    server_cpu_share: float  # of one core
    cpu_s_per_1k: float  # server seconds per 1,000 delivered edits
    bytes_per_user: float  # of server memory, from nobody to everybody joined
    generator_share: float
    late_ms: float  # p95 of how late the typists' timers fired
    faults: int
    join_s: float

    @classmethod
    def of(
        cls,
        shape: Shape,
        window: Window,
        logs: Sequence[Mapping[str, Any]],
        grown_bytes: int,
        join_s: float,
    ) -> Result:
        """Reduces a window and the logs of both crowds."""
        counts, span_s = window.counts, window.ended_s - window.began_s
        seen_ms = sorted(propagation_ms(logs, window.began_s, window.ended_s))
        delivered = counts["edits"] * (shape.members - 1) or math.inf  # of an idle run every cost per edit is 0
        requests = counts["polls"] + counts["posts"]
        frames = counts["frames_in"] + counts["frames_out"]
        segments = counts["segments_up"] + counts["segments_down"]
        late_s = sorted(late for log in logs for late in log["late_s"])
        return cls(
            shape=shape.as_dict(),
            window_s=span_s,
            edits_s=counts["edits"] / span_s,
            deliveries_s=counts["edits"] * (shape.members - 1) / span_s,
            p50_ms=quantile(seen_ms, 0.5),
            p95_ms=quantile(seen_ms, 0.95),
            p99_ms=quantile(seen_ms, 0.99),
            sightings=len(seen_ms),
            messages_per_delivery=(requests + frames) / delivered,
            up_per_delivery=counts["up"] / delivered,
            down_per_delivery=counts["down"] / delivered,
            wire_bytes_s=(counts["up"] + counts["down"] + SEGMENT_HEADER_BYTES * segments) / span_s,
            requests_s=requests / span_s,
            polls_s=counts["polls"] / span_s,
            empty_share=counts["polls_empty"] / counts["polls"] if counts["polls"] else 0.0,
            posts_s=counts["posts"] / span_s,
            frames_s=frames / span_s,
            opened_per_min=60 * counts["opened"] / span_s,
            held=window.held,
            server_cpu_share=window.server_cpu_s / span_s,
            cpu_s_per_1k=1000 * window.server_cpu_s / delivered,
            bytes_per_user=grown_bytes / shape.users,
            generator_share=window.generator_cpu_s / span_s,
            late_ms=1000 * quantile(late_s, 0.95),
            faults=int(counts["faults"]),
            join_s=join_s,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def generator_bound(row: Mapping[str, Any]) -> bool:
    """Whether the generator had no room left in a run, so that the server may be better than this shows."""
    return bool(row["generator_share"] > GENERATOR_SHARE_MAX or row["late_ms"] > LATE_MS_MAX)


def propagation_ms(logs: Sequence[Mapping[str, Any]], began_s: float, ended_s: float) -> list[float]:
    """Time from each stamp made in the window until each watched screen showed it."""
    made: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for log in logs:
        for client, clock, at_s in log["stamps"]:
            made[client][0].append(clock)
            made[client][1].append(at_s)
    found = []
    for log in logs:
        for _, seen in log["sightings"]:
            found += _matched(made, seen, began_s, ended_s)
    return found


def _matched(
    made: Mapping[int, tuple[list[int], list[float]]],
    seen: Sequence[tuple[int, int, float]],
    began_s: float,
    ended_s: float,
) -> list[float]:
    known: dict[int, int] = defaultdict(int)
    found = []
    for client, clock, at_s in seen:
        if client in made:
            clocks, times = made[client]
            news = times[bisect_left(clocks, known[client] + 1) : bisect_left(clocks, clock + 1)]
            found += [1000 * (at_s - then_s) for then_s in news if began_s <= then_s < ended_s]
        known[client] = clock
    return found


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values, by the nearest rank; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
