"""The sections of the benchmark, each a question: how fast, how late, how dear, how large."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from loadtests.fanout.bench import Bench
from loadtests.fanout.campaign import Campaign
from loadtests.fanout.measure import Load, Measurement
from loadtests.fanout.scenarios import (
    CROWD,
    CURSOR_RATE,
    CURVE_CLIENTS,
    CURVE_WRITERS,
    EQUAL_DELIVERIES_S,
    LIGHT_RATE,
    SHAPES,
    Shape,
)
from loadtests.fanout.search import again, climb

Row = dict[str, Any]
Section = Callable[[Campaign], None]
HUMP_SHAPES = ("A", "C")  # one room where coalescing helps, many rooms where it cannot
CURVE_RAMP, CURVE_CLOSE = 1.7, 1.25
FIRST_GUESS_DELIVERIES_S = 15_000.0
DERIVED = ("sustained", "fault", "generator_bound", "disturbed", "cpu_s_per_100k", "updates_per_frame")


def row_of(measured: Measurement) -> Row:
    """A measurement as it stands in the results, with what follows from it."""
    return {**asdict(measured), **{name: getattr(measured, name) for name in DERIVED}}


def middle(rows: Iterable[Row], by: str) -> Row | None:
    """The median row by one of its figures (the lower of two); None without rows."""
    ordered = sorted(rows, key=lambda row: float(row[by]))
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def highest(letter: str) -> Section:
    """The section for one shape: the highest rate with p99 below 100 ms; the median of the rounds."""

    def section(campaign: Campaign) -> None:
        title, shape = f"{letter} highest", SHAPES[letter]

        def search(bench: Bench, before: list[Row]) -> Row:
            def attempt(rate: float) -> Measurement:
                return campaign.measured(title, bench, shape.at(rate, campaign.pace))

            found = again(attempt, before[0]["rate"]) if before else climb(attempt, shape.start)
            at = {**row_of(found.at), "breaks": found.broke} if found.at else None
            return {"rate": found.rate, "at": at}

        rounds = campaign.in_turn(title, campaign.pace.rounds, search)
        found = {name: _median_found(taken) for name, taken in rounds.items() if taken}
        campaign.results.setdefault("highest", {})[letter] = found

    return section


def _median_found(rounds: list[Row]) -> Row | None:
    """The middle one; a round in which no rate held counts as nothing carried."""
    rows = [found["at"] or {"deliveries_s": 0.0} for found in rounds]
    best = middle(rows, "deliveries_s")
    if not best or not best["deliveries_s"]:
        return None
    return {**best, "rounds_deliveries_s": [row["deliveries_s"] for row in rows]}


def light(campaign: Campaign) -> None:
    """D: latency while ten people type in a room of a hundred."""
    load = SHAPES["A"].at(LIGHT_RATE, campaign.pace.longer(2))
    campaign.results["light"] = _repeated(campaign, "D light load", load, by="p99_ms")


def equal(campaign: Campaign) -> None:
    """What 100,000 deliveries cost when every server carries the same rate."""
    for letter, shape in SHAPES.items():
        load = shape.at_deliveries(EQUAL_DELIVERIES_S, campaign.pace)
        found = _repeated(campaign, f"{letter} at 20k/s", load, by="cpu_s_per_100k")
        campaign.results.setdefault("equal", {})[letter] = found


def _repeated(campaign: Campaign, title: str, load: Load, by: str, rounds: int = 0) -> Mapping[str, Row | None]:
    def once(bench: Bench, _: list[Row]) -> Row:
        return row_of(campaign.measured(title, bench, load, quiet=True))

    found = campaign.in_turn(title, rounds or campaign.pace.rounds, once)
    return {name: middle(rows, by) for name, rows in found.items()}


def storm(campaign: Campaign) -> None:
    """E: 500 clients join one room with a real document at once."""

    def join(bench: Bench, _: list[Row]) -> Row:
        row = asdict(bench.storm())
        campaign.say(f"E join storm {bench.peer.name}: {row['all_s']:.2f} s, complete: {row['complete']} {row['why']}")
        return row

    rounds = campaign.in_turn("E join storm", campaign.pace.rounds, join)
    campaign.results["storm"] = {name: middle(rows, "all_s") for name, rows in rounds.items()}


def memory(campaign: Campaign) -> None:
    """F: bytes for one more idle connection, and for one more loaded document."""

    def weigh(bench: Bench, _: list[Row]) -> Row:
        row = asdict(bench.memory())
        connection_kib, document_kib = row["connection_bytes"] / 1024, row["document_bytes"] / 1024
        campaign.say(f"F memory {bench.peer.name}: {connection_kib:.1f} KiB idle, {document_kib:,.0f} KiB a document")
        return row

    rounds = campaign.in_turn("F memory", campaign.pace.rounds, weigh)
    campaign.results["memory"] = {name: _medians(rows) for name, rows in rounds.items() if rows}


def _medians(rows: list[Row]) -> Row:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def presence(campaign: Campaign) -> None:
    """G: people moving cursors ten times a second in one room; the crowd of the table first, and in all rounds."""
    pace = campaign.pace
    for people in sorted(pace.crowds, key=lambda people: people != CROWD):
        load = Load(1, people, people, CURSOR_RATE, pace.window_s, pace.warm_s, presence=True)
        rounds = pace.rounds if people == CROWD else 1
        found = _repeated(campaign, f"G {people} cursors", load, "server_cpu_pct", rounds)
        campaign.results.setdefault("presence", {})[str(people)] = found


def hump(campaign: Campaign) -> None:
    """Processor time at rates from light load to the highest, in even ratios."""
    last = max(campaign.pace.hump_points - 1, 1)
    for letter in HUMP_SHAPES:
        points: dict[str, list[Row]] = {name: [] for name in campaign.names}
        for step in range(campaign.pace.hump_points):
            for name, row in _hump_step(campaign, letter, step / last).items():
                points[name] += [row] if row else []
        campaign.results.setdefault("hump", {})[letter] = points


def _hump_step(campaign: Campaign, letter: str, part: float) -> Mapping[str, Row | None]:
    tops, shape = campaign.results.get("highest", {}).get(letter, {}), SHAPES[letter]

    def once(bench: Bench, _: list[Row]) -> Row | None:
        top = tops.get(bench.peer.name)
        if not top:
            return None
        rate = LIGHT_RATE * (top["rate"] / LIGHT_RATE) ** part
        return row_of(campaign.measured(f"{letter} hump", bench, shape.at(rate, campaign.pace)))

    found = campaign.in_turn(f"{letter} hump at {part:.0%}", 1, once)
    return {name: rows[0] if rows else None for name, rows in found.items()}


def curves(campaign: Campaign) -> None:
    """Deliveries a second and their cost against the number of clients, and of writers."""
    pace = campaign.pace
    _curve(campaign, "clients", {n: Shape(1, n, min(CURVE_WRITERS, n)) for n in pace.curve_clients})
    _curve(campaign, "writers", {n: Shape(1, CURVE_CLIENTS, n) for n in pace.curve_writers})


def _curve(campaign: Campaign, axis: str, shapes: dict[int, Shape]) -> None:
    points: dict[str, list[Row]] = {name: [] for name in campaign.names}
    for size, shape in shapes.items():
        for name, row in _curve_step(campaign, f"{size} {axis}", shape, points).items():
            points[name] += [{axis: size, **row}] if row else []
    campaign.results.setdefault("curves", {})[axis] = points


def _curve_step(campaign: Campaign, title: str, shape: Shape, points: dict[str, list[Row]]) -> Mapping[str, Row | None]:
    def point(bench: Bench, _: list[Row]) -> Row:
        def attempt(rate: float) -> Measurement:
            return campaign.measured(title, bench, shape.at(rate, campaign.pace))

        cost = attempt(EQUAL_DELIVERIES_S / shape.fanout)
        guess = _guess(points[bench.peer.name]) / shape.fanout
        found = climb(attempt, guess, CURVE_RAMP, CURVE_CLOSE)
        return {"equal": row_of(cost), "highest": row_of(found.at) if found.at else None}

    found = campaign.in_turn(title, 1, point)
    return {name: rows[0] if rows else None for name, rows in found.items()}


def _guess(before: list[Row]) -> float:
    """Deliveries a second to start a search with: somewhat below what the last point of the curve reached."""
    reached = before[-1]["highest"] if before else None
    return 0.7 * float(reached["deliveries_s"]) if reached else FIRST_GUESS_DELIVERIES_S


# In order of importance: what the budget cuts off is cut off at the end.
SECTIONS: dict[str, Section] = {
    **{letter: highest(letter) for letter in SHAPES},
    "equal": equal,
    "D": light,
    "E": storm,
    "G": presence,
    "hump": hump,
    "F": memory,
    "curves": curves,
}
