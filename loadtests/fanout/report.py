"""Writes what a run found: a table for people, JSON for programs. Ratios are to our own figure of the same run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtests.fanout.peers import PEERS
from loadtests.fanout.reach import OURS, Verdict, verdicts
from loadtests.fanout.scenarios import SHAPE_TITLES
from loadtests.fanout.sittings import MARK, OLD, apart, outdated, told

Results = dict[str, Any]
Row = dict[str, Any]
PLOTS = {"highest": "Highest rates", "cost": "Cost, latency, memory", "hump": "CPU by rate", "curves": "Cost curves"}


def write(results: Results, folder: Path) -> None:
    """Writes `fanout.md` and `fanout.json` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fanout.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "fanout.md").write_text("\n".join(markdown(results, folder)) + "\n")


def markdown(results: Results, folder: Path) -> list[str]:
    """The report, line by line; plots are linked if they lie in the folder."""
    lines = ["# Fan-out: collab and its peers on one core", "", *_preamble(results)]
    lines += ["", "## Goals", "", *_goals(results)]
    lines += ["", "## Highest sustained rate (p99 < 100 ms, every client converged)", "", *_highest(results)]
    lines += ["", "## Cost of 100,000 deliveries at 20,000 a second", "", *_equal(results)]
    lines += ["", "## Light load, join storm, memory, presence", "", *_rest(results)]
    plots = [f"![{title}](fanout-{name}.svg)" for name, title in PLOTS.items() if _plot(folder, name).exists()]
    if plots:
        lines += ["", "## Plots", "", *plots]
    return [*lines, "", *told(results), "", *_notes(results)]


def _plot(folder: Path, name: str) -> Path:
    return folder / f"fanout-{name}.svg"


def _preamble(results: Results) -> list[str]:
    machine = "; ".join(f"{name}: {value}" for name, value in results["machine"].items())
    durable = ", ".join(name for name in results["servers"] if PEERS[name].durable) or "none of these"
    return [
        f"Taken {when(results)} at pace `{results['pace']['name']}` "
        f"(median of {results['pace']['rounds']} rounds, or of those there are; servers in turn) with",
        f"`{results['command']}`",
        "",
        f"Machine: {machine}. Server on one core, generator on another, loopback only.",
        "",
        f"Durable (every update is committed to disk before it is acknowledged): {durable}. "
        "The others keep documents in memory.",
    ]


def when(results: Results) -> str:
    """When it was measured, and in how many sittings."""
    sittings = len(results["sittings"])
    if sittings == 1:
        return f"{results['started']} in {results['minutes']:.0f} minutes"
    return f"{results['started']} to {results['ended']} in {sittings} sittings of together {results['minutes']:.0f} min"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A markdown table; every column but the first is right-aligned."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]


def _goals(results: Results) -> list[str]:
    word = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(v.what, v.goal, _ours(results, v), v.best, _ratio(results, v), word[v.reached]) for v in verdicts(results)]
    return table(("", "goal", "collab", "best peer", "collab / peer", "reached"), rows)


def _ours(results: Results, verdict: Verdict) -> str:
    return f"{verdict.ours} {OLD}" if outdated(results, verdict.what, OURS) else verdict.ours


def _ratio(results: Results, verdict: Verdict) -> str:
    if verdict.ratio is None:
        return ""
    return f"{verdict.ratio:,.2f}{f' {MARK}' if apart(results, verdict.what) else ''}"


def _name(server: str) -> str:
    return PEERS[server].title


def _highest(results: Results) -> list[str]:
    costs = ("CPU s per 100k", "CPU %", "updates per frame", "rounds", "above it, it")
    head = ("server", "updates/s", "deliveries/s", "of collab's", "p50 ms", "p99 ms", *costs)
    lines: list[str] = []
    for letter, rows in results.get("highest", {}).items():
        ours = (rows.get(OURS) or {}).get("deliveries_s")
        lines += ["", f"### {letter}: {SHAPE_TITLES[letter]}", ""]
        lines += table(head, [(_name(server), *_highest_cells(row, ours)) for server, row in rows.items()])
    return lines[1:]


def _highest_cells(row: Row | None, ours: float | None) -> tuple[str, ...]:
    if not row:
        return ("none held", *[""] * 9)
    bound = " (generator-bound)" if row["generator_bound"] else ""
    share = f"{row['deliveries_s'] / ours:.3f}" if ours else ""
    return (
        *(f"{row['updates_s']:,.0f}", f"{row['deliveries_s']:,.0f}{bound}", share),
        *(f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}", f"{row['cpu_s_per_100k']:.3f}"),
        *(f"{row['server_cpu_pct']:.0f}", f"{row['updates_per_frame']:.1f}"),
        *(str(len(row.get("rounds_deliveries_s", [0]))), row.get("breaks", "")),
    )


def _equal(results: Results) -> list[str]:
    found: dict[str, dict[str, Row | None]] = results.get("equal", {})
    if not found:
        return ["Not measured."]
    servers = [server for server in results["servers"] if any(rows.get(server) for rows in found.values())]

    def cells(server: str) -> list[str]:
        told: list[str] = []
        for rows in found.values():
            row = rows.get(server)
            carried = bool(row and row["sustained"])
            told += [f"{row['cpu_s_per_100k']:.3f}", f"{row['p99_ms']:.1f}"] if row and carried else ["not carried", ""]
        return told

    head = ["server", *(text for letter in found for text in (f"{letter} CPU s", f"{letter} p99 ms"))]
    return table(head, [(_name(server), *cells(server)) for server in servers])


# Heading, section, figure, divisor, digits
COLUMNS: tuple[tuple[str, tuple[str, ...], str, float, int], ...] = (
    ("D p50 ms", ("light",), "p50_ms", 1, 2),
    ("D p99 ms", ("light",), "p99_ms", 1, 2),
    ("E all 500 have it, s", ("storm",), "all_s", 1, 2),
    ("E server CPU s", ("storm",), "server_cpu_s", 1, 2),
    ("E generator CPU %", ("storm",), "generator_cpu_pct", 1, 0),
    ("F KiB per idle connection", ("memory",), "connection_bytes", 1024, 1),
    ("F KiB per document", ("memory",), "document_bytes", 1024, 0),
    ("G CPU % (200 cursors)", ("presence", "200"), "server_cpu_pct", 1, 1),
    ("G p99 ms", ("presence", "200"), "p99_ms", 1, 1),
)


def _rest(results: Results) -> list[str]:
    rows = [(_name(server), *(_cell(results, server, column) for column in COLUMNS)) for server in results["servers"]]
    return table(("server", *(column[0] for column in COLUMNS)), rows)


def _cell(results: Results, server: str, column: tuple[str, tuple[str, ...], str, float, int]) -> str:
    _, path, figure, divisor, digits = column
    found: Any = results
    for step in (*path, server):
        found = (found or {}).get(step)
    if not found:
        return ""
    failed = not found.get("complete", True) or not found.get("sustained", True)
    return f"{found[figure] / divisor:,.{digits}f}" + (" (not carried)" if failed else "")


def _notes(results: Results) -> list[str]:
    notes = [f"- {name}: not here: {why}" for name, why in results["unavailable"].items()]
    notes += [f"- Failed: {failure}" for failure in results["failures"]]
    notes += [f"- Not measured, the budget was spent: {title}" for title in results["skipped"]]
    return ["## Notes", "", *notes] if notes else []


def scrubbed(text: str, folders: Sequence[Path]) -> str:
    """The text without the paths of this machine: results are published."""
    for folder in folders:
        text = text.replace(str(folder), "…")
    return text
