"""Stored bytes that rot are noticed at load, on every database; what is still good is served, and nothing else."""

from __future__ import annotations

import random

import pytest
import uuid_utils
from sqlalchemy import text

from collab.errors import Quarantined
from collab.store.base import Append, Checkpoint, Entry, Stored
from collab.store.open import Store

UPDATES = [b"update %d" % n for n in range(1, 7)]


async def fill(store: Store, document: str, *checkpoints: int) -> None:
    """Six commits of one update each, and checkpoints at the given seqs that say what they fold."""
    for seq, update in enumerate(UPDATES, 1):
        await store.log.append([Append(document, "L1", uuid_utils.uuid7().bytes, [Entry("ann", "s", update)])])
        if seq in checkpoints:
            await store.log.put_checkpoint(document, "L1", Checkpoint(seq, b"|".join(UPDATES[:seq]), b"index"))


async def run(store: Store, sql: str, **values: object) -> None:
    await store.database.write(lambda connection: connection.execute(text(sql).bindparams(**values)))


async def load(store: Store, document: str) -> Stored:
    stored = await store.log.load(document)
    assert stored is not None
    return stored


def content(stored: Stored) -> list[bytes]:
    """What a room would hold: the checkpoint's updates, then the rows'."""
    base = stored.checkpoint.state.split(b"|") if stored.checkpoint else []
    return base + [entry.update for row in stored.rows for entry in row.entries]


ROT_ROW = "UPDATE update_log SET payload = :bytes WHERE last_seq = :seq"
ROT_CHECKPOINT = "UPDATE checkpoint SET state = :bytes WHERE seq = :seq"


async def test_a_rotten_row_gives_the_good_prefix_and_the_reason(store: Store) -> None:
    await fill(store, "a")
    await fill(store, "b")
    await run(store, ROT_ROW + " AND document_key = 1", seq=4, bytes=b"rot")
    stored = await load(store, "a")
    assert content(stored) == UPDATES[:3] and stored.seq == 3
    assert stored.quarantine is not None and "seq 4" in stored.quarantine
    assert (await load(store, "b")).quarantine is None
    assert (await store.catalog.get("a")).quarantine == stored.quarantine
    with pytest.raises(Quarantined):
        await store.log.read("a", 0, 10)
    assert [row.last_seq for row in await store.log.read("a", 4, 10)] == [5, 6]


async def test_a_document_that_is_whole_again_leaves_quarantine(store: Store) -> None:
    await fill(store, "a")
    await run(store, "UPDATE document SET seq = 9")
    assert (await load(store, "a")).quarantine is not None
    await run(store, "UPDATE document SET seq = 6")
    assert (await load(store, "a")).quarantine is None
    assert (await store.catalog.get("a")).quarantine is None


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM update_log WHERE last_seq = 4",
        "UPDATE update_log SET last_seq = 40 WHERE last_seq = 4",
        "UPDATE update_log SET first_seq = 3 WHERE last_seq = 4",
        "UPDATE update_log SET checksum = batch WHERE last_seq = 4",
        "DELETE FROM update_log WHERE last_seq > 3",
    ],
)
async def test_a_missing_or_misplaced_row_is_noticed(store: Store, damage: str) -> None:
    await fill(store, "a")
    await run(store, damage)
    stored = await load(store, "a")
    assert stored.quarantine is not None and content(stored) == UPDATES[:3]


async def test_a_row_of_another_document_is_noticed(store: Store) -> None:
    """The checksum is keyed by the lineage: whole rows in the wrong place do not pass."""
    await fill(store, "a")
    entry = [Entry("ann", "s", b"foreign")]
    await store.log.append([Append("b", "L2", uuid_utils.uuid7().bytes, entry)])
    await run(store, "DELETE FROM update_log WHERE last_seq = 6")
    await run(store, "UPDATE update_log SET document_key = 1, first_seq = 6, last_seq = 6 WHERE document_key = 2")
    stored = await load(store, "a")
    assert stored.quarantine is not None and content(stored) == UPDATES[:5]


async def test_a_rotten_checkpoint_is_replaced_by_the_one_before_it(store: Store) -> None:
    await fill(store, "a", 2, 4)
    await run(store, ROT_CHECKPOINT, seq=4, bytes=b"rot")
    stored = await load(store, "a")
    assert stored.quarantine is None and stored.checkpoint is not None and stored.checkpoint.seq == 2
    assert content(stored) == UPDATES


async def test_without_a_good_checkpoint_the_whole_log_is_read(store: Store) -> None:
    await fill(store, "a", 2, 4)
    await run(store, "UPDATE checkpoint SET state = :bytes", bytes=b"rot")
    stored = await load(store, "a")
    assert stored.quarantine is None and stored.checkpoint is None and content(stored) == UPDATES


async def test_a_rotten_index_is_as_bad_as_a_rotten_state(store: Store) -> None:
    await fill(store, "a", 4)
    await run(store, "UPDATE checkpoint SET state_index = :bytes", bytes=b"rot")
    assert (await load(store, "a")).checkpoint is None


async def test_a_row_that_a_good_checkpoint_covers_may_rot(store: Store) -> None:
    await fill(store, "a", 4)
    await run(store, ROT_ROW, seq=2, bytes=b"rot")
    stored = await load(store, "a")
    assert stored.quarantine is None and content(stored) == UPDATES


async def test_of_several_damaged_ways_the_furthest_is_given(store: Store) -> None:
    await fill(store, "a", 2, 4)
    await run(store, ROT_ROW, seq=6, bytes=b"rot")
    await run(store, ROT_CHECKPOINT, seq=4, bytes=b"rot")
    stored = await load(store, "a")
    assert stored.quarantine is not None and stored.seq == 5 and content(stored) == UPDATES[:5]
    await run(store, ROT_ROW, seq=1, bytes=b"rot")
    assert content(await load(store, "a")) == UPDATES[:5]
    await run(store, ROT_CHECKPOINT, seq=2, bytes=b"rot")
    worst = await load(store, "a")
    assert worst.quarantine is not None and (worst.seq, worst.checkpoint, worst.rows) == (0, None, [])


async def test_only_the_last_two_checkpoints_are_kept(store: Store) -> None:
    await fill(store, "a", 1, 2, 3, 5)
    count = text("SELECT seq FROM checkpoint ORDER BY seq")
    kept = await store.database.read(lambda connection: connection.execute(count).scalars().all())
    assert kept == [3, 5]


async def test_any_flipped_byte_of_any_row_or_checkpoint_is_noticed(store: Store) -> None:
    """Each flip alone: the content is right or the document is quarantined, never silently different."""
    await fill(store, "a", 2, 4)
    rng = random.Random(7)
    cells = [("update_log", "last_seq", s, c) for s in range(1, 7) for c in ("payload", "checksum")]
    cells += [("checkpoint", "seq", s, c) for s in (2, 4) for c in ("state", "state_index", "checksum")]
    for table, key, seq, column in cells:
        where = f"FROM {table} WHERE {key} = {seq}"
        whole = await store.database.read(
            lambda connection, c=column, w=where: connection.execute(text(f"SELECT {c} {w}")).scalar_one()
        )
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        change = f"UPDATE {table} SET {column} = :bytes WHERE {key} = {seq}"
        await run(store, change, bytes=bytes(flipped))
        stored = await load(store, "a")
        if stored.quarantine is None:
            assert content(stored) == UPDATES
        else:
            assert table == "update_log" and seq > 4 and content(stored) == UPDATES[: seq - 1]
        await run(store, change, bytes=whole)
    assert (await load(store, "a")).quarantine is None
