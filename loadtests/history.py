"""What a document's history costs on disk: bytes stored per byte of its text, with every update kept and squashed.

`uv run python -m loadtests.history [TRACE] [--per-second 3] [--step-s 3600]` writes an editing trace (JSON, perhaps
gzipped; without one a generated session of 26,000 edits) into an embedded database as one commit per edit, as if typed
at that pace; then squashes all of it, restores the document as it was at the end of every hundredth step, and compares.
Checkpoints are made when the service would make them.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from collab.checkpoint import Checkpointer, Policy
from collab.crdt.fold import condense, fold, verify
from collab.crdt.index import build
from collab.retention import Policy as Keeping
from collab.retention import Retention
from collab.store.base import Append, Entry
from collab.store.log import SqlLog
from collab.store.open import Store, open_store
from loadtests.codec import generated, log_of, recorded

DOCUMENT, LINEAGE = "d", "history"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 500
SIZES = {
    "log rows": "SELECT coalesce(sum(length(payload) + length(batch) + length(checksum)), 0) FROM update_log",
    "history segments": "SELECT coalesce(sum(length(payload) + length(checksum)), 0) FROM history_segment",
    "checkpoints": "SELECT coalesce(sum(length(state) + length(state_index)), 0) FROM checkpoint",
    "file, used pages": "SELECT (p.page_count - f.freelist_count) * s.page_size "
    "FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
}


async def small(updates: Sequence[bytes], whole: bool) -> bytes:
    """As the engine's worker makes it."""
    made = fold(None, updates) if whole else condense(updates)
    verify(made, None, updates)
    return made


async def state(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The same for checkpoints."""
    made = fold(base, updates)
    return made, build(made)


async def write(store: Store, updates: Sequence[bytes], per_s: float) -> datetime:
    """One commit per update; returns when the last one was made."""
    made = 0
    log = SqlLog(store.database, lambda: round((BEGAN.timestamp() + made / per_s) * 1e6))
    folding, folded = Checkpointer(store.log, state), 0
    for update in updates:
        made += 1
        await log.append([Append(DOCUMENT, LINEAGE, made.to_bytes(16, "big"), [Entry("ada", "s", update)])])
        if Policy().due(made - folded, 0, folded):  # so many updates are about as many bytes of state
            await folding.fold(DOCUMENT)
            folded = made
    return BEGAN + timedelta(seconds=made / per_s)


async def sizes(store: Store) -> dict[str, int]:
    """Bytes of each kind."""

    def work(connection: Connection) -> dict[str, int]:
        return {name: int(connection.execute(text(query)).scalar_one()) for name, query in SIZES.items()}

    return await store.database.read(work)


async def compare(store: Store, updates: Sequence[bytes]) -> int:
    """Raises AssertionError unless a hundred moments of the past can be restored; returns how many there are."""
    rows = await store.log.read(DOCUMENT, 0, len(updates))
    every = max(1, len(rows) // 100)
    pieces: list[bytes] = []
    past, piecewise, before = fold(None, []), fold(None, []), 0
    for number, row in enumerate(rows, 1):
        pieces.append(row.entries[0].update)
        if number % every == 0 or number == len(rows):
            past, before = fold(past, updates[before : row.last_seq]), row.last_seq
            piecewise, pieces = fold(piecewise, pieces), []
            assert past == piecewise, f"up to seq {row.last_seq} it is not what it was"
    return len(rows)


async def measure(updates: Sequence[bytes], text_bytes: int, per_s: float, step_s: int) -> Table:
    """Writes, squashes, compares."""
    table = Table("stored", "every update", "per byte of text", "squashed", "per byte of text")
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{Path(folder) / 'collab.db'}", sync="normal") as store:
            ended = await write(store, updates, per_s)
            before = await sizes(store)
            keeping = Keeping(exact=timedelta(0), step_s=step_s)
            checkpointer = Checkpointer(store.log, state)
            retention = Retention(store.segments, small, checkpointer.fold, keeping, lambda: ended + timedelta(days=1))
            started = time.monotonic()
            await retention.once()
            took_s = time.monotonic() - started
            after, moments = await sizes(store), await compare(store, updates)
    for name in SIZES:
        shares = [f"{one[name] / text_bytes:.2f}" for one in (before, after)]
        table.add_row(name, f"{before[name]:,}", shares[0], f"{after[name]:,}", shares[1])
    table.caption = f"{len(updates):,} updates, {text_bytes:,} bytes of text; {moments} moments, in {took_s:.1f} s"
    return table


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="?", type=Path)
    parser.add_argument("--per-second", type=float, default=3.0, help="edits; people type two to five")
    parser.add_argument("--step-s", type=int, default=3600)
    parser.add_argument("--limit", type=int, help="only so many transactions of the trace")
    asked = parser.parse_args()
    txns = recorded(asked.trace) if asked.trace else [{"patches": edit} for edit in generated(26_000)]
    txns = txns[: asked.limit]
    length = sum(len(inserted) - deleted for txn in txns for _, deleted, inserted in txn["patches"])
    Console().print(asyncio.run(measure(log_of(txns), length, asked.per_second, asked.step_s)))


if __name__ == "__main__":
    main()
