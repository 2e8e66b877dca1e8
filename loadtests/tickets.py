"""Races for one ticket: however many try to open with it at the same instant, one gets in.

`uv run python -m loadtests.tickets --rounds 10000` starts a server, mints a ticket a round, and lets several
connections, sockets and event streams mixed, present it in the same turn of the loop. Exits with 1 if any round had
not exactly one winner.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from rich.console import Console
from rich.progress import Progress

from tests.access.realm import Realm, realm
from tests.backends import embedded

CONTENDERS = 4
AT_ONCE = 8  # rounds under way at the same time
ANSWER_S = 30.0
IDLE_S = 1.0  # the server closes idle connections after 5 s, and must not do so under a call
DOCUMENT = "prize"
UPGRADE = "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3


@dataclass
class Outcome:
    """How many rounds had how many winners, and at which door they got in."""

    winners: Counter[int] = field(default_factory=Counter)
    doors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """One winner in each."""
        return set(self.winners) == {1}


async def present(host: str, ticket: str, door: str, go: asyncio.Event) -> int:
    """Connects, waits for the others, presents the ticket; returns the HTTP status."""
    name, port = host.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        if door == "socket":
            head = f"GET /sync/{DOCUMENT}?ticket={ticket} HTTP/1.1\r\nhost: {host}\r\n{UPGRADE.format(key=KEY)}\r\n"
        else:
            head = f"GET /api/documents/{DOCUMENT}/events?ticket={ticket} HTTP/1.1\r\nhost: {host}\r\n\r\n"
        await go.wait()
        writer.write(head.encode())
        status = await asyncio.wait_for(reader.readline(), ANSWER_S)
        return int(status.split()[1])
    finally:
        writer.transport.abort()


async def race(here: Realm, client: httpx2.AsyncClient, doors: list[str], outcome: Outcome) -> None:
    """One round."""
    wanted = {"access": "read", "user": {"id": "runner"}}
    answer = await client.post(f"/api/documents/{DOCUMENT}/tickets", json=wanted, headers=here.as_("admin"))
    ticket = answer.raise_for_status().json()["ticket"]
    go = asyncio.Event()
    host = here.server.url.partition("//")[2]
    runners = [asyncio.create_task(present(host, ticket, door, go)) for door in doors]
    await asyncio.sleep(0)
    go.set()
    statuses = await asyncio.gather(*runners)
    won = [door for door, status in zip(doors, statuses, strict=True) if status in (101, 200)]
    outcome.winners[len(won)] += 1
    outcome.doors.update(won)
    outcome.refusals.update(status for status in statuses if status not in (101, 200))


async def run(here: Realm, rounds: int, seed: int, progress: Progress | None = None) -> Outcome:
    """All rounds, a few at a time."""
    outcome, seeds, free = Outcome(), random.Random(seed), asyncio.Semaphore(AT_ONCE)
    bar = progress.add_task("races", total=rounds) if progress else None

    async def one(doors: list[str]) -> None:
        async with free:
            await race(here, client, doors, outcome)
            if progress is not None and bar is not None:
                progress.advance(bar)

    began = time.perf_counter()
    idle = httpx2.Limits(keepalive_expiry=IDLE_S)
    async with (
        httpx2.AsyncClient(base_url=here.server.url, timeout=ANSWER_S, limits=idle) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(rounds):
            group.create_task(one(seeds.choices(("socket", "events"), weights=(3, 1), k=CONTENDERS)))
    outcome.seconds = time.perf_counter() - began
    return outcome


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    console = Console()
    with (
        tempfile.TemporaryDirectory() as folder,
        realm(embedded(Path(folder)), Path(folder)) as here,
        Progress(console=console) as progress,
    ):
        here.ask("admin", "POST", "/api/documents", json={"id": DOCUMENT})
        outcome = asyncio.run(run(here, given.rounds, given.seed, progress))
    console.print(f"{given.rounds} rounds of {CONTENDERS}, seed {given.seed}, {outcome.seconds:.1f} s")
    console.print(f"winners a round: {dict(outcome.winners)}; by door: {dict(outcome.doors)}")
    console.print(f"refused with: {dict(outcome.refusals)}")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
