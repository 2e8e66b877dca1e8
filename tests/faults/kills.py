"""SIGKILL at random moments, then everybody must agree: `python -m tests.faults.kills --rounds 100 --seed 1`.

Three writers on sockets and one by REST share two documents of a server that is killed again and again, on SQLite or
(`--database postgres`) on a real PostgreSQL. After each restart every confirmed word must be there before anybody can
send it again; after every 25 kills all writers come back, and server and clients must hold the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import httpx2

from tests import realservers
from tests.acceptance.kills import KILLS_PER_CAST, LIFE_S_MAX, Tally, cast, check, make_documents
from tests.acceptance.victim import Victim
from tests.faults.lives import agree, live
from tests.patience import PATIENCE_S


@contextmanager
def victim_on(database: str, folder: Path) -> Iterator[Victim]:
    """A server that can be killed, on a database that lives as long as the block."""
    with ExitStack() as stack:
        arguments: list[str] = []
        if database == "postgres":
            url = stack.enter_context(realservers.postgres()).url
            _upgrade(url)
            arguments = ["--database-url", url]
        yield stack.enter_context(Victim(folder, *arguments))


def _upgrade(url: str) -> None:
    from collab.store.open import upgrade

    asyncio.run(upgrade(url))


async def campaign(victim: Victim, rounds: int, seed: int, until_s: float = 1e9) -> tuple[Tally, list[str]]:
    """Kills that often; returns the tally and what was lost, or differed at the end of a cast."""
    random, tally, wrong = Random(seed), Tally(), list[str]()
    began = time.monotonic()
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
        while tally.kills < rounds and time.monotonic() - began < until_s:
            writers = cast(victim.url, f"{seed}.{tally.kills}")
            await make_documents(victim, writers, http)
            for _ in range(min(KILLS_PER_CAST, rounds - tally.kills)):
                await live(writers, random.random() * LIFE_S_MAX, victim.kill, random, http)
                tally.kills += 1
                wrong += await check(victim, writers, http)
            wrong += await agree(writers, http)
            tally.typed += sum(writer.typed for writer in writers)
            tally.confirmed += sum(writer.confirmed for writer in writers)
            tally.seconds = time.monotonic() - began
            sys.stdout.write(f"{tally}; {len(wrong)} wrong\n")
            sys.stdout.flush()
    return tally, wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-kills-") as folder, victim_on(options.database, Path(folder)) as it:
        _, wrong = asyncio.run(campaign(it, options.rounds, options.seed, options.minutes * 60.0))
    sys.stdout.write("".join(f"WRONG {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
