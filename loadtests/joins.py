"""How long a newcomer waits for a document, against the number of edits behind it.

`uv run python -m loadtests.joins [--edits 1000 10000 100000 1000000]` starts a server of its own, types each document
key by key (the text stays 4,000 characters long), and measures from the first byte of the handshake until the whole
text is there: in a room that is open, and in one that must be loaded after a restart; the same by REST.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
from pycrdt import Doc
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from collab.replay.address import Address
from collab.replay.peer import Peer
from loadtests.typist import Typist
from tests.server import Server, running_server, wait_until

TEXT_LENGTH = 4_000
QUIET_S = 3.0
SETTLE_S_MAX = 120.0
FIGURES = re.compile(r"^collab_(?:folds_total|resident_bytes) .*$", re.MULTILINE)
JOINS = 9


async def join(address: Address) -> float:
    """Seconds from connecting until step 2 is merged."""
    doc: Doc[Any] = Doc()
    news = asyncio.Event()
    began = time.perf_counter()
    peer = Peer(address, doc, doc.apply_update, news.set)
    connection = asyncio.create_task(peer.run())
    try:
        async with asyncio.timeout(60):
            while not peer.synced:
                await news.wait()
                news.clear()
        return time.perf_counter() - began
    finally:
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def fetch(address: Address) -> float:
    """Seconds for the whole state by REST."""
    async with httpx2.AsyncClient(timeout=60.0) as http:
        began = time.perf_counter()
        (await http.get(f"{address.rest}/state")).raise_for_status()
        return time.perf_counter() - began


async def median_ms(measure: Callable[[Address], Awaitable[float]], address: Address) -> float:
    """Of several tries."""
    return 1000 * statistics.median([await measure(address) for _ in range(JOINS)])


def measure(server: Server, edits: int, bar: Progress) -> dict[str, float]:
    """One document: typed, joined while open, joined after a restart."""
    address = Address(server.url, f"joins-{edits}")
    task = bar.add_task(f"{edits:,} edits", total=edits)
    began = time.perf_counter()
    typist = Typist(address, TEXT_LENGTH)
    asyncio.run(typist.type(edits, lambda done: bar.update(task, completed=done)))
    row = {"edits": edits, "typed_per_s": edits / (time.perf_counter() - began)}
    wait_until_folded(server)
    row["open_ms"] = asyncio.run(median_ms(join, address))
    row["rest_ms"] = asyncio.run(median_ms(fetch, address))
    server.stop()
    server.start()
    asyncio.run(join(Address(server.url, "warm-up")))
    row["first_join_after_restart_ms"] = 1000 * asyncio.run(join(address))
    row["state_bytes"] = len(httpx2.get(f"{address.rest}/state").content)
    return row


def wait_until_folded(server: Server) -> None:
    """Typing at this speed leaves folding behind; it has caught up when a while brings no further fold."""
    seen, since = "", time.monotonic()

    def at_rest() -> bool:
        nonlocal seen, since
        now = "".join(FIGURES.findall(httpx2.get(f"{server.url}/metrics").text))
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_S

    wait_until(at_rest, SETTLE_S_MAX, "folding")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="collab-joins-") as folder, running_server(Path(folder)) as server:
        with Progress(console=console) as bar:
            rows = [measure(server, edits, bar) for edits in options.edits]
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]), title="joining a document")
    for row in rows:
        table.add_row(*(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
