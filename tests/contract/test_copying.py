"""`collab db copy`: all that is stored moves between databases, in any number of attempts, and is verified there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collab.auth.base import Revocation
from collab.crdt.fold import fold
from collab.crdt.index import build
from collab.errors import StorageUnavailable
from collab.store import copying, verification
from collab.store.base import Append, Checkpoint, Entry
from collab.store.open import Store, open_store
from collab.types import Access
from tests import realservers
from tests.databases import emptied_postgres
from tests.updates import typed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: realservers.Server
) -> AsyncIterator[tuple[Store, Store]]:
    """Source and target, empty."""
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(open_store(f"sqlite:///{tmp_path}/collab.db"))
        server = await stack.enter_async_context(open_store(await emptied_postgres(postgres)))
        yield (file, server) if request.param.startswith("sqlite") else (server, file)


async def fill(store: Store, documents: int = 3, rows: int = 7) -> None:
    for number in range(documents):
        for clock in range(rows):
            entry = Entry("ada", "s", typed(1, clock, "x"))
            batch = b"%08d%08d" % (number, clock)
            await store.log.append([Append(f"doc/{number}", "", batch, [entry])])
    head = (await store.log.heads(["doc/0"]))["doc/0"]
    state = fold(None, [typed(1, clock, "x") for clock in range(rows)])
    await store.log.put_checkpoint("doc/0", head.lineage, Checkpoint(rows, state, build(state)))
    await store.snapshots.create("doc/1", rows, state, "label", {"n": 1}, "ada")
    await store.catalog.patch("doc/2", {"title": "Zwei", "metadata": {"team": "a"}})
    await store.catalog.set_deleted("doc/2", True)
    await store.revocations.add(Revocation("r", NOON, "ada", None, None, Access.READ))


async def copy(source: Store, target: Store) -> list[copying.Copied]:
    found = [one async for one in copying.every_document(source.database, target.database)]
    await copying.beside(source.database, target.database)
    return found


async def assert_equal(source: Store, target: Store, documents: int = 3) -> None:
    for number in range(documents):
        id = f"doc/{number}"
        assert await target.catalog.get(id, deleted=True) == await source.catalog.get(id, deleted=True)
        assert await target.log.load(id, deleted=True) == await source.log.load(id, deleted=True)
    assert (await target.snapshots.list("doc/1", 10)).items == (await source.snapshots.list("doc/1", 10)).items
    assert await target.revocations.since(NOON) == await source.revocations.since(NOON)
    assert await copying.differences(source.database, target.database) == []
    assert [one.faults async for one in verification.every_document(target.database)] == [[]] * documents


async def test_everything_is_there_as_it_was(stores: tuple[Store, Store]) -> None:
    source, target = stores
    await fill(source)
    copied = await copy(source, target)
    assert [(one.rows, one.states, one.faults) for one in copied] == [(7, 1, []), (7, 1, []), (7, 0, [])]
    await assert_equal(source, target)


async def test_again_brings_only_what_is_new(stores: tuple[Store, Store]) -> None:
    source, target = stores
    await fill(source)
    await copy(source, target)
    await source.log.append([Append("doc/1", "", b"another batch   ", [Entry("bob", "s", typed(2, 0, "y"))])])
    assert [(one.rows, one.states) for one in await copy(source, target)] == [(0, 0), (1, 0), (0, 0)]
    await assert_equal(source, target)


async def test_a_copy_that_was_broken_off_goes_on_where_it_was(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = stores
    await fill(source, rows=7)
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 2)
    write, left = target.database.write, 9

    async def failing(work: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise StorageUnavailable("the cable")
        return await write(work)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(target.database, "write", failing)
        broken = await copy(source, target)
    assert [one.faults for one in broken].count(["the cable"]) == 1
    copied = await copy(source, target)
    assert sum(one.rows for one in broken) + sum(one.rows for one in copied) == 21
    await assert_equal(source, target)


async def test_a_target_with_edits_of_its_own_is_left_alone(stores: tuple[Store, Store]) -> None:
    source, target = stores
    await fill(source)
    await copy(source, target)
    await target.log.append([Append("doc/0", "", b"an edit there   ", [Entry("bob", "s", typed(2, 0, "y"))])])
    before = await target.log.load("doc/0")
    assert "edits of its own" in (await copy(source, target))[0].faults[0]
    assert await target.log.load("doc/0") == before


async def test_a_row_that_has_rotted_is_said_and_not_copied(stores: tuple[Store, Store]) -> None:
    source, target = stores
    await fill(source)
    rot = "UPDATE update_log SET payload = {} WHERE last_seq = 4 AND document_key = (SELECT min(key) FROM document)"
    value = "x'00'" if source.embedded else "'\\x00'::bytea"
    await source.database.write(lambda connection: connection.exec_driver_sql(rot.format(value)) and None)
    first, *others = await copy(source, target)
    assert "seq 4 does not match its checksum" in first.faults[0]
    assert [one.faults for one in others] == [[], []]
    assert len(await copying.differences(source.database, target.database)) == 1
