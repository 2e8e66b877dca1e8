"""Part two of the report: curves, where polling becomes cheaper than a socket, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loadtests.contrast.archive import Archive
from loadtests.contrast.blocks import Block, Bullets, Heading, Picture, Table, Text
from loadtests.contrast.dimensions import number
from loadtests.contrast.model import GIB_PER_CORE, Costs, Load, break_even_s
from loadtests.contrast.result import generator_bound
from loadtests.contrast.shape import KINDS, POLLING, TITLES

PICTURES = {
    "kinds": "The middle of the grid: every kind side by side",
    "staleness": "Staleness along the axes of the grid",
    "cost": "Cost along the axes of the grid",
    "even": "Break-even lines between polling and a socket",
    "rest": "Memory and restarts",
}
SEEN = (
    (1 / 3600, "1 an hour"),
    (1 / 600, "1 in 10 min"),
    (1 / 60, "1 a minute"),
    (0.1, "6 a minute"),
    (1.0, "1 a second"),
    (10.0, "10 a second"),
)
STALE_S = (1, 5, 30, 120, 600)
WORTH = 0.9  # a change of technique must save a tenth


def decisions(archive: Archive, folder: Path) -> list[Block]:
    """Plots, unit costs, the rule, the table."""
    blocks: list[Block] = [Heading(2, "2. Curves, break-even lines, decisions")]
    blocks += [Picture(f"contrast-{name}.svg", title) for name, title in PICTURES.items() if _drawn(folder, name)]
    blocks += limits(archive)
    costs = Costs.of(archive)
    if costs.cpu["socket"].runs and costs.cpu["diff"].runs:
        blocks += [*_units(costs), *_rule(costs), *_table(costs)]
    return blocks


def _drawn(folder: Path, name: str) -> bool:
    return (folder / f"contrast-{name}.svg").exists()


def _units(costs: Costs) -> list[Block]:
    rows = []
    for kind in KINDS:
        for event, seconds in costs.cpu[kind].units.items():
            wire = costs.wire[kind].units[event]
            per = " and second" if event == "person" else ""
            rows.append((TITLES[kind], event + per, number(1e6 * seconds), number(wire)))
    misses = ", ".join(f"{TITLES[kind]} {100 * costs.cpu[kind].error:.0f} %" for kind in KINDS)
    return [
        Heading(3, "What one of each costs"),
        Text(
            "Fitted by least squares to all unsaturated runs; a cost that cannot be told from noise is 0. Bytes are "
            f"both directions with the headers of every layer. Median miss of the processor time: {misses}."
        ),
        Table(("kind", "event", "server CPU µs", "bytes on the wire"), rows, left=2),
    ]


def _rule(costs: Costs) -> list[Block]:
    told = []
    for seen_s, name in SEEN:
        for title, price in (("processor and memory", costs.price), ("bytes", costs.wire_bytes_s)):
            told.append(f"{name} seen, {title}: {_from(price, seen_s)}")
    calm, busy = break_even_s(costs.price, "diff", 1 / 600), break_even_s(costs.price, "diff", 1.0)
    rule = []
    if calm is not None:
        rule.append(
            f"**Fewer than one edit per 10 minutes per reader, and {number(calm)} s of staleness are fine → poll** "
            "(with a state vector). Fresher than that, a socket is cheaper, and fresher by far."
        )
    if busy is not None:
        rule.append(
            f"At one edit a second and reader, polling is cheaper from {number(busy)} s on: one answer carries all."
        )
    rule.append("Nobody else must see it at once, and it is a whole thing (a snapshot, a title) → a REST call.")
    return [
        Heading(3, "Where polling becomes cheaper than a socket"),
        Text(
            f"Memory is priced at {GIB_PER_CORE:g} GiB to a core, about what both cost where they are rented. The poll "
            "interval from which on the better of the two polls is cheaper:"
        ),
        Bullets(told),
        Heading(3, "In plain words"),
        Bullets(rule),
    ]


def _from(price: Callable[[str, Load], float], seen_s: float) -> str:
    found = [interval for kind in POLLING if (interval := break_even_s(price, kind, seen_s)) is not None]
    return f"from {number(min(found))} s" if found else "never"


def _table(costs: Costs) -> list[Block]:
    rows = [(name, *(_best(costs, seen_s, stale_s) for stale_s in STALE_S)) for seen_s, name in SEEN]
    head = ("edits a reader sees", *(f"{stale_s} s is fine" for stale_s in STALE_S))
    return [
        Heading(3, "Decision table"),
        Text("The cheapest kind by processor and memory, with its cost as a share of a socket's."),
        Table(head, rows, left=len(head)),
    ]


def _best(costs: Costs, seen_s: float, stale_s: float) -> str:
    load = Load(seen_s, 0.0, float(stale_s))
    socket = costs.price("socket", load)
    prices = {kind: costs.price(kind, load) for kind in KINDS if costs.cpu[kind].runs}
    best = min(prices, key=lambda kind: prices[kind])
    if best == "socket" or not socket or prices[best] > WORTH * socket:
        return "WebSocket"
    return f"{TITLES[best]} ({prices[best] / socket:.2f})"


def limits(archive: Archive) -> list[Block]:
    """The highest loads that held each bound."""
    rows = []
    for kind in KINDS:
        for bound_ms in (200, 1000):
            tried = [row for row in archive.section(f"limit-{bound_ms}") if row["shape"]["kind"] == kind]
            held = [row for row in tried if row["p95_ms"] < bound_ms]
            if not tried:
                continue
            best = max(held, key=lambda row: float(row["deliveries_s"]), default=None)
            if best is None:
                rows.append((TITLES[kind], f"{bound_ms} ms", "none of those tried", *[""] * 5))
                continue
            failed = any(row["p95_ms"] >= bound_ms for row in tried)
            bound = "the server" if failed and not generator_bound(best) else "the generator, or the search's end"
            rows.append(
                (
                    TITLES[kind],
                    f"{bound_ms} ms",
                    f"{best['shape']['users']:,}",
                    f"{best['deliveries_s']:,.0f}",
                    number(best["p95_ms"]),
                    f"{100 * best['server_cpu_share']:.0f} %",
                    f"{100 * best['generator_share']:.0f} %",
                    bound,
                )
            )
    if not rows:
        return []
    head = ("kind", "p95 below", "people", "delivered edits/s", "p95 ms", "server", "generator", "ended by")
    return [
        Heading(3, "Highest load that keeps its promise"),
        Text(
            "Documents and typing as in the middle of the grid, more and more people; polls come at three quarters of "
            "the staleness allowed. The highest load among those tried; how far a socket's server really goes is "
            "measured by `python -m loadtests.fanout`, whose generator is written in C."
        ),
        Table(head, rows),
    ]
