"""What only the embedded database promises: one writer, a bounded WAL, recovery from a full disk, real erasure."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uuid_utils
from sqlalchemy import Connection, text

from collab.errors import Quarantined, StorageUnavailable
from collab.journal import Journal
from collab.store.base import Append, Appended, Checkpoint, Entry
from collab.store.database import storage_errors
from collab.store.open import Store, open_store
from collab.store.sqlite import SqliteDatabase, path_of
from tests.patience import PATIENCE_S


def append(document: str, update: bytes, lineage: str = "L1") -> Append:
    return Append(document, lineage, uuid_utils.uuid7().bytes, [Entry("ann", "s1", update)])


def pragma(connection: Connection, setting: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {setting}").scalar()


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/data/collab.db"


async def test_the_settings_are_those_that_durability_needs(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        for setting, value in {
            "journal_mode": "wal",
            "synchronous": 2,
            "secure_delete": 1,
            "foreign_keys": 1,
            "busy_timeout": 5000,
        }.items():
            assert await store.database.write(lambda connection, s=setting: pragma(connection, s)) == value
    async with open_store(url_in(tmp_path), sync="normal") as store:
        assert await store.database.write(lambda connection: pragma(connection, "synchronous")) == 1


async def test_what_a_killed_process_left_in_the_page_cache_is_synced_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(url_in(tmp_path))
    path.parent.mkdir()
    for file in (path, Path(f"{path}-wal")):
        file.write_bytes(b"")
    synced: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
        database = SqliteDatabase(path)
    assert synced == [file.stat().st_ino for file in (path, Path(f"{path}-wal"), path.parent)]
    await database.close()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(StorageUnavailable, match="cannot be synced"):
            SqliteDatabase(path)


async def test_readers_cannot_write(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        with pytest.raises(StorageUnavailable, match="readonly"):
            await store.database.read(lambda connection: connection.execute(text("DELETE FROM document")))


async def test_a_file_takes_one_process_and_is_free_when_it_is_closed(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)):
        with pytest.raises(StorageUnavailable, match="in use"):
            SqliteDatabase(path_of(url_in(tmp_path)))
    async with open_store(url_in(tmp_path)) as store:
        await store.log.ping()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_memory_is_no_place_for_documents(url: str) -> None:
    with pytest.raises(ValueError, match="in-memory"):
        path_of(url)


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        pass
    with pytest.raises(StorageUnavailable, match="closed"):
        await store.log.ping()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are my notes, not a database " * 200)
    with pytest.raises(StorageUnavailable, match="not a database"):
        async with open_store(f"sqlite:///{path}"):
            pass
    assert path.read_bytes().startswith(b"these are my notes")


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(StorageUnavailable):
        async with open_store(url_in(tmp_path)):
            pass


async def test_closing_leaves_no_wal(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        await store.log.append([append("a", b"x" * 100_000)])
        assert (tmp_path / "data" / "collab.db-wal").stat().st_size > 100_000
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"collab.db", "collab.db.lock"}


async def test_the_wal_stays_small_under_steady_writing(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        for _ in range(100):
            await store.log.append([append("a", os.urandom(500_000))])
            await store.log.heads(["a"])
        assert (tmp_path / "data" / "collab.db-wal").stat().st_size < 20 * 1024 * 1024


async def test_a_wal_that_a_long_read_made_grow_is_reused_after_it(tmp_path: Path) -> None:
    wal = tmp_path / "data" / "collab.db-wal"
    async with open_store(url_in(tmp_path)) as store:
        began, release = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def long_read(connection: Connection) -> int:
            count: int = connection.execute(text("SELECT count(*) FROM update_log")).scalar_one()
            loop.call_soon_threadsafe(began.set)
            release.wait(2 * PATIENCE_S)
            return count

        reading = asyncio.create_task(store.database.read(long_read))
        await began.wait()
        for _ in range(60):
            await store.log.append([append("a", os.urandom(500_000))])
        grown = wal.stat().st_size
        assert grown > 30_000_000
        release.set()
        assert await reading == 0
        for _ in range(60):
            await store.log.append([append("a", os.urandom(500_000))])
        assert wal.stat().st_size < grown + 1_000_000


async def limit_pages(store: Store, spare: int | None) -> None:
    """Lets the file grow by so many pages and no more: a real SQLITE_FULL. None: takes the limit away."""

    def work(connection: Connection) -> None:
        used = int(str(pragma(connection, "page_count")))
        pragma(connection, f"max_page_count={1_000_000_000 if spare is None else used + spare}")

    await store.database.write(work)


async def test_a_full_disk_is_survived_and_left_behind(tmp_path: Path) -> None:
    """No ack while it is full, reads go on, and what waited is stored when there is room again."""
    async with open_store(url_in(tmp_path)) as store:
        troubles: list[Exception] = []
        troubled = asyncio.Event()

        def on_trouble(error: Exception) -> None:
            troubles.append(error)
            troubled.set()

        journal = Journal(store.log, on_trouble=on_trouble)
        told: list[Appended] = []
        journal.append("a", "L1", [Entry("ann", "s", b"before")], told.append)
        await journal.flush()
        await limit_pages(store, 2)
        for n in range(50):
            journal.append(f"d{n}", "L1", [Entry("ann", "s", b"x" * 5000)], told.append)
        await troubled.wait()
        assert "full" in str(troubles[0]) and not journal.healthy
        assert len(told) == 1
        loaded = await store.log.load("a")
        assert loaded is not None and loaded.rows[0].entries[0].update == b"before"
        await limit_pages(store, None)
        await journal.close()
        assert len(told) == 51 and all(done.error is None for done in told) and journal.healthy
        heads = await store.log.heads([f"d{n}" for n in range(50)])
        assert {head.seq for head in heads.values()} == {1} and len(heads) == 50


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
connection.close()
"""


class Holder:
    """Another process that holds the file's lock, as an operator's shell or a backup may."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, path: Path) -> Holder:
        command = (sys.executable, "-c", HOLDER, str(path))
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout and await process.stdout.readline() == b"held\n"
        return cls(process)

    async def let_go(self) -> None:
        await self._process.communicate(b"\n")


async def test_a_lock_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        holder = await Holder.start(path_of(url_in(tmp_path)))
        writing = asyncio.create_task(store.log.append([append("a", b"x")]))
        assert await store.log.heads(["a"]) == {}
        await holder.let_go()
        assert (await writing)[0].error is None


async def test_a_lock_that_is_held_too_long_is_an_outage_and_no_more(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        await store.database.write(lambda connection: pragma(connection, "busy_timeout=1"))
        holder = await Holder.start(path_of(url_in(tmp_path)))
        with pytest.raises(StorageUnavailable, match="locked"):
            await store.log.append([append("a", b"x")])
        assert await store.log.heads(["a"]) == {}
        await holder.let_go()
        assert (await store.log.append([append("a", b"x")]))[0].error is None


async def test_a_cancelled_commit_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    async with open_store(url_in(tmp_path)) as store:
        for n in range(20):
            writing = asyncio.create_task(store.log.append([append(f"a{n}", b"x"), append(f"b{n}", b"x")]))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            await store.log.ping()
            heads = await store.log.heads([f"a{n}", f"b{n}"])
            assert len(heads) in (0, 2)


async def test_damage_in_the_file_itself_stops_one_document_and_not_the_process(tmp_path: Path) -> None:
    url, path = url_in(tmp_path), tmp_path / "data" / "collab.db"
    async with open_store(url) as store:
        for n in range(20):
            await store.log.append([append(f"d{n}", bytes([65 + n]) * 20_000)])
    whole = path.read_bytes()
    begin = whole.find(b"K" * 100)
    # The page's number of the next overflow page: the chain of this row's bytes now leads nowhere.
    page = begin - begin % 4096 + 4096
    path.write_bytes(whole[:page] + b"\xff\xff\xff\xff" + whole[page + 4 :])
    async with open_store(url) as store:
        with pytest.raises(Quarantined):
            await store.log.load("d10")
        for n in (0, 9, 11, 19):
            stored = await store.log.load(f"d{n}")
            assert stored is not None and stored.quarantine is None
        assert (await store.log.append([append("d0", b"goes on")]))[0].last_seq == 2


KILLED = """
import asyncio, sys, uuid_utils
from collab.store.base import Append, Entry
from collab.store.open import open_store

async def main():
    async with open_store(sys.argv[1]) as store:
        n = 0
        while True:
            n += 1
            batch = [Append(d, "L1", uuid_utils.uuid7().bytes, [Entry("ann", "s", b"%d" % n)]) for d in "abc"]
            done = await store.log.append(batch)
            print(done[0].last_seq, flush=True)

asyncio.run(main())
"""


def test_what_was_acked_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    """SIGKILL in the middle of steady commits; the faults folder does this by the thousand, over sockets."""

    async def seqs() -> list[int]:
        async with open_store(url_in(tmp_path)) as store:
            loaded = [await store.log.load(document) for document in "abc"]
            assert all(stored is not None and stored.quarantine is None for stored in loaded)
            return [stored.seq for stored in loaded if stored]

    for kill_after in (1, 40):
        writer = subprocess.Popen([sys.executable, "-c", KILLED, url_in(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout
        acked = [int(writer.stdout.readline()) for _ in range(kill_after)]
        writer.kill()
        acked += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]
        writer.wait()
        writer.stdout.close()
        after = asyncio.run(seqs())
        assert len(set(after)) == 1 and acked[-1] <= after[0] <= acked[-1] + 1


def found(folder: Path, secret: bytes) -> list[str]:
    """Files of the data folder that hold these bytes; read by another process, since closing a database file that
    this process has open elsewhere would drop SQLite's locks on it."""
    done = subprocess.run(["grep", "-rlaF", secret.decode(), str(folder)], capture_output=True, text=True)
    return done.stdout.split()


async def test_purged_bytes_are_in_no_file(tmp_path: Path) -> None:
    """Documents share pages, rows of all sizes come and go, pages are split and merged: no byte of a purged one stays.

    The control is in the middle: the bytes are found before their purge, and the others' after it.
    """
    rng = random.Random(3)
    async with open_store(url_in(tmp_path)) as store:
        documents = [f"d{n}" for n in range(30)]
        for round_ in range(40):
            batch = []
            for document in rng.sample(documents, 15):
                secret = b"SECRET-%s-%d." % (document.encode(), round_)
                batch.append(append(document, secret * rng.choice([1, 1, 3, 40, 600])))
            await store.log.append(batch)
            if round_ % 10 == 9:
                for document in rng.sample(documents, 10):
                    secret = b"SECRET-%s-c." % document.encode()
                    head = (await store.log.heads([document]))[document]
                    point = Checkpoint(head.seq, secret * rng.choice([10, 1000]), secret)
                    await store.log.put_checkpoint(document, "L1", point)
                    await store.snapshots.create(
                        document, 1, secret * 100, secret.decode(), {"k": secret.decode()}, "x"
                    )
                    title = {"title": secret.decode(), "metadata": {"k": secret.decode()}}
                    await store.catalog.patch(document, title)
        rng.shuffle(documents)
        for n, document in enumerate(documents):
            mark = b"SECRET-%s-" % document.encode()
            assert found(tmp_path, mark)
            await store.catalog.purge(document, frozenset({n}))
            assert found(tmp_path, mark) == [], f"purge number {n} left bytes of {document}"
    assert found(tmp_path, b"SECRET-") == []


def test_what_the_driver_throws_when_the_disk_is_full_is_the_storages_trouble() -> None:
    """And not the values': the journal would refuse the edit instead of trying again."""
    with pytest.raises(StorageUnavailable), storage_errors():
        raise SystemError("<built-in method commit> returned NULL without setting an exception")
