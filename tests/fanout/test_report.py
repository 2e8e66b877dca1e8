"""Goals, tables and plots from results that are made up, so that every verdict is known beforehand."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from loadtests.fanout import machine, report
from loadtests.fanout.__main__ import draw
from loadtests.fanout.measure import Measurement
from loadtests.fanout.reach import hump_verdict, verdicts
from loadtests.fanout.sections import middle, row_of


def row(deliveries_s: float = 1000, cpu_pct: float = 10, p99_ms: float = 5) -> dict[str, Any]:
    """One measured window."""
    measured = Measurement(
        run="load",
        converged=True,
        newcomers=True,
        clients=100,
        rate=2.0,
        window_s=1.0,
        updates_s=10.0,
        expected_s=deliveries_s,
        deliveries_s=deliveries_s,
        p50_ms=p99_ms / 2,
        p99_ms=p99_ms,
        frames_s=10.0,
        server_cpu_pct=cpu_pct,
        server_cpu_s=cpu_pct / 100,
    )
    return row_of(measured)


def results() -> dict[str, Any]:
    """A run in which collab is five times as fast as each peer, but has a hump in C."""
    ours, theirs = row(5000, 10), row(1000, 30, p99_ms=9)
    both = {"collab": ours, "hocuspocus": theirs}
    storm = {"collab": joined(0.2, complete=True), "hocuspocus": joined(1.0, complete=False)}
    points = [{"at": 10, "equal": row(), "highest": row()}, {"at": 100, "equal": row(), "highest": None}]
    return {
        **{"started": "2026-01-01 00:00 UTC", "minutes": 1.5, "command": "uv run x", "machine": {"cores": "2"}},
        "sittings": [{}],
        "pace": {"name": "quick", "rounds": 1},
        "servers": {"collab": {}, "hocuspocus": {}},
        "unavailable": {"y-sweet": "no cargo"},
        **{"failures": [], "skipped": ["curves"]},
        "highest": dict.fromkeys("ABC", both),
        "equal": dict.fromkeys("ABC", both),
        **{"light": both, "storm": storm, "presence": {"200": both, "50": both}},
        "memory": {name: {"connection_bytes": 2048, "document_bytes": 1 << 20} for name in both},
        "hump": {
            "A": {"collab": [row(100, 5), row(5000, 9)], "hocuspocus": [row(100, 5), row(1000, 80)]},
            "C": {"collab": [row(100, 5), row(900, 60), row(5000, 50)], "hocuspocus": []},
        },
        "curves": {
            axis: {name: [{axis: point["at"], **point} for point in points] for name in both}
            for axis in ("clients", "writers")
        },
    }


def joined(all_s: float, complete: bool) -> dict[str, Any]:
    """One join storm."""
    return {"complete": complete, "all_s": all_s, "server_cpu_s": all_s / 2, "generator_cpu_pct": 50.0}


def test_each_goal_is_held_against_the_best_peer() -> None:
    found = {verdict.what: verdict for verdict in verdicts(results())}
    assert found["A highest deliveries/s"].ratio == 5
    assert found["A highest deliveries/s"].reached
    assert found["D p99 at light load"].reached
    assert found["F bytes per idle connection"].reached
    cost = found["A server CPU per 100k deliveries at 20k/s"]
    assert cost.ratio is not None
    assert cost.ratio < 0.5
    assert cost.reached


def test_a_peer_that_did_not_carry_the_load_does_not_count() -> None:
    run = results()
    storm = next(verdict for verdict in verdicts(run) if verdict.what.startswith("E "))
    assert storm.reached
    assert storm.best == "none carries it"
    run["storm"]["collab"]["complete"] = False
    storm = next(verdict for verdict in verdicts(run) if verdict.what.startswith("E "))
    assert storm.reached is None
    assert storm.ours == "not measured"


def test_a_hump_is_processor_time_below_the_highest_rate() -> None:
    assert hump_verdict(results(), "A").reached is True
    assert hump_verdict(results(), "C").reached is False
    assert hump_verdict({}, "A").reached is None


def test_an_empty_run_still_makes_a_report(tmp_path: Path) -> None:
    bare = {
        name: value for name, value in results().items() if name not in ("highest", "equal", "hump", "curves", "light")
    }
    report.write({**bare, "storm": {}, "presence": {}, "memory": {}}, tmp_path)
    assert "not measured" in (tmp_path / "fanout.md").read_text()


def test_the_report_names_every_server_and_what_is_missing(tmp_path: Path) -> None:
    report.write(results(), tmp_path)
    text = (tmp_path / "fanout.md").read_text()
    assert "@hocuspocus/server" in text
    assert "y-sweet: not here: no cargo" in text
    assert "the budget was spent: curves" in text
    assert "5,000" in text
    assert json.loads((tmp_path / "fanout.json").read_text())["minutes"] == 1.5
    for table in text.split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_plots_are_drawn_and_linked(tmp_path: Path) -> None:
    report.write(results(), tmp_path)
    draw(tmp_path)
    report.write(results(), tmp_path)
    drawn = {path.name for path in tmp_path.glob("*.svg")}
    assert drawn == {f"fanout-{name}.svg" for name in report.PLOTS}
    assert all(f"({name})" in (tmp_path / "fanout.md").read_text() for name in drawn)


def test_the_median_is_a_window_that_was_really_measured() -> None:
    rows = [row(3), row(1), row(2)]
    assert middle(rows, "deliveries_s") == row(2)
    assert middle([], "deliveries_s") is None


def test_the_machine_is_described_without_names_or_paths() -> None:
    told = " ".join(machine.describe().values())
    assert platform.node() not in told.split()
    assert os.path.expanduser("~") not in told
    assert report.scrubbed(f"{Path.home()}/x failed", [Path.home()]) == "…/x failed"


def test_figures_of_another_sitting_are_marked(tmp_path: Path) -> None:
    run = results()
    once = {"minutes": 2.0, "started": "2026-01-01 00:00 UTC"}
    run["sittings"], run["ended"] = [once, {**once, "started": "2026-01-01 05:00 UTC"}], "2026-01-01 05:02 UTC"
    run["taken"] = {
        "A highest": {"collab": [2], "hocuspocus": [1]},
        "C highest": {"collab": [2], "hocuspocus": [2]},
        "C hump at 0%": {"collab": [1]},
        "D light load": {"collab": [2], "hocuspocus": [1]},
    }
    run["outdated"] = [["D light load", "collab"]]
    report.write(run, tmp_path)
    lines = (tmp_path / "fanout.md").read_text().splitlines()
    assert any(line.startswith("| D p50") and "‡" in line for line in lines)
    assert not any(line.startswith("| A highest") and "‡" in line for line in lines)
    goals = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ") and "times the best" in line}
    assert "5.00 †" in goals["A highest deliveries/s"]
    assert "†" not in goals["C highest deliveries/s"]
    assert any(line.startswith("| D p99") and "†" in line for line in lines)
    assert "| A highest | 2 | 1 |" in lines
    assert "2. 2026-01-01 05:00 UTC, 2 min" in lines
