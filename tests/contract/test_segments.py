"""Old history as segments, on every database: smaller, whole, verified, and gone when its document is purged."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from collab.backup import work
from collab.backup.place import FolderPlace
from collab.crdt.fold import fold
from collab.doctor import examine
from collab.errors import CollabError, Conflict, Quarantined
from collab.portable.archive import ArchiveReader
from collab.portable.export import Exporter
from collab.portable.intake import Clock, Importer
from collab.retention import Policy
from collab.store import copying, verification
from collab.store.base import Entry, LogRow
from collab.store.catalog import SqlCatalog
from collab.store.log import SqlLog
from collab.store.open import Store, open_store, upgrade
from collab.store.remains import remains
from collab.store.segments import SqlSegments
from collab.store.snapshots import SqlSnapshots
from tests import realservers
from tests.contract.past import NOON, SECRET, Past
from tests.databases import emptied_postgres, fresh_postgres


@pytest.fixture
async def past(store: Store) -> Past:
    made = Past(store)
    await made.type()
    return made


def all_of(rows: Sequence[LogRow]) -> bytes:
    """The state that rows amount to."""
    return fold(None, [entry.update for row in rows for entry in row.entries])


async def faults(store: Store) -> list[str]:
    found = [fault async for one in verification.every_document(store.database) for fault in one.faults]
    return found + [fault async for one in examine(store.database) for fault in one.faults]


async def run(store: Store, sql: str) -> None:
    await store.database.write(lambda connection: connection.execute(text(sql)))


async def test_old_rows_become_a_segment_per_hour_and_the_rest_stays_exact(past: Past) -> None:
    before = await past.store.catalog.get("d")
    exact = await past.rows()
    retention = past.retention()
    await retention.once()
    rows = await past.rows()
    assert [(row.first_seq, row.last_seq) for row in rows[:4]] == [(1, 6), (7, 12), (13, 18), (19, 19)]
    assert [row.squashed for row in rows] == [True] * 3 + [False] * 6
    assert rows[3:] == exact[18:]
    assert (rows[0].squashed_from, rows[0].created_at) == (exact[0].created_at, exact[5].created_at)
    assert rows[1].authors == ("ada", "bob")
    for row in rows:  # as it was at the end of each hour, and after each update from then on
        assert all_of(rows[: rows.index(row) + 1]) == fold(None, past.updates[: row.last_seq])
    assert not any(SECRET.encode() in row.entries[0].update for row in rows[:3])
    after = await past.store.catalog.get("d")
    assert (after.squashed_seq, after.seq, after.updated_at) == (18, 24, before.updated_at)
    assert await faults(past.store) == []
    assert (retention.figures.segments, retention.figures.rows, retention.figures.failed) == (3, 18, 0)
    await retention.once()  # nothing more to do
    assert retention.figures.segments == 3


async def test_what_was_squashed_is_read_from_anywhere_and_loads_without_a_checkpoint(past: Past) -> None:
    await past.retention().once()
    assert [row.last_seq for row in await past.store.log.read("d", 7, 3)] == [12, 18, 19]
    assert [row.last_seq for row in await past.store.log.read("d", 18, 2)] == [19, 20]
    await run(past.store, "DELETE FROM checkpoint")
    stored = await past.store.log.load("d")
    assert stored is not None and stored.quarantine is None and stored.seq == 24
    assert all_of(stored.rows) == fold(None, past.updates)
    await past.type(hours=1)
    assert all_of(await past.rows()) == fold(None, past.updates)


async def test_bytes_are_counted_as_they_are(past: Past) -> None:
    await past.retention(exact=timedelta(hours=0)).once()

    def size(connection: object) -> int:
        tables = ("update_log", "history_segment")
        sums = [f"SELECT coalesce(sum(length(payload)), 0) FROM {table}" for table in tables]
        return sum(int(connection.execute(text(one)).scalar_one()) for one in sums)  # type: ignore[attr-defined]

    found = await past.store.catalog.get("d")
    states = await past.store.log.load("d")
    assert states is not None and states.checkpoint is not None
    point = len(states.checkpoint.state) + len(states.checkpoint.index)
    assert found.bytes_stored == await past.store.database.read(size) + point


async def test_steps_become_one_when_they_are_older_still(past: Past) -> None:
    retention = past.retention(stepwise=timedelta(hours=2))
    await retention.once()
    assert [(row.first_seq, row.last_seq) for row in (await past.rows())[:3]] == [(1, 12), (13, 18), (19, 19)]
    past.now += timedelta(hours=9)
    await retention.once()
    (row,) = await past.rows()
    assert (row.first_seq, row.last_seq, row.authors) == (1, 24, ("ada", "bob"))
    assert all_of([row]) == fold(None, past.updates) and await faults(past.store) == []


async def test_of_two_nodes_one_squashes_and_the_other_changes_nothing(past: Past) -> None:
    stretch = await past.store.segments.stretch("d", past.now, 3600, 1000)
    assert stretch is not None
    await past.retention().once()
    rows = await past.rows()
    entry = Entry("x", "", fold(None, past.updates[:6]))
    began, ended = stretch.rows[0].created_at, stretch.rows[-1].created_at
    for first, last in ((1, 6), (7, 11), (8, 12), (20, 23), (30, 31)):
        segment = LogRow(first, last, ended, [entry], began, ("x",))
        if (first, last) == (1, 6):
            await past.store.segments.put("d", stretch.lineage, segment)  # the same again: it takes its own place
            continue
        with pytest.raises(Conflict):
            await past.store.segments.put("d", stretch.lineage, segment)
    assert [row.last_seq for row in await past.rows()] == [row.last_seq for row in rows]
    assert await faults(past.store) == []


async def test_rows_stay_until_a_checkpoint_holds_them(past: Past) -> None:
    retention = past.retention()

    async def fails(document: str) -> None:
        raise CollabError("no")

    retention._fold = fails
    await retention.once()
    assert retention.figures.failed == 1 and not any(row.squashed for row in await past.rows())


async def test_a_rotten_segment_is_noticed_and_harms_nobody_else(past: Past) -> None:
    await past.type("well", 1)
    past.now += timedelta(hours=2)
    await past.retention().once()
    await run(past.store, "UPDATE history_segment SET payload = checksum WHERE last_seq = 12")
    (fault,) = [fault async for one in verification.every_document(past.store.database) for fault in one.faults]
    assert "history segment at seq 12" in fault
    with pytest.raises(Quarantined):
        await past.store.log.read("d", 0, 100)
    stored = await past.store.log.load("d")
    assert stored is not None and stored.quarantine is None  # the checkpoint has it all
    left = await remains(past.store.database, "d")
    assert len(left.lost) == 1 and len(left.checkpoints) == 1
    await run(past.store, "DELETE FROM checkpoint")
    stored = await past.store.log.load("d")
    assert stored is not None and stored.quarantine is not None and stored.seq == 6
    assert await past.store.log.load("well") is not None


async def test_a_segment_that_is_missing_or_moved_is_noticed(past: Past) -> None:
    await past.retention().once()
    for harm in (
        "DELETE FROM history_segment WHERE last_seq = 12",
        "UPDATE history_segment SET last_seq = 17 WHERE last_seq = 18",
        "UPDATE document SET squashed_seq = 6",
    ):
        await run(past.store, harm)
        assert [fault async for one in verification.every_document(past.store.database) for fault in one.faults]


def on_disk(payload: bytes, folder: Path) -> bool:
    return any(payload in file.read_bytes() for file in folder.glob("collab.db*"))


async def test_a_purge_takes_the_segments_along(past: Past, tmp_path: Path) -> None:
    await past.retention().once()
    await past.store.database.erase()

    def payloads(connection: object) -> list[bytes]:
        return [bytes(one) for (one,) in connection.execute(text("SELECT payload FROM history_segment"))]  # type: ignore[attr-defined]

    found = await past.store.database.read(payloads)
    assert len(found) == 3 and (not past.store.embedded or on_disk(found[0], tmp_path))
    await past.store.catalog.purge("d", frozenset({1}))
    assert await past.store.database.read(payloads) == []
    assert not any(on_disk(payload, tmp_path) for payload in found)


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
async def pasts(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: realservers.Server
) -> AsyncIterator[tuple[Past, Store]]:
    """A past, and an empty store of the other kind."""
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(open_store(f"sqlite:///{tmp_path}/collab.db"))
        server = await stack.enter_async_context(open_store(await emptied_postgres(postgres)))
        source, target = (file, server) if request.param.startswith("sqlite") else (server, file)
        past = Past(source)
        await past.type()
        yield past, target


async def test_segments_are_copied_to_another_database_again_and_again(pasts: tuple[Past, Store]) -> None:
    """Before they are made, after, once they became fewer, and when the log went on."""
    past, target = pasts
    retention = past.retention()
    for policy in (None, retention.policy, Policy(timedelta(hours=1), 3600, timedelta(hours=2))):
        if policy is not None:
            retention.policy = policy
            await retention.once()
        assert [one.faults async for one in copying.every_document(past.store.database, target.database)] == [[]]
        assert await target.log.read("d", 0, 100) == await past.rows()
        assert (await target.catalog.get("d")).bytes_stored == (await past.store.catalog.get("d")).bytes_stored
        assert await faults(target) == []
        await past.type(hours=1)


async def test_a_backup_holds_segments(past: Past, tmp_path: Path, postgres: realservers.Server) -> None:
    await past.retention().once()
    place = FolderPlace(tmp_path / "backups")
    name, contents = await work.create(past.store.database, place, lambda rows: None)
    assert contents.rows["history_segment"] == 3
    url = await fresh_postgres(postgres)
    await upgrade(url)
    async with open_store(url) as other:
        await work.restore(other.database, place, name, lambda rows: None)
        assert await other.log.read("d", 0, 100) == await past.rows()


async def test_an_archive_holds_segments(past: Past) -> None:
    await past.retention().once()
    target = io.BytesIO()
    made = await Exporter(past.store.log, past.store.catalog, past.store.snapshots).export("d", target)
    assert made.format == 2 and made.seq == 24
    clock, database = Clock(NOON), past.store.database
    importer = Importer(
        SqlLog(database, clock.microseconds),
        SqlSegments(database),
        SqlCatalog(database, clock.moment),
        SqlSnapshots(database, clock.moment),
        clock,
    )
    await importer.bring_in(ArchiveReader(target), "copy")
    assert await past.rows("copy") == await past.rows()
    assert (await past.store.catalog.get("copy")).squashed_seq == 18
    assert await faults(past.store) == []
