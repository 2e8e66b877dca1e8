"""SIGKILL at random moments under four writers: every confirmed word must be there after the restart.

`python -m tests.acceptance.kills --kills 500 --seed 1`. Three writers use sockets and message 102, one uses REST; they
share documents. Exit status 0 if nothing was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2
from pycrdt import Doc

from collab.replay.address import Address
from tests.acceptance.victim import Victim
from tests.acceptance.writers import RestWriter, SocketWriter, Writer
from tests.faults.lives import live
from tests.patience import PATIENCE_S

LIFE_S_MAX = 0.25  # a server lives a random time up to this
KILLS_PER_CAST = 25  # then new writers and documents, so that texts stay short


@dataclass(slots=True)
class Tally:
    """What a campaign has seen."""

    kills: int = 0
    confirmed: int = 0
    typed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        each = self.seconds / max(1, self.kills)
        return f"{self.kills} kills, {self.confirmed:,} of {self.typed:,} words confirmed, {each:.2f} s per kill"


async def campaign(data: Path, kills: int, seed: int) -> tuple[Tally, list[str]]:
    """Kills that often; returns the tally and what was lost."""
    random, tally, lost = Random(seed), Tally(), list[str]()
    began = time.monotonic()
    with Victim(data) as victim:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
            await _kill_again_and_again(victim, kills, random, tally, lost, http)
    tally.seconds = time.monotonic() - began
    return tally, lost


async def _kill_again_and_again(
    victim: Victim, kills: int, random: Random, tally: Tally, lost: list[str], http: httpx2.AsyncClient
) -> None:
    while tally.kills < kills:
        writers = cast(victim.url, str(tally.kills))
        await make_documents(victim, writers, http)
        for _ in range(min(KILLS_PER_CAST, kills - tally.kills)):
            await live(writers, random.random() * LIFE_S_MAX, victim.kill, random, http)
            tally.kills += 1
            lost += await check(victim, writers, http)
        tally.typed += sum(writer.typed for writer in writers)
        tally.confirmed += sum(writer.confirmed for writer in writers)


def cast(url: str, name: str) -> list[Writer]:
    """Four writers on two documents."""
    shared, other = Address(url, f"shared {name}"), Address(url, f"other/{name}")
    return [
        SocketWriter("ana", shared),
        SocketWriter("bo", shared),
        RestWriter("cy", shared),
        SocketWriter("di", other),
    ]


async def make_documents(victim: Victim, writers: list[Writer], http: httpx2.AsyncClient) -> None:
    """Starts the first server if none runs yet; REST writes only to documents that exist."""
    if not victim.is_running:
        await victim.start(http)
    for document in sorted({writer.address.document for writer in writers}):
        (await http.post(writers[0].address.documents, json={"id": document})).raise_for_status()


async def check(victim: Victim, writers: list[Writer], http: httpx2.AsyncClient) -> list[str]:
    """Starts the next server and compares what it holds, before anybody can send anything again."""
    await victim.start(http)
    lost: list[str] = []
    for rest in sorted({writer.address.rest for writer in writers}):
        stored: Doc[object] = Doc()
        stored.apply_update((await http.get(f"{rest}/state")).raise_for_status().content)
        here = (writer for writer in writers if writer.address.rest == rest)
        lost += [wrong for writer in here if (wrong := writer.lost(stored)) is not None]
    return lost


async def campaigns(folder: Path, kills: int, seed: int, workers: int) -> int:
    """Several at once, each with a server and a folder of its own."""
    shares = [kills // workers + (number < kills % workers) for number in range(workers)]
    folders = [folder / str(number) for number in range(workers)]
    for path in folders:
        path.mkdir()
    runs = [campaign(path, share, seed * 1000 + n) for n, (path, share) in enumerate(zip(folders, shares, strict=True))]
    total: list[str] = []
    for number, (tally, lost) in enumerate(await asyncio.gather(*runs)):
        sys.stdout.write(f"worker {number}: {tally}; {len(lost)} losses\n")
        total += lost
    sys.stdout.write("".join(f"LOST {line}\n" for line in total))
    return 1 if total else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-kills-") as folder:
        return asyncio.run(campaigns(Path(folder), options.kills, options.seed, options.workers))


if __name__ == "__main__":
    sys.exit(main())
