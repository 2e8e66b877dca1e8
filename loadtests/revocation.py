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
from contextlib import ExitStack, suppress
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
from tests.backends import Ground
from tests.updates import typed

TYPED_FIRST = 10
STROKE_S = 0.005
WITHIN_S = 1.0
AT_ONCE = 4
LOST_S = 20.0
SETTLE_S = 0.1


class Writer:
    """Types without a pause until the socket is closed; says when that was and how much it had sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.sent = 0
        self.going = asyncio.Event()
        self.ended = 0.0

    async def run(self) -> None:
        """Until closed."""
        reading = asyncio.create_task(self._read())
        try:
            while True:
                await self.socket.send(encode_update(typed(7, self.sent, "x")))
                self.sent += 1
                if self.sent == TYPED_FIRST:
                    self.going.set()
                await asyncio.sleep(STROKE_S)
        except ConnectionClosed:
            self.ended = time.perf_counter()
        await reading

    async def _read(self) -> None:
        """A client that does not read would be cut for that."""
        with suppress(ConnectionClosed):
            async for _ in self.socket:
                pass


async def settled(client: httpx2.AsyncClient, url: str, head: dict[str, str]) -> int:
    """How many updates the log holds once what was under way is committed."""
    before, seq = -1, 0
    while before != seq:
        await asyncio.sleep(SETTLE_S)
        before, seq = seq, (await client.get(url, headers=head)).json()["seq"]
    return seq


async def revoke_one(told: Realm, typing: Realm, number: int, client: httpx2.AsyncClient) -> float:
    """Seconds from the call until the close. Raises AssertionError for any other end, or for a stroke that came in
    after the node that was told had answered."""
    document, user = f"typed-{number}", f"user-{number}"
    head = typing.as_("admin")
    await client.post(f"{typing.server.url}/api/documents", json={"id": document}, headers=head)
    wanted = {"access": "write", "user": {"id": user}}
    answer = await client.post(f"{typing.server.url}/api/documents/{document}/tickets", json=wanted, headers=head)
    ticket = answer.raise_for_status().json()["ticket"]
    socket = await connect(f"{typing.server.socket_url}/{document}?ticket={ticket}", max_size=None)
    writer = Writer(socket)
    writing = asyncio.create_task(writer.run())
    await writer.going.wait()
    began = time.perf_counter()
    done = await client.post(f"{told.server.url}/api/sessions/revoke", json={"user": user}, headers=head)
    sent = writer.sent
    done.raise_for_status()
    await asyncio.wait_for(writing, LOST_S)
    assert socket.close_code == 4401, socket.close_code
    stored = await settled(client, f"{typing.server.url}/api/documents/{document}", head)
    same_node = told is typing and len(typing.server.servers) == 1
    assert stored <= sent or not same_node, "something was stored after the end"
    return writer.ended - began


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
        here, there = (stack.enter_context(realm(Ground(url), folder / name)) for name in ("a", "b"))
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
