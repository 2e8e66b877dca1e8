"""A slice of the kills and the power cuts; the commands of `kills.py` and `power.py` go on for as long as one likes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults import kills, power

cuts = pytest.mark.skipif(power.missing() is not None, reason=str(power.missing()))


def test_what_was_confirmed_survives_sigkill_and_all_agree_afterwards(tmp_path: Path) -> None:
    """On Postgres; SQLite's kills are in tests/acceptance."""
    with kills.victim_on("postgres", tmp_path) as victim:
        tally, wrong = asyncio.run(kills.campaign(victim, rounds=3, seed=3))
    assert wrong == []
    assert tally.kills == 3 and tally.confirmed > 0


@cuts
def test_what_was_confirmed_survives_a_power_cut() -> None:
    with power.medium() as disk:
        tally, lost = asyncio.run(power.campaign(disk, rounds=2, seed=3, sync="full"))
    assert lost == []
    assert tally.kills == 2 and tally.confirmed > 0


@cuts
def test_the_cut_takes_what_was_not_synced() -> None:
    """The control: with synchronous=NORMAL confirmed words get lost, so the test above proves something."""
    with power.medium() as disk:
        for seed in range(10):
            _, lost = asyncio.run(power.campaign(disk, rounds=1, seed=seed, sync="normal"))
            if lost:
                return
    raise AssertionError("ten cuts lost nothing")
