"""Nothing that was confirmed is lost when the server is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.kills import campaign


@pytest.mark.parametrize("seed", [1, 2])
def test_confirmed_words_survive_sigkill(tmp_path: Path, seed: int) -> None:
    tally, lost = asyncio.run(campaign(tmp_path, kills=16, seed=seed))
    assert lost == []
    assert tally.kills == 16
    assert tally.confirmed > 64  # or it would have proved nothing
    assert tally.typed > tally.confirmed  # some kills did hit words that were under way
