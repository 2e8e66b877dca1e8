"""The contract of Snapshots, on every database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from collab.errors import BadRequest, Gone, LineageRetired, NotFound, Quarantined
from collab.store.open import Store


async def test_a_snapshot_keeps_its_state(store: Store) -> None:
    await store.catalog.create("a", None, {})
    made = await store.snapshots.create("a", 3, b"\0state", "v1", {"why": "review"}, "ann")
    found = await store.snapshots.get("a", made.id)
    assert found == made and found.state == b"\0state" and found.size_bytes == 6
    assert (found.seq, found.label, found.metadata, found.created_by) == (3, "v1", {"why": "review"}, "ann")


async def test_an_empty_state_is_a_state(store: Store) -> None:
    await store.catalog.create("a", None, {})
    made = await store.snapshots.create("a", 0, b"", None, {}, "ann")
    assert (await store.snapshots.get("a", made.id)).state == b""


async def test_the_newest_comes_first_and_without_state(store: Store) -> None:
    await store.catalog.create("a", None, {})
    await store.catalog.create("b", None, {})
    made = [await store.snapshots.create("a", n, b"s", str(n), {}, "ann") for n in range(5)]
    await store.snapshots.create("b", 9, b"s", "other", {}, "ann")
    first = await store.snapshots.list("a", 2)
    assert [(s.label, s.state) for s in first.items] == [("4", b""), ("3", b"")]
    newer = await store.snapshots.create("a", 9, b"s", "newer", {}, "ann")
    rest = await store.snapshots.list("a", 10, first.cursor)
    assert [s.label for s in rest.items] == ["2", "1", "0"] and rest.cursor is None
    assert newer.id > made[-1].id
    with pytest.raises(BadRequest):
        await store.snapshots.list("a", 2, "!!")


async def test_label_and_metadata_may_change_the_rest_not(store: Store) -> None:
    await store.catalog.create("a", None, {})
    made = await store.snapshots.create("a", 1, b"s", "one", {"k": "v"}, "ann")
    changed = await store.snapshots.patch("a", made.id, {"label": "two", "metadata": {}, "seq": 99, "state": b"x"})
    assert (changed.label, changed.metadata, changed.seq) == ("two", {}, 1)
    assert (await store.snapshots.get("a", made.id)).state == b"s"
    assert (await store.snapshots.patch("a", made.id, {})).label == "two"


async def test_a_snapshot_belongs_to_its_document(store: Store) -> None:
    await store.catalog.create("a", None, {})
    await store.catalog.create("b", None, {})
    made = await store.snapshots.create("a", 1, b"s", None, {}, "ann")
    for call in (
        store.snapshots.get("b", made.id),
        store.snapshots.patch("b", made.id, {"label": "x"}),
        store.snapshots.delete("b", made.id),
        store.snapshots.get("a", "no such id"),
        store.snapshots.create("nowhere", 1, b"s", None, {}, "ann"),
        store.snapshots.list("nowhere", 10),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await store.snapshots.get("a", made.id)).label is None


async def test_what_is_deleted_is_gone(store: Store) -> None:
    await store.catalog.create("a", None, {})
    made = await store.snapshots.create("a", 1, b"s", None, {}, "ann")
    await store.snapshots.delete("a", made.id)
    with pytest.raises(NotFound):
        await store.snapshots.delete("a", made.id)
    kept = await store.snapshots.create("a", 1, b"s", None, {}, "ann")
    await store.catalog.set_deleted("a", True)
    with pytest.raises(Gone):
        await store.snapshots.get("a", kept.id)
    await store.catalog.set_deleted("a", False)
    assert await store.snapshots.get("a", kept.id) == kept


async def test_a_rotten_snapshot_is_never_handed_out(store: Store) -> None:
    await store.catalog.create("a", None, {})
    made = await store.snapshots.create("a", 1, b"state", None, {}, "ann")
    other = await store.snapshots.create("a", 1, b"stale", None, {}, "ann")
    rot = text("UPDATE snapshot SET state = :state WHERE id = :id").bindparams(state=b"stale", id=made.id)
    await store.database.write(lambda connection: connection.execute(rot))
    with pytest.raises(Quarantined):
        await store.snapshots.get("a", made.id)
    assert await store.snapshots.get("a", other.id) == other


async def test_the_state_of_a_purged_document_does_not_come_back_in_a_snapshot_of_the_next_one(store: Store) -> None:
    """It was taken before the purge, and is about to be kept."""
    lineage = (await store.catalog.create("a", None, {})).lineage
    await store.snapshots.create("a", 1, b"s", None, {}, "ann", lineage)
    await store.catalog.purge("a", frozenset())
    await store.catalog.create("a", None, {})
    with pytest.raises(LineageRetired):
        await store.snapshots.create("a", 1, b"purged", None, {}, "ann", lineage)
    assert (await store.snapshots.list("a", 10)).items == []
