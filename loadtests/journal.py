"""What a commit costs: rows a second, time to the ack, and CPU per row, on SQLite and on Postgres.

    python -m loadtests.journal                       # SQLite with synchronous=FULL, then Postgres from its wheel
    python -m loadtests.journal --documents 1 --database sqlite --busy

One round hands over one update for each of `--documents` documents and waits for all acks: the latency that a room
sees at that load. With `--busy` the event loop has other work half of the time, as in a server under load; the
time of that work is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from collab.journal import Journal
from collab.store.base import Appended, Entry
from collab.store.open import open_store, upgrade

UPDATE_BYTES = 25  # a keystroke of yjs
SLICE_S = 0.001  # how long the loop is kept busy at a time


@dataclass
class Result:
    """One database's figures."""

    name: str
    rows: int
    rows_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    loop_us: float


class Load:
    """Keeps the event loop's thread busy half of the time, and knows how much CPU that took."""

    def __init__(self) -> None:
        self.cpu_s = 0.0

    async def run(self) -> None:
        """Forever, until cancelled."""
        while True:
            began, cpu = time.perf_counter(), time.thread_time()
            while time.perf_counter() - began < SLICE_S:
                sum(range(100))
            self.cpu_s += time.thread_time() - cpu
            await asyncio.sleep(SLICE_S)


async def measure(name: str, url: str, options: argparse.Namespace) -> Result:
    """Runs the rounds against one database and sums up."""
    await upgrade(url)
    async with open_store(url, sync=options.sync) as store:
        journal, load = Journal(store.log), Load()
        documents = [f"document-{n:06}-{random.randbytes(8).hex()}" for n in range(options.pool)]
        await round_of(journal, documents)
        busy = asyncio.create_task(load.run()) if options.busy else None
        times: list[float] = []
        cpu, loop_cpu, began = time.process_time(), time.thread_time(), time.perf_counter()
        load.cpu_s = 0.0
        for _ in track(range(options.rounds), name, transient=True, disable=not sys.stderr.isatty()):
            chosen = random.sample(documents, options.documents)
            started = time.perf_counter()
            await round_of(journal, chosen)
            times.append(time.perf_counter() - started)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu - load.cpu_s
        loop_cpu = time.thread_time() - loop_cpu - load.cpu_s
        if busy:
            busy.cancel()
        await journal.close()
    rows = options.rounds * options.documents
    cuts = statistics.quantiles(times, n=100)
    return Result(name, rows, rows / wall, cuts[49] * 1e3, cuts[98] * 1e3, cpu / rows * 1e6, loop_cpu / rows * 1e6)


async def round_of(journal: Journal, documents: list[str]) -> None:
    """One update for each document; returns when all are acknowledged."""
    done = asyncio.get_running_loop().create_future()
    left = len(documents)

    def told(result: Appended) -> None:
        nonlocal left
        assert result.error is None, result.error
        left -= 1
        if not left:
            done.set_result(None)

    for document in documents:
        journal.append(document, "L1", [Entry("anonymous", "0123456789ab", os.urandom(UPDATE_BYTES))], told)
    await done


@contextmanager
def database(kind: str, folder: Path | None) -> Iterator[tuple[str, str, Path | None]]:
    """A fresh database: its name, URL, and file (SQLite)."""
    if kind == "sqlite":
        place = Path(tempfile.mkdtemp(prefix="collab-bench-", dir=folder))
        try:
            yield "SQLite", f"sqlite:///{place}/collab.db", place / "collab.db"
        finally:
            shutil.rmtree(place)
    else:
        from tests import realservers

        with realservers.postgres() as server:
            yield "Postgres", server.url, None


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--documents", type=int, default=200, help="documents that change in one round")
    parser.add_argument("--pool", type=int, default=1000, help="documents that exist")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--sync", choices=["full", "normal"], default="full")
    parser.add_argument("--busy", action="store_true", help="keep the event loop busy half of the time")
    parser.add_argument("--uvloop", action="store_true", help="as `collab serve` does")
    parser.add_argument("--folder", type=Path, help="where the SQLite file goes: the disk to be measured")
    parser.add_argument("--switch-ms", type=float, help="the interpreter's thread switch interval (5 by default)")
    return parser.parse_args()


def main() -> None:
    """Measures and prints a table."""
    options = arguments()
    options.pool = max(options.pool, options.documents)
    if options.switch_ms:
        sys.setswitchinterval(options.switch_ms / 1000)
    table = Table("database", "rows/s", "commit p50 ms", "p99 ms", "CPU µs/row", "of it loop µs/row", "bytes/row")
    kinds = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    loop_factory = None
    if options.uvloop:
        import uvloop

        loop_factory = uvloop.new_event_loop
    for kind in kinds:
        with database(kind, options.folder) as (name, url, file), asyncio.Runner(loop_factory=loop_factory) as runner:
            result = runner.run(measure(name, url, options))
            stored = f"{file.stat().st_size / (result.rows + options.pool):.0f}" if file else ""
        figures = (result.p50_ms, result.p99_ms, result.cpu_us, result.loop_us)
        table.add_row(name, f"{result.rows_per_s:,.0f}", *(f"{figure:.2f}" for figure in figures), stored)
    Console().print(table)


if __name__ == "__main__":
    main()
