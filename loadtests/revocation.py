"""How long somebody goes on typing after their permission was taken back: on the node that was told, and on another.

`uv run python -m loadtests.revocation --rounds 200` starts two nodes on one Postgres. In each round a user opens a
socket with a ticket and types without a pause; an admin posts a revocation; measured is the time from sending that
until the writer's socket is closed with 4401, and checked that nothing was stored after it. Exits with 1 if any took
longer than a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.protocol.messages import encode_update
from collab.store.open import upgrade
from tests import realservers
from tests.access.realm import Realm, realm
from tests.updates import typed

TYPED_FIRST = 10
STROKE_S = 0.002
WITHIN_S = 1.0
AT_ONCE = 10
LOST_S = 20.0


async def type_until_closed(socket: ClientConnection, client: int, going: asyncio.Event) -> tuple[float, int | None]:
    """Types without a pause; returns when the socket was closed, and its close code."""
    try:
        for clock in range(1_000_000):
            await socket.send(encode_update(typed(client, clock, "x")))
            if clock == TYPED_FIRST:
                going.set()
            await asyncio.sleep(STROKE_S)
    except ConnectionClosed:
        pass
    return time.perf_counter(), socket.close_code


async def _read(socket: ClientConnection) -> None:
    """A client that does not read would be cut for that."""
    async for _ in socket:
        pass


async def revoke_one(told: Realm, typing: Realm, number: int, client: httpx2.AsyncClient) -> float:
    """Seconds from the call until the close. Raises AssertionError for any other end, or for a stroke that came in
    afterwards."""
    document, user = f"typed-{number}", f"user-{number}"
    head = typing.as_("admin")
    await client.post(f"{typing.server.url}/api/documents", json={"id": document}, headers=head)
    wanted = {"access": "write", "user": {"id": user}}
    answer = await client.post(f"{typing.server.url}/api/documents/{document}/tickets", json=wanted, headers=head)
    ticket = answer.raise_for_status().json()["ticket"]
    socket = await connect(f"{typing.server.socket_url}/{document}?ticket={ticket}", max_size=None)
    going = asyncio.Event()
    reading = asyncio.create_task(_read(socket))
    writing = asyncio.create_task(type_until_closed(socket, 7, going))
    await going.wait()
    began = time.perf_counter()
    done = await client.post(f"{told.server.url}/api/sessions/revoke", json={"user": user}, headers=head)
    done.raise_for_status()
    ended, code = await asyncio.wait_for(writing, LOST_S)
    await asyncio.gather(reading, return_exceptions=True)
    assert code == 4401, code
    details = [
        (await client.get(f"{typing.server.url}/api/documents/{document}", headers=head)).json()["seq"]
        for _ in range(2)
    ]
    assert details[0] == details[1] >= TYPED_FIRST, "something was stored after the end"
    return ended - began


async def measure(
    told: Realm, typing: Realm, rounds: int, start: int = 0, tick: Callable[[], object] = lambda: None
) -> list[float]:
    """Seconds of each round, a few at a time."""
    took: list[float] = []
    free = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with free:
            took.append(await revoke_one(told, typing, number, client))
            tick()

    async with httpx2.AsyncClient(timeout=LOST_S) as client, asyncio.TaskGroup() as group:
        for number in range(start, start + rounds):
            group.create_task(one(number))
    return sorted(took)


def quantile(took: list[float], share: float) -> float:
    """Of sorted seconds."""
    return took[min(len(took) - 1, int(share * len(took)))]


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    given, console = parser.parse_args(), Console()
    table, worst = Table("writer's node", "rounds", "p50 ms", "p99 ms", "max ms", box=None), 0.0
    with ExitStack() as stack:
        url = stack.enter_context(realservers.postgres(fsync=False)).url
        asyncio.run(upgrade(url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = {"COLLAB_DATABASE_URL": url}
        here, there = (stack.enter_context(realm(folder / name, env=env)) for name in ("a", "b"))
        progress = stack.enter_context(Progress(console=console))
        for name, typing, start in (("the one that is told", here, 0), ("another", there, given.rounds)):
            bar = progress.add_task(name, total=given.rounds)
            tick = lambda bar=bar: progress.advance(bar)  # noqa: E731
            took = asyncio.run(measure(here, typing, given.rounds, start, tick))
            figures = [quantile(took, 0.5), quantile(took, 0.99), took[-1]]
            table.add_row(name, str(given.rounds), *(f"{1000 * figure:.1f}" for figure in figures))
            worst = max(worst, took[-1])
    console.print(table)
    return 0 if worst <= WITHIN_S else 1


if __name__ == "__main__":
    sys.exit(main())
