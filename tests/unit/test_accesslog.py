"""The access log: what is queued is written, whoever writes it."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest

from collab.accesslog import AccessLog
from tests.patience import PATIENCE_S


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_node_that_goes_down_while_lines_are_being_written_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    shaping, go_on = threading.Event(), threading.Event()

    def scrub(text: str) -> str:
        if threading.current_thread() is not threading.main_thread():
            shaping.set()
            go_on.wait(PATIENCE_S)
        return text

    monkeypatch.setattr("collab.accesslog.EVERY_S", 0.0)
    log = AccessLog(written.append, scrub)
    for name in "abc":
        log.tell("request", path=name)
    running = asyncio.create_task(log.run())
    assert await asyncio.to_thread(shaping.wait, PATIENCE_S)
    running.cancel()
    await asyncio.wait({running})
    go_on.set()

    def paths() -> list[str]:
        return sorted(orjson.loads(line)["path"] for text in list(written) for line in text.splitlines())

    async with asyncio.timeout(PATIENCE_S):
        while len(paths()) < 3:  # noqa: ASYNC110 - the last ones come from a thread that nobody waits for
            await asyncio.sleep(0.001)
    assert paths() == ["a", "b", "c"]
