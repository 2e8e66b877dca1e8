"""What the doctor finds, and what is left of a damaged document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from collab.crdt.fold import fold
from collab.crdt.index import build
from collab.doctor import Finding, examine
from collab.portable.archive import ArchiveReader
from collab.portable.intake import rows_of
from collab.portable.salvage import salvage
from collab.store.base import Append, Checkpoint, Entry
from collab.store.open import Store, open_store
from collab.store.remains import remains
from tests.portable.test_round_trip import importer
from tests.updates import deleted, typed


@asynccontextmanager
async def filled(tmp_path: Path, rows: list[list[bytes]]) -> AsyncIterator[Store]:
    """A database with the document "d", one commit for each list."""
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as store:
        made = await store.catalog.create("d", "Title", {})
        await store.catalog.create("well", None, {})
        for number, updates in enumerate(rows):
            entries = [Entry("ann", "s", update) for update in updates]
            await store.log.append([Append("d", made.lineage, bytes([number]) * 16, entries)])
        yield store


async def checkpointed(store: Store, seq: int, updates: list[bytes]) -> None:
    """Stores a checkpoint of these updates."""
    state = fold(None, updates)
    head = (await store.log.heads(["d"]))["d"]
    await store.log.put_checkpoint("d", head.lineage, Checkpoint(seq, state, build(state)))


async def spoil(store: Store, statement: str) -> None:
    """A disk does something."""

    def work(connection: Connection) -> None:
        assert connection.execute(text(statement)).rowcount == 1

    await store.database.write(work)


async def faults(store: Store) -> tuple[str, ...]:
    """What the doctor says of "d"; nothing else may be unwell."""
    found = [finding async for finding in examine(store.database)]
    assert [finding.document for finding in found if finding.faults] in ([], ["d"])
    return next(finding for finding in found if finding.document == "d").faults


TYPED = [typed(1, 0, "ab"), typed(1, 2, "cd"), typed(2, 0, "xy"), typed(1, 4, "ef"), deleted(1, 0, 1)]
ROWS = [[update] for update in TYPED]


async def test_a_healthy_database_has_no_faults(tmp_path: Path) -> None:
    """And is counted."""
    async with filled(tmp_path, ROWS) as store:
        await checkpointed(store, 4, TYPED[:4])
        found = [finding async for finding in examine(store.database)]
    assert found == [Finding("d", 5, 1, 0, ()), Finding("well", 0, 0, 0, ())]


async def test_a_row_that_rots_is_found(tmp_path: Path) -> None:
    """By its checksum."""
    async with filled(tmp_path, ROWS) as store:
        await spoil(store, "UPDATE update_log SET payload = zeroblob(length(payload)) WHERE last_seq = 2")
        assert "seq 2" in (await faults(store))[0]


@pytest.mark.parametrize(
    ("held", "seq", "words"),
    [(TYPED[:2], 4, "lacks updates"), (TYPED[:4], 5, "lacks deletions"), ([TYPED[2]], 2, "lacks updates")],
)
async def test_a_checkpoint_that_lacks_something_is_found(
    tmp_path: Path, held: list[bytes], seq: int, words: str
) -> None:
    """Although its checksum is right: it was wrong when it was made."""
    async with filled(tmp_path, ROWS) as store:
        await checkpointed(store, seq, held)
        assert words in (await faults(store))[0]


async def test_an_update_that_is_none_is_found(tmp_path: Path) -> None:
    """And so is one that builds on nothing."""
    async with filled(tmp_path, [[typed(1, 0, "ab")], [b"\xff\xff"], [typed(1, 9, "far")]]) as store:
        found = await faults(store)
    assert "seq 2 is none" in found[0]
    assert "seq 3 depends" in found[1]


@pytest.mark.parametrize(
    ("lost", "checkpoint_at", "kept", "left_out"),
    [
        (5, 0, 4, 0),  # the last one: all others are there
        (2, 0, 3, 1),  # "cd": "ef" builds on it, and is left out
        (2, 3, 5, 0),  # a checkpoint still has it
        (1, 0, 1, 3),
        (1, 4, 3, 0),  # all that the checkpoint holds comes as one update before or after what rows still hold
    ],
)
async def test_what_can_be_read_is_saved(
    tmp_path: Path, lost: int, checkpoint_at: int, kept: int, left_out: int
) -> None:
    """As an archive that can be imported, and that holds all that builds on nothing lost."""
    async with filled(tmp_path, ROWS) as store:
        if checkpoint_at:
            await checkpointed(store, checkpoint_at, TYPED[:checkpoint_at])
        await spoil(store, f"UPDATE update_log SET payload = zeroblob(length(payload)) WHERE last_seq = {lost}")
        path = tmp_path / "saved.zip"
        with path.open("wb") as target:
            saved = await salvage(await store.catalog.get("d"), await remains(store.database, "d"), target)
        assert saved.left_out == left_out
        with path.open("rb") as source:
            archive = ArchiveReader(source)
            assert sum(len(row.entries) for row in rows_of(archive)) == saved.kept == kept
            await store.catalog.purge("d", frozenset())
            await importer(store).bring_in(archive, "d")
        assert await faults(store) == ()
        state = archive_state(path)
        if checkpoint_at or lost == 5:
            wanted = TYPED if lost != 5 else TYPED[:4]
            assert state == fold(None, wanted)


def archive_state(path: Path) -> bytes:
    """The folded state in an archive."""
    with path.open("rb") as source:
        return ArchiveReader(source).read("state.bin")


async def test_rotten_snapshots_are_left_out(tmp_path: Path) -> None:
    """The others are kept."""
    async with filled(tmp_path, ROWS) as store:
        for label in ("good", "bad"):
            await store.snapshots.create("d", 5, fold(None, TYPED), label, {}, "ann")
        await spoil(store, "UPDATE snapshot SET state = zeroblob(length(state)) WHERE label = 'bad'")
        assert "snapshot" in (await faults(store))[0]
        path = tmp_path / "saved.zip"
        with path.open("wb") as target:
            await salvage(await store.catalog.get("d"), await remains(store.database, "d"), target)
        await store.catalog.purge("d", frozenset())
        with path.open("rb") as source:
            await importer(store).bring_in(ArchiveReader(source), "d")
        assert [snapshot.label for snapshot in (await store.snapshots.list("d", 9)).items] == ["good"]
