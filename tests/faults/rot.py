"""Rotten bytes: `python -m tests.faults.rot --rounds 1000 --seed 1`.

In each round one cell of the log, of a history segment or of a checkpoint gets a flipped bit, is cut short or gets
noise; every other time that it is a segment's, so do the document's checkpoints, which would stand for it. Then all is
put back. Every time: a load gives the whole document, or quarantines it with exactly its good prefix; all other ones
are served; the doctor names this document and no other; and salvage gets everything that any good row, segment or
checkpoint still holds and that builds on nothing lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import text

from collab.crdt.fold import fold
from collab.crdt.index import build
from collab.doctor import examine
from collab.portable.salvage import consistent
from collab.store.base import Append, Checkpoint, Entry, Stored
from collab.store.log import SqlLog
from collab.store.open import Store, open_store
from collab.store.remains import remains
from tests.contract.past import NOON, Past
from tests.faults.sim.replica import Replica
from tests.updates import deleted, typed, typed_after

DOCUMENTS, COMMITS = ("a", "b", "c"), 12
CHECKPOINTS = (6, 9)  # after these commits
OLD = 6  # so many commits, two in an hour, are history
CELLS = {
    "update_log": ("payload", "checksum"),
    "history_segment": ("payload", "checksum"),
    "checkpoint": ("state", "state_index", "checksum"),
}
FIRST, LAST = (
    {"update_log": f"{end}_seq", "history_segment": f"{end}_seq", "checkpoint": "seq"} for end in ("first", "last")
)


@dataclass(frozen=True)
class Cell:
    """One value of one row: where it lies and what it held."""

    table: str
    column: str
    document: str
    first: int
    seq: int
    whole: bytes

    @property
    def where(self) -> str:
        """The row's condition."""
        owner = f"(SELECT key FROM document WHERE id = '{self.document}')"
        return f"document_key = {owner} AND {LAST[self.table]} = {self.seq}"


async def write(store: Store, random: Random) -> dict[str, list[list[bytes]]]:
    """Documents of several commits, of which the first are squashed, and two checkpoints each; returns their updates by
    document and commit."""
    past = Past(store)
    log = SqlLog(store.database, lambda: round(past.now.timestamp() * 1_000_000))
    made: dict[str, list[list[bytes]]] = {}
    for document in DOCUMENTS:
        lineage = (await store.catalog.create(document, None, {})).lineage
        past.now = NOON
        commits, clocks = [], {1: 0, 2: 0}
        for number in range(COMMITS):
            updates = [_edit(random, clocks) for _ in range(random.randint(1, 3))]
            entries = [Entry("ann", "s", update) for update in updates]
            await log.append([Append(document, lineage, random.randbytes(16), entries)])
            past.now += timedelta(minutes=30 if number < OLD else 0)
            commits.append(updates)
            if number in CHECKPOINTS:
                folded = [update for commit in commits for update in commit]
                state = fold(None, folded)
                await store.log.put_checkpoint(document, lineage, Checkpoint(len(folded), state, build(state)))
        made[document] = commits
    await past.retention(exact=timedelta(minutes=10)).once()
    return made


def _edit(random: Random, clocks: dict[int, int]) -> bytes:
    client, words = random.choice((1, 2)), "x" * random.randint(1, 30)
    clock, other = clocks[client], clocks[3 - client]
    if clock and random.random() < 0.2:
        return deleted(client, random.randrange(clock), 1)
    clocks[client] += len(words)
    if other and random.random() < 0.3:
        return typed_after(client, clock, words, (3 - client, random.randrange(other)))
    return typed(client, clock, words)


async def cells(store: Store) -> list[Cell]:
    """Every value that may rot."""
    found: list[Cell] = []
    for table, columns in CELLS.items():
        for column in columns:
            query = (
                f"SELECT d.id, t.{FIRST[table]}, t.{LAST[table]}, t.{column} "
                f"FROM {table} t JOIN document d ON d.key = t.document_key"
            )
            rows = await store.database.read(lambda connection, q=query: connection.execute(text(q)).all())  # type: ignore[misc]
            found += [Cell(table, column, *row) for row in rows]
    return found


def standing_in(cell: Cell, everything: list[Cell]) -> list[Cell]:
    """The states of the checkpoints that make a segment needless; none for other cells."""
    states = [one for one in everything if one.column == "state" and one.document == cell.document]
    return states if cell.table == "history_segment" else []


def spoiled(whole: bytes, random: Random) -> bytes:
    """A flipped bit, a cut, or noise; never the same bytes."""
    while True:
        kind = random.randrange(3)
        at = random.randrange(len(whole))
        if kind == 0:
            bad = bytearray(whole)
            bad[at] ^= 1 << random.randrange(8)
            rotten = bytes(bad)
        else:
            rotten = whole[:at] + (random.randbytes(len(whole) - at) if kind == 2 else b"")
        if rotten != whole:
            return rotten


async def put(store: Store, cell: Cell, value: bytes) -> None:
    """Past every check, as a disk would."""
    change = text(f"UPDATE {cell.table} SET {cell.column} = :value WHERE {cell.where}")
    await store.database.write(lambda connection: connection.execute(change.bindparams(value=value)))


async def look(store: Store, cell: Cell, made: dict[str, list[list[bytes]]]) -> str:
    """Raises AssertionError if a promise is broken; returns what became of the document."""
    outcome = ""
    for document, commits in made.items():
        stored = await store.log.load(document)
        assert stored is not None
        everything = [update for commit in commits for update in commit]
        if document != cell.document:
            assert stored.quarantine is None and held(stored) == content(everything), "another document is affected"
        elif stored.quarantine is None:
            assert held(stored) == content(everything), "served as well, but it is not what was written"
            outcome = "served whole"
        else:
            prefix = [
                u for commit, last in zip(commits, lasts(commits), strict=True) if last < cell.first for u in commit
            ]
            assert cell.table != "checkpoint" and held(stored) == content(prefix), "not the good prefix"
            outcome = "good prefix, read-only"
    unwell = [finding.document async for finding in examine(store.database) if finding.faults]
    assert unwell == [cell.document], f"the doctor names {unwell}"
    await _salvaged(store, cell.document)
    return f"{cell.table}: {outcome}"


async def _salvaged(store: Store, document: str) -> None:
    left = await remains(store.database, document)
    rows, _ = consistent(left, await store.catalog.get(document, deleted=True))
    can_be_had = Replica()
    for row in left.rows:
        for entry in row.entries:
            can_be_had.apply(entry.update)
    for point in left.checkpoints:
        can_be_had.apply(point.state)
    kept = content([entry.update for row in rows for entry in row.entries])
    assert kept == can_be_had.content(), "salvage left something behind"


def lasts(commits: list[list[bytes]]) -> list[int]:
    """Each commit's last seq."""
    ends, seq = [], 0
    for commit in commits:
        seq += len(commit)
        ends.append(seq)
    return ends


def held(stored: Stored) -> str:
    """The content of what a load gives."""
    base = [stored.checkpoint.state] if stored.checkpoint else []
    return content(base + [entry.update for row in stored.rows for entry in row.entries])


def content(updates: list[bytes]) -> str:
    """Equal exactly if the same elements, values and deletions are held."""
    replica = Replica()
    for update in updates:
        replica.apply(update)
    assert not replica.pending
    return replica.content()


@asynccontextmanager
async def filled(folder: Path, seed: int) -> AsyncIterator[tuple[Store, dict[str, list[list[bytes]]]]]:
    """A database with its documents."""
    async with open_store(f"sqlite:///{folder / 'rot.db'}") as store:
        yield store, await write(store, Random(seed))


async def campaign(folder: Path, rounds: int, seed: int) -> Counter[str]:
    """So many rounds in the log, as many in segments and in checkpoints; returns how they went."""
    random, seen = Random(seed), Counter[str]()
    async with filled(folder, seed) as (store, made):
        everything = await cells(store)
        for table in CELLS:
            of_table = [cell for cell in everything if cell.table == table]
            for number in range(rounds):
                cell = random.choice(of_table)
                rotten = [cell, *(standing_in(cell, everything) if number % 2 else [])]
                for one in rotten:
                    await put(store, one, spoiled(one.whole, random))
                seen[await look(store, cell, made)] += 1
                for one in rotten:
                    await put(store, one, one.whole)
                if number % 100 == 99:
                    sys.stdout.write(f"{table}: {number + 1} cells rotted, all noticed\n")
                    sys.stdout.flush()
    return seen


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=100, help="rotten cells in the log, in segments and in checkpoints"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-rot-") as folder:
        seen = asyncio.run(campaign(Path(folder), options.rounds, options.seed))
    for outcome, count in sorted(seen.items()):
        sys.stdout.write(f"{count:6} {outcome}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
