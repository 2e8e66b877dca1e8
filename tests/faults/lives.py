"""Lives of a server under writers, and what must be true after each: shared by the kills and the power cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import httpx2
from pycrdt import Doc, Text

from tests.acceptance.writers import RestWriter, SocketWriter, Writer, words
from tests.patience import PATIENCE_S

WORDS_MAX = 16  # a life lasts until up to so many are confirmed, if its time is over sooner


async def live(
    writers: list[Writer], seconds: float, end: Callable[[], None], random: Random, http: httpx2.AsyncClient
) -> None:
    """Lets them write for so long, then calls `end`; a writer that gave up before is an error.

    A slow machine has them write longer: what dies before it has confirmed something proves nothing.
    """
    enough = confirmed(writers) + random.randint(1, WORDS_MAX)
    jobs = [asyncio.create_task(writer.write(random, http)) for writer in writers]
    await asyncio.wait(jobs, timeout=seconds)
    async with asyncio.timeout(PATIENCE_S):
        while confirmed(writers) < enough and not any(job.done() for job in jobs):  # noqa: ASYNC110  no event
            await asyncio.sleep(0.005)
    finished = [job for job in jobs if job.done()]
    end()
    for job in jobs:
        job.cancel()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
    assert not finished, "a writer gave up while the server was alive"


def confirmed(writers: list[Writer]) -> int:
    """Words of all of them that must survive."""
    return sum(writer.confirmed for writer in writers)


async def stored(writer: Writer, http: httpx2.AsyncClient) -> Doc[Any]:
    """The document as the server holds it."""
    doc: Doc[Any] = Doc()
    doc.apply_update((await http.get(f"{writer.address.rest}/state")).raise_for_status().content)
    return doc


async def agree(writers: list[Writer], http: httpx2.AsyncClient) -> list[str]:
    """Everybody comes back and brings what was not confirmed; then all hold the same. Returns who does not."""
    jobs = [asyncio.create_task(_come_back(writer, http)) for writer in writers]
    try:
        async with asyncio.timeout(PATIENCE_S):
            while wrong := await _differing(writers, http):  # noqa: ASYNC110  two processes: no event to wait for
                await asyncio.sleep(0.05)
    except TimeoutError:
        return wrong
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    return []


async def _come_back(writer: Writer, http: httpx2.AsyncClient) -> None:
    if isinstance(writer, SocketWriter):
        await writer._peer.run()
    elif isinstance(writer, RestWriter):
        headers = {"content-type": "application/octet-stream"}
        update = writer.doc.get_update(writer._answered)
        (await http.post(f"{writer.address.rest}/updates", content=update, headers=headers)).raise_for_status()


async def _differing(writers: list[Writer], http: httpx2.AsyncClient) -> list[str]:
    wrong: list[str] = []
    for writer in writers:
        here = [w for w in writers if w.address == writer.address]
        server = await stored(writer, http)
        if isinstance(writer, RestWriter):
            writer.doc.apply_update(server.get_update())
        for other in here:
            for doc, who in ((server, "the server"), (writer.doc, writer.root)):
                if str(doc.get(other.root, type=Text)) != words(other.typed):
                    wrong.append(f"{writer.address.document}: {who} does not hold all that {other.root} typed")
    return sorted(set(wrong))
