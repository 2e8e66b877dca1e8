"""Memory of the server while thousands of documents are opened and left.

`uv run python -m loadtests.idle_rooms [--documents 2000] [--rounds 8]` starts a server of its own, opens each document,
leaves it, waits until every room is unloaded, and prints the server's resident memory. The first round types 2,000
characters into each; the others only read. A curve that flattens means that nothing of a left document stays.
(SQLite keeps a page cache per connection, which fills as connections come to read; that is why the documents are the
same in each round, and why the first rounds still rise.)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
from pycrdt import Doc, Text
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from collab.replay.address import Address
from collab.replay.peer import Peer
from tests.server import Server, running_server, wait_until

CHARACTERS = 2_000
AT_ONCE = 50  # connections open at a time
LINGER_S = 5  # longer than a round takes, so that all documents are loaded together
UNLOAD_S_MAX = 120.0
ROOMS = re.compile(r"^collab_rooms (\S+)$", re.MULTILINE)


async def visit(address: Address, write: bool) -> None:
    """Opens a document, types, waits until that is durable, leaves; or only reads it."""
    doc: Doc[Any] = Doc({"text": Text("all work and no play " * (CHARACTERS // 21))} if write else {})
    news = asyncio.Event()
    peer = Peer(address, doc, doc.apply_update, news.set)
    connection = asyncio.create_task(peer.run())
    try:
        async with asyncio.timeout(60):
            while not (peer.saved if write else peer.synced):
                await news.wait()
                news.clear()
                if write:
                    peer.ask(1)
    finally:
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def visit_all(server: Server, names: list[str], number: int, bar: Progress) -> None:
    """Some at a time."""
    task = bar.add_task(f"round {number}", total=len(names))
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with turns:
            await visit(Address(server.url, name), write=number == 1)
        bar.advance(task)

    await asyncio.gather(*map(one, names))


def rooms(server: Server) -> int:
    """Documents loaded now."""
    found = ROOMS.search(httpx2.get(f"{server.url}/metrics").text)
    assert found, "no collab_rooms in /metrics"
    return int(float(found[1]))


def resident_bytes(pid: int) -> int:
    """Of one process (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="collab-idle-") as folder,
        running_server(Path(folder), env={"COLLAB_LINGER_S": str(LINGER_S)}) as server,
        Progress(console=Console(stderr=True)) as bar,
    ):
        rows.append({"round": 0, "loaded": rooms(server), "mib": resident_bytes(server.pid) / 2**20, "seconds": 0.0})
        for number in range(1, options.rounds + 1):
            rows += one_round(server, number, options.documents, bar)
    report(rows, options.json)


def one_round(server: Server, number: int, documents: int, bar: Progress) -> list[dict[str, float]]:
    """Memory with the documents just left, and after they were unloaded."""
    began = time.monotonic()
    asyncio.run(visit_all(server, [f"idle-{n}" for n in range(documents)], number, bar))
    rows = []
    for wait in (False, True):
        if wait:
            wait_until(lambda: rooms(server) == 0, UNLOAD_S_MAX, "unloading")
        memory, seconds = resident_bytes(server.pid) / 2**20, time.monotonic() - began
        rows.append({"round": number, "loaded": rooms(server), "mib": memory, "seconds": seconds})
    return rows


def report(rows: list[dict[str, float]], as_json: bool) -> None:
    """A table, or JSON."""
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = Table("round", "documents loaded", "resident MiB", "seconds", title="documents opened and left")
    for row in rows:
        table.add_row(f"{row['round']}", f"{row['loaded']:,}", f"{row['mib']:.1f}", f"{row['seconds']:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
