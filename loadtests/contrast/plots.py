"""Draws the study. Runs where matplotlib is: `uv run --isolated --only-group bench python -m loadtests.contrast.plots`.

One colour and one marker for each kind throughout (Okabe and Ito's palette, apart for colour-blind readers too).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from loadtests.contrast.archive import Archive, Row
from loadtests.contrast.medians import by_kind
from loadtests.contrast.model import Costs, Load, line
from loadtests.contrast.shape import KINDS, TITLES

STYLE = {
    "socket": ("#D55E00", "o"),
    "events": ("#E69F00", "^"),
    "longpoll": ("#CC79A7", "v"),
    "diff": ("#009E73", "s"),
    "poll": ("#0072B2", "D"),
}
Series = dict[str, list[tuple[float, float]]]
AXES: tuple[tuple[str, str, str], ...] = (
    ("users", "users", "people"),
    ("edits", "edits_s", "edits a second and writer"),
    ("interval", "interval_s", "poll interval, s"),
    ("size", "document_bytes", "document, bytes"),
    ("ratio", "members", "readers per writer"),
)


def draw(archive: Archive, folder: Path) -> list[Path]:
    """Writes the plots for which there are figures; returns their paths."""
    plt.rcParams.update({"svg.hashsalt": "contrast", "font.size": 10})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    made: list[Path] = []
    for name, plot in (("kinds", kinds), ("staleness", staleness), ("cost", cost), ("even", even), ("rest", rest)):
        figure = plot(archive)
        if figure is not None:
            made.append(folder / f"contrast-{name}.svg")
            figure.savefig(made[-1], metadata={"Date": None}, bbox_inches="tight")
    return made


def short(value: float, _: object = None) -> str:
    """An axis label that people read at once."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * bound:
            return f"{float(f'{value / bound:.3g}'):g}{unit}"
    return f"{float(f'{value:.3g}'):g}"


def _panels(count: int, columns: int, height: float) -> tuple[Any, list[Axes]]:
    lines = -(-count // columns)
    size = (4.9 * columns, height * lines)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.set_visible(False)
    return figure, flat


def _log(axes: Axes, which: str) -> None:
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(short))
    axis.set_minor_formatter(NullFormatter())


# --- bars over the kinds


def _bars(axes: Axes, title: str, unit: str, rows: dict[str, Row], figure: str, times: float = 1.0) -> None:
    names = [kind for kind in reversed(KINDS) if kind in rows]
    values = [rows[kind][figure] * times for kind in names]
    spread = [_reach(rows[kind], figure, times) for kind in names]
    below = [max(0.0, value - low) for value, (low, _) in zip(values, spread, strict=True)]
    above = [max(0.0, high - value) for value, (_, high) in zip(values, spread, strict=True)]
    colours = [STYLE[kind][0] for kind in names]
    labels = [TITLES[kind] for kind in names]
    bars = axes.barh(labels, values, color=colours, height=0.7, xerr=[below, above], error_kw={"ecolor": "#444444"})
    axes.bar_label(bars, [short(value) for value in values], padding=6)
    axes.set_title(title, loc="left")
    axes.set_xlabel(unit)
    if values and min(values) > 0 and max(values) > 20 * min(values):
        _log(axes, "x")
        axes.set_xlim(min(values) / 3, max(values) * 6)
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.margins(x=0.25)


def _reach(row: Row, figure: str, times: float) -> tuple[float, float]:
    low, high = row.get("spread", {}).get(figure, [row[figure]] * 2)
    return low * times, high * times


def kinds(archive: Archive) -> Any:
    """Bars: the middle of the grid, every kind side by side."""
    rows = by_kind(archive, "kinds")
    if not rows:
        return None
    figure, axes = _panels(6, 2, 2.4)
    _bars(axes[0], "From key press to another screen, p50", "ms", rows, "p50_ms")
    _bars(axes[1], "The same, p95", "ms", rows, "p95_ms")
    _bars(axes[2], "Server time per 1,000 delivered edits", "CPU milliseconds", rows, "cpu_s_per_1k", 1000)
    _bars(axes[3], "Requests and frames per delivered edit", "messages", rows, "messages_per_delivery")
    _bars(axes[4], "Bytes up per delivered edit", "bytes", rows, "up_per_delivery")
    _bars(axes[5], "Bytes down per delivered edit", "bytes", rows, "down_per_delivery")
    return figure


def rest(archive: Archive) -> Any:
    """Bars: memory, and what a restart costs."""
    memory, storms = by_kind(archive, "memory"), by_kind(archive, "restart")
    panels: list[tuple[str, str, dict[str, Row], str, float]] = []
    if memory:
        panels.append(("Server memory for one more idle person", "KiB", memory, "bytes_per_user", 1 / 1024))
    if storms:
        panels.append(("Server killed: back until all are current", "seconds", storms, "current_s", 1.0))
        panels.append(("Requests in that storm", "requests", storms, "requests", 1.0))
        panels.append(("Connections opened in it", "connections", storms, "opened", 1.0))
    if not panels:
        return None
    figure, axes = _panels(len(panels), 2, 2.4)
    for each, (title, unit, rows, name, times) in zip(axes, panels, strict=False):
        _bars(each, title, unit, rows, name, times)
    return figure


# --- curves along the axes of the grid


def _along(archive: Archive, section: str, key: str, value: Callable[[Row], float]) -> Series:
    """Points of a section, with the middle of the grid among them where it lies on the axis."""
    found: Series = {kind: [] for kind in KINDS}
    rows = list(archive.section(section))
    if section in ("users", "edits", "interval"):
        wanted = {row["shape"]["kind"] for row in rows}
        rows += [row for kind, row in by_kind(archive, "kinds").items() if kind in wanted]
    for row in rows:
        x = row["shape"][key] - 1 if key == "members" else row["shape"][key]
        if value(row) > 0:
            found[row["shape"]["kind"]].append((x, value(row)))
    return {kind: sorted(points) for kind, points in found.items() if points}


def _curve(axes: Axes, series: Series, x: str, y: str) -> None:
    for kind, points in series.items():
        colour, marker = STYLE[kind]
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=TITLES[kind], linewidth=1.8)
    _log(axes, "x")
    _log(axes, "y")
    low, high = axes.get_ylim()
    if high < 50 * low:  # one power of ten would be the only label
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ticks = sorted({x for points in series.values() for x, _ in points})
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.grid(alpha=0.3)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _legend(figure: Any, panels: Sequence[Axes]) -> None:
    seen: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            seen.setdefault(label, handle)
    figure.legend(seen.values(), seen.keys(), loc="outside upper center", ncols=min(5, len(seen)), frameon=False)


def _grid(archive: Archive, measures: Sequence[tuple[str, Callable[[Row], float]]]) -> Any:
    every = [(_along(archive, section, key, value), x, y) for section, key, x in AXES for y, value in measures]
    panels = [panel for panel in every if any(len(points) > 1 for points in panel[0].values())]
    if not panels:
        return None
    figure, axes = _panels(len(panels), 2, 3.1)
    for each, (series, x, y) in zip(axes, panels, strict=False):
        _curve(each, series, f"{x} (log scale)", f"{y} (log scale)")
    _legend(figure, axes[: len(panels)])
    return figure


def staleness(archive: Archive) -> Any:
    """Lines: how old is what people see, along each axis of the grid."""
    return _grid(archive, [("p50, ms", lambda row: row["p50_ms"]), ("p95, ms", lambda row: row["p95_ms"])])


def cost(archive: Archive) -> Any:
    """Lines: what a delivered edit costs, along each axis of the grid."""
    return _grid(
        archive,
        [
            ("CPU ms per 1,000 delivered", lambda row: 1000 * row["cpu_s_per_1k"]),
            ("bytes per delivered edit", lambda row: row["up_per_delivery"] + row["down_per_delivery"]),
        ],
    )


# --- where polling becomes cheaper


def even(archive: Archive) -> Any:
    """Lines: the poll interval from which on polling is cheaper than a socket."""
    costs = Costs.of(archive)
    if not costs.cpu["socket"].runs or not costs.cpu["poll"].runs:
        return None
    seen = [10 ** (power / 10) for power in range(-50, 16)]
    figure, axes = _panels(2, 2, 4.0)
    _even(axes[0], "Processor and memory", costs.price, seen)
    _even(axes[1], "Bytes on the wire", costs.wire_bytes_s, seen)
    _legend(figure, axes)
    return figure


def _even(axes: Axes, title: str, price: Callable[[str, Load], float], seen: Sequence[float]) -> None:
    for kind in ("diff", "poll"):
        points = [(60 * seen_s, interval_s) for seen_s, interval_s in line(price, kind, seen)]
        if points:
            axes.plot(*zip(*points, strict=True), color=STYLE[kind][0], label=TITLES[kind], linewidth=2.2)
            x, y = zip(*points, strict=True)
            axes.fill_between(x, y, [1e5] * len(x), color=STYLE[kind][0], alpha=0.08)
    _log(axes, "x")
    _log(axes, "y")
    axes.set_ylim(0.1, 1e4)
    axes.set_title(title, loc="left")
    axes.text(0.97, 0.95, "polling is cheaper", transform=axes.transAxes, ha="right", va="top", style="italic")
    axes.text(0.03, 0.05, "a socket is cheaper", transform=axes.transAxes, style="italic")
    axes.set_xlabel("edits of others that a reader sees per minute (log scale)")
    axes.set_ylabel("poll interval, s (log scale)")
    axes.grid(alpha=0.3)


def main() -> None:
    """Draws what the raw figures hold into their folder."""
    path = Path(sys.argv[1])
    for made in draw(Archive(path, fresh=False), path.parent):
        print(made.name)


if __name__ == "__main__":
    main()
