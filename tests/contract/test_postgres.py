"""What only a server elsewhere brings: it goes away in mid-commit, comes back, and has other nodes as clients."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import uuid_utils
from sqlalchemy import Connection, text

from collab.errors import CollabError, Gone, LineageRetired, NotFound, StorageUnavailable
from collab.journal import Journal
from collab.store.base import Append, Appended, Checkpoint, Entry
from collab.store.open import Store, open_store, upgrade
from tests import realservers
from tests.databases import emptied_postgres, fresh_postgres
from tests.patience import PATIENCE_S


def append(document: str, update: bytes, lineage: str = "L1") -> Append:
    return Append(document, lineage, uuid_utils.uuid7().bytes, [Entry("ann", "s1", update)])


@pytest.fixture
async def two_nodes(postgres: realservers.Server) -> AsyncIterator[tuple[Store, Store]]:
    url = await emptied_postgres(postgres)
    async with open_store(url) as one, open_store(url) as two:
        yield one, two


@pytest.fixture(scope="module")
def mortal() -> Iterator[realservers.Server]:
    """A server of this module's own, with fsync as in production."""
    with realservers.postgres() as server:
        yield server


async def test_connections_carry_name_and_limits(two_nodes: tuple[Store, Store]) -> None:
    def settings(connection: Connection) -> list[str]:
        names = ("application_name", "statement_timeout", "synchronous_commit", "transaction_isolation")
        return [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]

    assert await two_nodes[0].database.write(settings) == ["collab", "30s", "on", "read committed"]
    assert await two_nodes[0].database.read(settings) == ["collab", "30s", "on", "repeatable read"]


async def test_two_nodes_number_one_documents_commits_without_gap(two_nodes: tuple[Store, Store]) -> None:
    """Each node's journal at full speed on the same documents, which both make at the same moment."""
    documents = [f"d{n}" for n in range(12)]
    told: list[Appended] = []

    async def node(store: Store, seed: int) -> None:
        journal, rng = Journal(store.log), random.Random(seed)
        for _ in range(30):
            for document in rng.sample(documents, 6):
                journal.append(document, "L1", [Entry("ann", "s1", b"u")], told.append)
            await asyncio.sleep(0)
        await journal.close()
        assert journal.figures.failed_commits == 0

    await asyncio.gather(*(node(store, seed) for seed, store in enumerate(two_nodes)))
    assert len(told) == 360 and all(done.error is None for done in told)
    for document in documents:
        seqs = sorted(n for done in told if done.document == document for n in range(done.first_seq, done.last_seq + 1))
        assert seqs == list(range(1, len(seqs) + 1))
        stored = await two_nodes[0].log.load(document)
        assert stored is not None and stored.quarantine is None and stored.seq == len(seqs)


async def test_of_two_nodes_that_make_a_document_the_second_is_told_the_lineage(two_nodes: tuple[Store, Store]) -> None:
    answers = await asyncio.gather(
        *(
            store.log.append([append("a", b"x", lineage)])
            for store, lineage in zip(two_nodes, ("L1", "L2"), strict=True)
        )
    )
    won = [done for [done] in answers if done.error is None]
    lost = [done for [done] in answers if done.error is not None]
    assert len(won) == len(lost) == 1
    assert isinstance(lost[0].error, LineageRetired) and lost[0].error.extra == {"current": won[0].lineage}


async def test_a_purge_on_one_node_ends_the_writing_on_the_other(two_nodes: tuple[Store, Store]) -> None:
    one, two = two_nodes
    for round_ in range(10):
        document = f"d{round_}"
        await one.log.append([append(document, b"x")])

        async def write(document: str = document) -> Exception | None:
            while True:
                [done] = await two.log.append([append(document, b"y")])
                if done.error is not None:
                    return done.error

        writing = asyncio.create_task(write())
        await one.catalog.purge(document, frozenset({1}))
        assert isinstance(await writing, LineageRetired)
        assert await one.log.heads([document]) == {}


async def test_a_deletion_on_one_node_ends_the_writing_on_the_other(two_nodes: tuple[Store, Store]) -> None:
    one, two = two_nodes
    await one.log.append([append("a", b"x")])
    await one.catalog.set_deleted("a", True)
    [done] = await two.log.append([append("a", b"y")])
    assert isinstance(done.error, Gone)


async def kill_connections(server: realservers.Server, database: str) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        await connection.execute(query, database)
    finally:
        await connection.close()


async def test_connections_cut_at_random_moments_lose_and_double_nothing(postgres: realservers.Server) -> None:
    """Some cuts fall between a commit and its answer: the retry settles it by the batch ids."""
    url = await emptied_postgres(postgres)
    rng = random.Random(5)
    async with open_store(url) as store:
        told: list[Appended] = []
        journal = Journal(store.log, sleep=lambda seconds: asyncio.sleep(0))
        written = dict.fromkeys("abc", 0)
        for _ in range(25):
            for _ in range(rng.randint(1, 4)):
                for document in written:
                    written[document] += 1
                    update = b"%d" % written[document]
                    journal.append(document, "L1", [Entry("ann", "s1", update)], told.append)
                await asyncio.sleep(rng.random() * 0.004)
            await kill_connections(postgres, url.rpartition("/")[2])
        await journal.close()
        assert journal.figures.failed_commits > 0
        assert all(done.error is None for done in told)
        for document, count in written.items():
            rows = await store.log.read(document, 0, 10_000)
            assert [e.update for row in rows for e in row.entries] == [b"%d" % n for n in range(1, count + 1)]


async def crash_amid_writing(store: Store, server: realservers.Server, word: bytes) -> None:
    """Twenty appends, a crash under them, one more while the server is down; all are told after it is back."""
    told: list[Appended] = []
    troubled, recovered = asyncio.Event(), asyncio.Event()
    journal = Journal(store.log, on_trouble=lambda error: troubled.set(), on_recovered=recovered.set)
    for n in range(20):
        journal.append("a", "L1", [Entry("ann", "s1", b"%s %d" % (word, n))], told.append)
        await asyncio.sleep(0)
    server.kill()
    journal.append("a", "L1", [Entry("ann", "s1", b"%s 20" % word)], told.append)
    with pytest.raises(StorageUnavailable):
        await store.log.load("a")
    with pytest.raises(StorageUnavailable):
        await store.log.ping()
    await troubled.wait()
    assert len(told) < 21
    server.restart()
    await recovered.wait()
    await journal.close()
    assert len(told) == 21 and all(done.error is None for done in told)


async def test_a_server_that_crashes_and_comes_back_has_every_acked_update(mortal: realservers.Server) -> None:
    url = await fresh_postgres(mortal)
    await upgrade(url)
    async with open_store(url) as store:
        for word in (b"first", b"second"):
            await crash_amid_writing(store, mortal, word)
        rows = await store.log.read("a", 0, 1000)
        updates = [entry.update for row in rows for entry in row.entries]
        assert updates == [b"%s %d" % (word, n) for word in (b"first", b"second") for n in range(21)]


async def test_a_snapshot_of_a_document_that_is_being_purged_finds_none(two_nodes: tuple[Store, Store]) -> None:
    """It comes while the other node's purge is under way, and must wait for how that ends."""
    one, two = two_nodes
    loop, keeping = asyncio.get_running_loop(), list[asyncio.Task[object]]()
    await one.catalog.create("doc", None, {})

    def purge(connection: Connection) -> None:
        connection.execute(text("SELECT key FROM document WHERE id = 'doc' FOR UPDATE"))
        create = two.snapshots.create("doc", 0, b"", None, {}, "ann")
        keeping.append(loop.create_task(create))
        while not connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            connection.execute(text("SELECT pg_sleep(0.001)"))
        connection.execute(text("DELETE FROM document WHERE id = 'doc'"))

    await asyncio.wait_for(one.database.write(purge), PATIENCE_S)
    with pytest.raises(NotFound):
        await keeping[0]


async def test_purged_bytes_leave_the_files_by_vacuum_full(mortal: realservers.Server) -> None:
    """What PostgresDatabase.erase tells an operator to run is enough; the WAL goes by rotation."""
    url = await fresh_postgres(mortal)
    await upgrade(url)
    connection = await asyncpg.connect(url)
    folder = Path(await connection.fetchval("SHOW data_directory")) / "base"

    async def found(mark: bytes) -> bool:
        await connection.execute("CHECKPOINT")
        command = ["grep", "-rlaF", mark.decode(), str(folder)]
        return bool((await asyncio.to_thread(subprocess.run, command, capture_output=True)).stdout)

    async with open_store(url) as store:
        for document in ("kept", "purged"):
            mark = f"SECRET-{document}. ".encode()
            await store.log.append([append(document, mark * n) for n in (1, 3, 50)])
            await store.log.put_checkpoint(document, "L1", Checkpoint(3, mark * 20, mark))
            await store.snapshots.create(document, 3, mark * 9, mark.decode(), {"k": mark.decode()}, "ann")
            await store.catalog.patch(document, {"title": mark.decode(), "metadata": {"k": mark.decode()}})
        assert await found(b"SECRET-kept") and await found(b"SECRET-purged")
        await store.catalog.purge("purged", frozenset({1}))
        await connection.execute("VACUUM FULL")
        assert await found(b"SECRET-kept") and not await found(b"SECRET-purged")
    await connection.close()


async def test_a_server_that_is_not_there_is_told_at_once(postgres: realservers.Server) -> None:
    port = realservers.free_port()
    with pytest.raises(StorageUnavailable):
        async with open_store(f"postgresql://postgres@127.0.0.1:{port}/x"):
            pass
    wrong: list[str] = [f"{postgres.url.rpartition('/')[0]}/no_such_database"]
    for url in wrong:
        with pytest.raises(CollabError, match="no_such_database"):
            async with open_store(url):
                pass
