"""SIGTERM: sockets are told to come back, what they left is on disk, and the process ends by itself, all closed; or it
ends by its deadline, whatever hangs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from collab_client import Unsaved, connect, text
from tests.patience import PATIENCE_S
from tests.server import running_server, wait_until


async def test_a_node_that_is_told_to_end_drains_and_closes_everything(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        async with connect(server.url, "d") as ada:
            text.insert(ada.text(), 0, "kept")
            await ada.saved(PATIENCE_S)
            assert await asyncio.to_thread(server.stop) == 0  # no signal ended it
        told = [json.loads(line) for line in server.output if line.startswith("{")]
        draining, closed = ([one for one in told if one["event"] == event] for event in ("draining", "socket closed"))
        assert [one["sockets"] for one in draining] == [1]
        assert [one["code"] for one in closed] == [1012] and closed[0]["session"]
        assert told[-1]["event"] == "ended"  # the last lines of the access log are written as well


async def test_a_node_whose_database_hangs_ends_by_its_deadline(tmp_path: Path) -> None:
    """Left to itself it would wait longer for what it had not committed yet, and end without an error."""
    with running_server(tmp_path, env={"COLLAB_DRAIN_S": "0.1"}) as server:
        with closing(sqlite3.connect(tmp_path / "collab.db", isolation_level=None)) as shell:
            with pytest.raises(Unsaved):
                async with connect(server.url, "d", save_s=0.0) as ada:
                    shell.execute("BEGIN IMMEDIATE")  # nobody else writes until this ends
                    text.insert(ada.text(), 0, "not saved")
                    await asyncio.to_thread(wait_until, lambda: waiting_bytes(server.url), what="the edit, in line")
                    assert await asyncio.to_thread(server.stop) == 1
        assert not any('"ended"' in line for line in server.output)


def waiting_bytes(url: str) -> float:
    """What the journal has not committed yet."""
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("collab_journal_waiting_bytes "))
