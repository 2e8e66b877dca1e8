"""Draws the results. Runs where matplotlib is: `uv run --isolated --only-group bench python -m loadtests.fanout.plots`.

One colour per server throughout (Okabe and Ito's palette, which stays apart for colour-blind readers), and one marker.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

Results = dict[str, Any]
STYLE = {
    "collab": ("#D55E00", "o"),
    "hocuspocus": ("#0072B2", "s"),
    "y-websocket": ("#E69F00", "^"),
    "pycrdt-websocket": ("#009E73", "D"),
    "y-sweet": ("#CC79A7", "v"),
}
STEPS = (1.0, 2.0, 5.0)  # the labelled ticks of a decade
CROWDED = 1_000.0  # times the lowest: on a longer axis only whole decades have room for a label
SHAPES = {"A": "A: 1 room of 100, 10 write", "B": "B: 1 room of 1,000, 5 write", "C": "C: 200 rooms of 5, all write"}


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes the plots for which there are figures; returns their paths."""
    plt.rcParams.update({"svg.hashsalt": "fanout", "svg.fonttype": "none", "font.size": 10})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    made: list[Path] = []
    for name, plot in (("highest", highest), ("cost", cost), ("hump", hump), ("curves", curves)):
        figure = plot(results)
        if figure is not None:
            made.append(folder / f"fanout-{name}.svg")
            figure.savefig(made[-1], metadata={"Date": None}, bbox_inches="tight")
    return made


def _bars(axes: Axes, title: str, unit: str, values: dict[str, float | None], log: bool = False) -> None:
    """One bar a server, in the same order everywhere; a server that failed keeps its place and says so."""
    names = [name for name in reversed(STYLE) if name in values]
    widths = [values[name] or 0 for name in names]
    bars = axes.barh(names, widths, color=[STYLE[name][0] for name in names], height=0.7)
    axes.bar_label(bars, [_short(width) if width else "did not carry it" for width in widths], padding=3)
    most, least = max([*widths, 1e-9]), min([width for width in widths if width], default=1)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(10 ** math.floor(math.log10(least) - 0.3), most * 8)
    else:
        axes.set_xlim(0, most * 1.35)
    axes.set_title(title, loc="left")
    axes.set_xlabel(unit)
    _plain(axes.xaxis)


def _plain(axis: Axis) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    if value >= 999_500:
        return f"{value / 1e6:.3g} M"
    if value >= 9_995:
        return f"{value / 1e3:.3g} k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _figures(rows: dict[str, Any], figure: str, divisor: float = 1) -> dict[str, float | None]:
    """By server; None for one that was tried and did not carry the load."""
    return {name: row[figure] / divisor if row and _carried(row) else None for name, row in rows.items()}


def _carried(row: dict[str, Any]) -> bool:
    return bool(row.get("sustained", True) and row.get("complete", True))


def _panels(count: int, columns: int, height: float = 2.6) -> tuple[Any, list[Axes]]:
    lines = -(-count // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(5.2 * columns, height * lines), squeeze=False, layout="constrained"
    )
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.set_visible(False)
    return figure, flat


def highest(results: Results) -> Any:
    """Bars: the highest sustained deliveries a second, a panel for each shape."""
    found = results.get("highest", {})
    if not found:
        return None
    figure, panels = _panels(len(found), 3)
    for axes, (letter, rows) in zip(panels, found.items(), strict=False):
        _bars(
            axes,
            SHAPES[letter],
            "deliveries per second (log scale), p99 < 100 ms",
            _figures(rows, "deliveries_s"),
            log=True,
        )
    return figure


COSTS: tuple[tuple[str, str, tuple[str, ...], str, float], ...] = (
    *((f"CPU at 20 k/s, {x}", "CPU s per 100,000 deliveries", ("equal", x), "cpu_s_per_100k", 1) for x in SHAPES),
    ("D: light load, p50", "milliseconds", ("light",), "p50_ms", 1),
    ("D: light load, p99", "milliseconds", ("light",), "p99_ms", 1),
    ("E: 500 join at once", "seconds until all have the document", ("storm",), "all_s", 1),
    ("F: one more idle connection", "KiB", ("memory",), "connection_bytes", 1024),
    ("F: one more loaded document", "KiB", ("memory",), "document_bytes", 1024),
    ("G: 200 cursors at 10 Hz", "CPU % of one core", ("presence", "200"), "server_cpu_pct", 1),
)


def cost(results: Results) -> Any:
    """Bars: processor time at the equal rate, latency at light load, joining, memory, presence."""
    panels = [(title, unit, _figures(_at(results, path), key, by)) for title, unit, path, key, by in COSTS]
    drawn = [panel for panel in panels if any(panel[2].values())]
    if not drawn:
        return None
    figure, axes = _panels(len(drawn), 3)
    for each, (title, unit, values) in zip(axes, drawn, strict=False):
        _bars(each, title, unit, values)
    return figure


def _at(results: Results, path: tuple[str, ...]) -> dict[str, Any]:
    found: Any = results
    for step in path:
        found = found.get(step, {})
    return dict(found)


def _lines(axes: Axes, series: dict[str, list[tuple[float, float]]]) -> None:
    for name, points in series.items():
        if points:
            colour, marker = STYLE[name]
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=colour, marker=marker, label=name, linewidth=1.8, markersize=6)
    axes.grid(alpha=0.3)


def _scaled(axes: Axes, title: str, x: str, y: str, log_y: bool = False) -> None:
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=STEPS if high / low < CROWDED else STEPS[:1]))
    if log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=STEPS))
    else:
        axes.set_ylim(bottom=0)
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _legend(figure: Any, panels: Iterable[Axes]) -> None:
    seen: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            seen.setdefault(label, handle)
    if seen:
        figure.legend(seen.values(), seen.keys(), loc="outside upper center", ncols=len(seen), frameon=False)


def hump(results: Results) -> Any:
    """Lines: processor time against the rate, from light load to the highest."""
    found = {letter: rows for letter, rows in results.get("hump", {}).items() if any(rows.values())}
    if not found:
        return None
    figure, panels = _panels(len(found), 2, height=3.6)
    for axes, (letter, rows) in zip(panels, found.items(), strict=False):
        points = {name: [(row["deliveries_s"], row["server_cpu_pct"]) for row in taken] for name, taken in rows.items()}
        _lines(axes, points)
        _scaled(axes, SHAPES[letter], "deliveries per second (log scale)", "server CPU, % of one core")
    _legend(figure, panels)
    return figure


def curves(results: Results) -> Any:
    """Lines: highest rate, and cost at an equal rate, against clients and writers; and presence against people."""
    panels = [panel for panel in (*_curve_panels(results), _presence_panel(results)) if any(panel[1].values())]
    if not panels:
        return None
    figure, axes = _panels(len(panels), 2, height=3.6)
    for each, (labels, series, log_y) in zip(axes, panels, strict=False):
        _lines(each, series)
        _scaled(each, *labels, log_y=log_y)
    _legend(figure, axes)
    return figure


Panel = tuple[tuple[str, str, str], dict[str, list[tuple[float, float]]], bool]


def _curve_panels(results: Results) -> list[Panel]:
    panels: list[Panel] = []
    for axis, shape in (("clients", "5 write in one room"), ("writers", "one room of 100")):
        rows = results.get("curves", {}).get(axis, {})
        top = _series(rows, axis, "highest", lambda row: float(row["deliveries_s"]))
        cost = _series(rows, axis, "equal", lambda row: float(row["cpu_s_per_100k"]))
        panels.append((("Highest rate: " + shape, f"{axis} (log scale)", "deliveries per second"), top, True))
        panels.append((("At 20 k deliveries/s: " + shape, f"{axis} (log scale)", "CPU s per 100,000"), cost, True))
    return panels


def _series(
    rows: dict[str, Any], axis: str, part: str, value: Callable[[Any], float]
) -> dict[str, list[tuple[float, float]]]:
    return {
        name: [(float(row[axis]), value(row[part])) for row in taken if row[part] and _carried(row[part])]
        for name, taken in rows.items()
    }


def _presence_panel(results: Results) -> Panel:
    found = results.get("presence", {})
    series: dict[str, list[tuple[float, float]]] = {name: [] for name in STYLE}
    for people in sorted(found, key=int) if len(found) > 1 else ():
        for name, row in found[people].items():
            if row and row["sustained"]:
                series[name].append((float(people), row["server_cpu_pct"]))
    return (("G: cursors at 10 Hz in one room", "people (log scale)", "server CPU, % of one core"), series, True)


def main() -> None:
    """Draws what the JSON file holds into its folder."""
    path = Path(sys.argv[1])
    for made in draw(json.loads(path.read_text()), path.parent):
        print(made.name)


if __name__ == "__main__":
    main()
