"""A slice of the rot, and the words with which the doctor sends one on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
import structlog
from typer.testing import CliRunner

from collab.cli import app
from tests.faults import rot


async def test_every_rotten_cell_is_noticed_and_the_rest_is_served(tmp_path: Path) -> None:
    with structlog.testing.capture_logs():
        seen = await rot.campaign(tmp_path, rounds=30, seed=5)
    assert seen.total() == 90
    assert seen["update_log: good prefix, read-only"] > 0
    assert seen["checkpoint: served whole"] == 30
    assert seen["history_segment: served whole"] == seen["history_segment: good prefix, read-only"] == 15


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def spoil_one(folder: Path, table: str) -> rot.Cell:
    async with rot.filled(folder, 5) as (store, _):
        cell = next(cell for cell in await rot.cells(store) if cell.table == table)
        await rot.put(store, cell, rot.spoiled(cell.whole, Random(1)))
    return cell


@pytest.mark.parametrize("table", ["update_log", "history_segment"])
def test_the_doctor_says_what_to_do(tmp_path: Path, table: str) -> None:
    cell = asyncio.run(spoil_one(tmp_path, table))
    url = f"sqlite:///{tmp_path / 'rot.db'}"
    result = CliRunner().invoke(app, ["doctor", "--database-url", url])
    assert result.exit_code == 1 and "--salvage" in result.output
    folder = tmp_path / "salvaged"
    result = CliRunner().invoke(app, ["doctor", "--database-url", url, "--salvage", str(folder)])
    assert [path.name for path in folder.iterdir()] == [f"{cell.document}.zip"]
