"""History that was squashed, behind a real server: served as it is now, restored as it was at the end of an hour."""

from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner

from collab.main import app
from collab.store.open import open_store
from collab_client import sync
from tests.cli.conftest import Cli
from tests.contract.past import SECRET, Past
from tests.server import running_server


async def write(folder: Path) -> None:
    """Four hours of typing, of which three are squashed; checkpoints are lost on the way."""
    async with open_store(f"sqlite:///{folder}/collab.db") as store:
        past = Past(store)
        await past.type()
        await past.retention().once()
        await store.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM checkpoint"))


def test_the_past_is_restored_to_the_end_of_a_step_or_exactly(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    asyncio.run(write(tmp_path / "data"))
    with running_server(tmp_path / "data") as server, sync.Documents(server.url) as docs:
        cli = Cli({"COLLAB_URL": server.url})
        assert docs.read("d", "t", type="text") == "x" * 16
        cli("docs", "restore", "d", "--at", "2026-03-01T12:30Z", "--as", "too early", code=3)
        said = cli("docs", "restore", "d", "--at", "2026-03-01T14:30Z", "--as", "hours")
        assert said == (
            "hours is d as it was after 12 updates, at 2026-03-01T13:50:00Z: history this old is kept in steps\n"
        )
        assert docs.read("hours", "t", type="text") == "x" * 8
        told = cli.json("docs", "restore", "d", "--at", "2026-03-01T15:15Z", "--as", "minutes")
        assert (told["restored_seq"], told["restored_to"]) == (20, "2026-03-01T15:10:00Z")
        assert docs.read("minutes", "t", type="text") == "x" * 13 + SECRET
        assert docs.get("d").seq == 24
    seen = CliRunner().invoke(app, ["doctor", "--data", str(tmp_path / "data")])
    assert seen.exit_code == 0 and "3 history segments" in seen.stderr, seen.output
