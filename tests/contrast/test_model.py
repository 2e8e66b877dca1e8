"""Unit costs are found again where they were planted; break-even lines lie where costs are equal."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.contrast.archive import Archive
from loadtests.contrast.model import Costs, Fit, Load, break_even_s, fit, happening, line

UNITS = {
    "socket": {"person": 2e-6, "edit in": 90e-6, "edit out": 12e-6},
    "diff": {"empty poll": 300e-6, "POST": 700e-6, "answered poll": 500e-6},
}
MEMORY = {"socket": 20_000.0, "diff": 15_000.0}
rates = st.floats(0.0, 1e4)


def row(kind: str, users: int, edits_s: float, polls_s: float, empty_share: float) -> dict[str, Any]:
    found = {
        "shape": {"kind": kind, "users": users},
        "edits_s": edits_s,
        "deliveries_s": edits_s * 19,
        "posts_s": edits_s * 0.9,
        "polls_s": polls_s,
        "empty_share": empty_share,
        "faults": 0,
    }
    seen = {
        "person": users,
        "edit in": edits_s,
        "edit out": edits_s * (3 + users % 7),
        "POST": edits_s * 0.9,
        "empty poll": polls_s * empty_share,
        "answered poll": polls_s * (1 - empty_share),
    }
    found["deliveries_s"] = seen["edit out"]
    return {**found, "server_cpu_share": sum(UNITS[kind][name] * seen[name] for name in UNITS[kind])}


RUNS = [
    ("socket", 10, 2.0, 0.0, 0.0), ("socket", 100, 10.0, 0.0, 0.0), ("socket", 505, 50.0, 0.0, 0.0),
    ("socket", 600, 0.0, 0.0, 0.0), ("diff", 10, 2.0, 10.0, 0.5), ("diff", 100, 10.0, 100.0, 0.2),
    ("diff", 100, 0.0, 100.0, 1.0), ("diff", 100, 50.0, 500.0, 0.1), ("diff", 40, 1.0, 200.0, 0.9),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["socket", "diff"])
def test_planted_costs_are_found_again(kind: str) -> None:
    found = fit([row(*run) for run in RUNS], kind, lambda each: float(each["server_cpu_share"]))
    assert found.units == pytest.approx(UNITS[kind], rel=1e-6)
    assert found.error < 1e-6


def test_no_cost_is_ever_below_zero() -> None:
    noisy = [row(*run) for run in RUNS]
    for number, each in enumerate(noisy):
        each["server_cpu_share"] *= 1.6 if number % 2 else 0.4
    assert min(fit(noisy, "diff", lambda each: float(each["server_cpu_share"])).units.values()) >= 0


def costs() -> Costs:
    fits = {kind: Fit(units, 0.0, 5) for kind, units in UNITS.items()}
    return Costs(fits, fits, MEMORY)


@given(st.floats(1e-5, 30.0))
def test_at_the_break_even_interval_both_cost_the_same(seen_s: float) -> None:
    interval_s = break_even_s(costs().price, "diff", seen_s)
    assert interval_s is not None
    poll = costs().price("diff", Load(seen_s, 0.0, interval_s))
    assert math.isclose(poll, costs().price("socket", Load(seen_s, 0.0, 1.0)), rel_tol=1e-6)


def test_polling_that_costs_more_even_when_hardly_done_never_breaks_even() -> None:
    dear = replace(
        costs(), memory={"socket": 0.0, "diff": 0.0}, cpu={**costs().cpu, "socket": Fit({"person": 0.0}, 0.0, 1)}
    )
    assert break_even_s(dear.price, "diff", 0.001) is None
    assert line(dear.price, "diff", [0.001, 0.01]) == []


@given(st.floats(0.0, 50.0), st.floats(0.05, 100.0))
def test_every_poll_is_either_empty_or_not(seen_s: float, interval_s: float) -> None:
    events = happening("diff", Load(seen_s, 0.1, interval_s))
    assert events["empty poll"] + events["answered poll"] == pytest.approx(1 / interval_s)
    assert min(events.values()) >= 0


def test_raw_figures_survive_a_cut_off(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "contrast.json")
    archive.put("kinds/a/0", {"shape": {"kind": "socket"}, "p95_ms": 3.0})
    archive.put("kinds/a/1", {"void": "edits were lost"})
    resumed = Archive(tmp_path / "contrast.json", fresh=False)
    assert resumed.has("kinds/a/0") and not resumed.has("kinds/a/1")
    assert resumed.voids() == [("kinds/a/1", "edits were lost")]
    assert [each["p95_ms"] for each in resumed.section("kinds")] == [3.0]
    assert not Archive(tmp_path / "contrast.json").rows
