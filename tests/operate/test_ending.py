"""SIGTERM: sockets are told to come back, what they left is on disk, and the process ends by itself, all closed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from collab_client import connect, text
from tests.patience import PATIENCE_S
from tests.server import running_server


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
