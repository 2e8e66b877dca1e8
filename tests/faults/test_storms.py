"""A slice of the storms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import storms
from tests.server import Server, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("storm")
    with running_server(folder, env={"COLLAB_LINGER_S": "0", "COLLAB_LOG_LEVEL": "error"}) as running:
        yield running


def test_everybody_comes_back_to_a_new_process_and_is_current(server: Server) -> None:
    assert asyncio.run(storms.come_back(server, 60, 1)) > 0.0


def test_a_reader_that_stops_reading_costs_bounded_memory_and_stops_nobody(server: Server) -> None:
    _, grown_kib = asyncio.run(storms.typed_to_readers(server, "stopped", 300, stop_one=True))
    assert grown_kib < 32 * 1024, "1.2 MB of edits, one of them stuck"


def test_rooms_people_have_left_leave_nothing_behind(server: Server) -> None:
    [first, *_] = asyncio.run(storms.soak(server, 50, 1, 60.0))
    assert (first["rooms"], first["sockets"]) == (0, 0)
