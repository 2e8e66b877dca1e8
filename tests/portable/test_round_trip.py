"""A document out and in again: the same content, log, times, snapshots; damaged archives are refused whole."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collab.crdt.fold import fold
from collab.errors import BadUpdate, CollabError, Conflict, Gone, LineageRetired, NotFound, Unprocessable
from collab.portable.archive import ArchiveReader
from collab.portable.export import Exporter
from collab.portable.intake import Clock, Importer, content_hash, imported_as
from collab.store.base import Append, Entry
from collab.store.catalog import SqlCatalog
from collab.store.log import SqlLog
from collab.store.open import Store, open_store
from collab.store.segments import SqlSegments
from collab.store.snapshots import SqlSnapshots
from collab.store.verification import every_document
from tests.updates import deleted, typed, typed_after

UPDATES = [typed(1, 0, "hello"), typed_after(2, 0, " wörld 😀", (1, 4)), deleted(1, 0, 2), typed(1, 5, "!")]


@asynccontextmanager
async def stores(tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two databases."""
    async with open_store(f"sqlite:///{tmp_path / 'a.db'}") as one, open_store(f"sqlite:///{tmp_path / 'b.db'}") as two:
        yield one, two


async def write(store: Store, document: str = "d") -> None:
    """A document of three commits, two authors, and two snapshots."""
    made = await store.catalog.create(document, "Title", {"team": "a", "deep": {"x": [1, None]}})
    for number, updates in enumerate((UPDATES[:2], UPDATES[2:3], UPDATES[3:])):
        entries = [Entry(f"author {number}", f"s{number}", update) for update in updates]
        await store.log.append([Append(document, made.lineage, bytes([number]) * 16, entries)])
    for label in ("first", None):
        await store.snapshots.create(document, 4, fold(None, UPDATES), label, {"n": 1}, "ann")


async def exported(store: Store, document: str = "d") -> io.BytesIO:
    """The archive."""
    target = io.BytesIO()
    await Exporter(store.log, store.catalog, store.snapshots).export(document, target)
    target.seek(0)
    return target


def importer(store: Store) -> Importer:
    """As the command makes one."""
    clock = Clock(datetime.now(UTC))
    database = store.database
    return Importer(
        SqlLog(database, clock.microseconds),
        SqlSegments(database),
        SqlCatalog(database, clock.moment),
        SqlSnapshots(database, clock.moment),
        clock,
    )


async def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    """Under another id too; only lineage and snapshot ids are new."""
    async with stores(tmp_path) as (one, two):
        await write(one)
        archive = ArchiveReader(await exported(one))
        seen: list[int] = []
        await importer(two).bring_in(archive, "copy", seen.append)
        assert sum(seen) == 4
        before, after = await one.catalog.get("d"), await two.catalog.get("copy")
        assert (after.title, after.metadata, after.seq) == (before.title, before.metadata, before.seq)
        assert after.created_at == before.created_at
        assert after.lineage != before.lineage
        assert await one.log.read("d", 0, 10) == await two.log.read("copy", 0, 10)
        assert await particulars(two, "copy") == await particulars(one, "d")
        newest = (await two.snapshots.list("copy", 1)).items[0].id
        assert (await two.snapshots.get("copy", newest)).state == fold(None, UPDATES)
        stored = await two.log.load("copy")
        assert stored is not None and stored.checkpoint is not None
        assert content_hash(stored.checkpoint.state) == archive.manifest.content_hash
        assert (await exported(two, "copy")).getvalue() != b""


async def particulars(store: Store, document: str) -> list[object]:
    """What is to be the same of the snapshots."""
    page = await store.snapshots.list(document, 9)
    return [(one.label, one.seq, one.metadata, one.created_by, one.created_at) for one in page.items]


async def test_an_archive_can_be_read_by_other_tools(tmp_path: Path) -> None:
    """A plain zip: the state is what any Yjs client can apply, the log is JSON lines."""
    async with stores(tmp_path) as (one, _):
        await write(one)
        with zipfile.ZipFile(await exported(one)) as archive:
            assert archive.testzip() is None
            assert archive.read("state.bin") == fold(None, UPDATES)
            assert json.loads(archive.read("manifest.json"))["document"] == "d"
            assert [json.loads(line)["last_seq"] for line in archive.read("log.ndjson").splitlines()] == [2, 3, 4]


async def test_an_empty_document(tmp_path: Path) -> None:
    """Has an archive too."""
    async with stores(tmp_path) as (one, two):
        await one.catalog.create("d", None, {})
        await importer(two).bring_in(ArchiveReader(await exported(one)), "d")
        assert (await two.catalog.get("d")).seq == 0


@pytest.mark.parametrize(("there", "error"), [(False, NotFound), (True, Gone)])
async def test_what_is_not_there_is_not_exported(tmp_path: Path, there: bool, error: type[CollabError]) -> None:
    """Absent, or soft-deleted."""
    async with stores(tmp_path) as (one, _):
        if there:
            await write(one)
            await one.catalog.set_deleted("d", True)
        with pytest.raises(error):
            await exported(one)


async def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Not a living document, not a soft-deleted one, and not the grave of what the archive holds."""
    async with stores(tmp_path) as (one, _):
        await write(one)
        archive = await exported(one)
        with pytest.raises(Conflict):
            await importer(one).bring_in(ArchiveReader(archive), "d")
        await one.catalog.set_deleted("d", True)
        with pytest.raises(Conflict):
            await importer(one).bring_in(ArchiveReader(archive), "d")
        await one.catalog.purge("d", frozenset({1, 2}))
        with pytest.raises(LineageRetired):
            await importer(one).bring_in(ArchiveReader(archive), "d")
        await importer(one).bring_in(ArchiveReader(archive), "d under another id")


def repacked(archive: io.BytesIO, change: Callable[[dict[str, bytes]], None]) -> io.BytesIO:
    """The archive with some members changed."""
    with zipfile.ZipFile(archive) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    target.seek(0)
    return target


def flip(members: dict[str, bytes]) -> None:
    """One bit rots."""
    data = bytearray(members["log.ndjson"])
    data[len(data) // 2] ^= 1
    members["log.ndjson"] = bytes(data)


def lose_state(members: dict[str, bytes]) -> None:
    """A member is gone."""
    del members["state.bin"]


def rewrite_log(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[dict[str, bytes]], None]:
    """Somebody edits the log and fixes the manifest's checksum."""

    def work(members: dict[str, bytes]) -> None:
        import hashlib

        members["log.ndjson"] = b"\n".join(change(members["log.ndjson"].splitlines())) + b"\n"
        manifest = json.loads(members["manifest.json"])
        manifest["members"]["log.ndjson"]["sha256"] = hashlib.sha256(members["log.ndjson"]).hexdigest()
        members["manifest.json"] = json.dumps(manifest).encode()

    return work


def newer(members: dict[str, bytes]) -> None:
    """From a future version."""
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps(manifest | {"format": 3}).encode()


@pytest.mark.parametrize(
    "change",
    [
        flip,
        lose_state,
        newer,
        rewrite_log(lambda lines: lines[:-1]),
        rewrite_log(lambda lines: lines[1:]),
        rewrite_log(lambda lines: [*lines, b"{}"]),
        rewrite_log(lambda lines: [lines[0].replace(b'"update":"AQ', b'"update":"Ag'), *lines[1:]]),
        rewrite_log(lambda lines: [b"not json"]),
    ],
)
async def test_a_damaged_archive_is_refused_whole(tmp_path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Nothing of it is stored."""
    async with stores(tmp_path) as (one, two):
        await write(one)
        archive = repacked(await exported(one), change)
        with pytest.raises((Unprocessable, BadUpdate)):
            await importer(two).bring_in(ArchiveReader(archive), "d")
        assert await two.log.heads(["d"]) == {}


async def test_an_import_that_was_cut_off_is_seen_by_nobody_and_does_not_hinder_the_next(tmp_path: Path) -> None:
    """What a killed one leaves is removed by the next."""

    def pull_the_plug(count: int) -> None:
        raise KeyboardInterrupt

    async with stores(tmp_path) as (one, two):
        await write(one)
        archive = await exported(one)
        cut_off = importer(two)
        cut_off._remove = never  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            await cut_off.bring_in(ArchiveReader(archive), "d", pull_the_plug)
        assert await two.log.heads(["d"]) == {}
        assert (await two.catalog.list(10, deleted=True)).items == []
        assert [imported_as(seen.document) async for seen in every_document(two.database)] == ["d"]
        await importer(two).bring_in(ArchiveReader(archive), "d")
        assert [seen.document async for seen in every_document(two.database)] == ["d"]


async def never(_: str) -> None:
    """A process that is gone cleans nothing up."""


async def test_a_document_made_while_it_was_being_imported_is_left_alone(tmp_path: Path) -> None:
    """The import is refused at its end, and leaves nothing."""
    async with stores(tmp_path) as (one, two):
        await write(one)
        bringing = importer(two)
        compare = bringing._compare

        async def meanwhile(archive: ArchiveReader, document: str) -> None:
            await compare(archive, document)
            await two.catalog.create("d", "somebody's", {})

        bringing._compare = meanwhile  # type: ignore[method-assign]
        with pytest.raises(Conflict):
            await bringing.bring_in(ArchiveReader(await exported(one)), "d")
        assert (await two.catalog.get("d")).title == "somebody's"
        assert [seen.document async for seen in every_document(two.database)] == ["d"]


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 1000])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    """Whatever somebody pipes in."""
    with pytest.raises(Unprocessable):
        ArchiveReader(io.BytesIO(data))
