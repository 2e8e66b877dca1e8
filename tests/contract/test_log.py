"""The contract of UpdateLog, on every database."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence

import pytest
import uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collab.errors import BadRequest, Gone, LineageRetired, NotFound, PreconditionFailed, Unprocessable
from collab.store.base import UNBORN, Append, Appended, Checkpoint, Entry, Head
from collab.store.open import Store

names = itertools.count()


def entry(update: bytes = b"\x01\x02", author: str = "ann", session: str = "s1") -> Entry:
    return Entry(author, session, update)


def append(
    document: str, *updates: bytes, lineage: str = "L1", batch: bytes | None = None, expected: int | None = None
) -> Append:
    return Append(document, lineage, batch or uuid_utils.uuid7().bytes, [entry(u) for u in updates], expected)


async def commit(store: Store, *batch: Append) -> list[Appended]:
    return list(await store.log.append(batch))


async def updates(store: Store, document: str) -> list[bytes]:
    stored = await store.log.load(document)
    assert stored is not None and stored.quarantine is None
    return [e.update for row in stored.rows for e in row.entries]


async def test_what_was_appended_is_loaded_in_order(store: Store) -> None:
    assert await commit(store, append("a", b"1", b"2")) == [Appended("a", "L1", 1, 2)]
    assert await commit(store, append("a", b"3")) == [Appended("a", "L1", 3, 3)]
    stored = await store.log.load("a")
    assert stored is not None
    assert (stored.lineage, stored.seq, stored.checkpoint, stored.quarantine) == ("L1", 3, None, None)
    assert [(row.first_seq, row.last_seq) for row in stored.rows] == [(1, 2), (3, 3)]
    assert [list(row.entries) for row in stored.rows] == [[entry(b"1"), entry(b"2")], [entry(b"3")]]


async def test_a_document_nobody_made_is_none(store: Store) -> None:
    assert await store.log.load("nobody") is None
    assert await store.log.heads(["nobody"]) == {}
    with pytest.raises(NotFound):
        await store.log.read("nobody", 0, 10)


async def test_an_unborn_room_makes_its_document_or_finds_it_made(store: Store) -> None:
    first, second = await commit(store, append("a", b"1", lineage=UNBORN), append("a", b"2", lineage=UNBORN))
    assert first.lineage == second.lineage != UNBORN
    assert (first.error, second.error, second.last_seq) == (None, None, 2)
    made = await store.catalog.create("b", None, {})
    assert await commit(store, append("b", b"1", lineage=UNBORN)) == [Appended("b", made.lineage, 1, 1)]
    assert await commit(store, append("b", b"2", lineage=made.lineage)) == [Appended("b", made.lineage, 2, 2)]
    assert await updates(store, "a") == await updates(store, "b") == [b"1", b"2"]


async def test_an_append_that_expects_a_seq_is_stored_there_or_not_at_all(store: Store) -> None:
    """Refused alone; counted with the appends before it; and found, if an earlier try of it was stored."""
    (first,) = await commit(store, append("a", b"1"))
    here = append("a", b"2", expected=1)
    done, late, other = await commit(store, here, append("a", b"3", expected=1), append("b", b"1"))
    assert (done.last_seq, other.last_seq) == (2, 1)
    assert isinstance(late.error, PreconditionFailed) and late.error.detail.endswith(f"{first.lineage}.2")
    assert await commit(store, here, append("a", b"4", expected=2)) == [done, Appended("a", "L1", 3, 3)]
    assert await updates(store, "a") == [b"1", b"2", b"4"]


async def test_an_unborn_append_that_is_tried_again_is_found(store: Store) -> None:
    again = append("a", b"1", lineage=UNBORN)
    (done,) = await commit(store, again)
    assert await commit(store, again, append("a", b"2", lineage=UNBORN)) == [
        done,
        Appended("a", done.lineage, 2, 2),
    ]
    assert await updates(store, "a") == [b"1", b"2"]


async def test_authors_and_sessions_are_kept_per_entry(store: Store) -> None:
    entries = [
        entry(b"1", "ann", "s1"),
        entry(b"2", "ann", "s1"),
        entry(b"", "böb 😀", ""),
        entry(b"\0" * 300, "", "s1"),
    ]
    await commit(store, Append("a", "L1", uuid_utils.uuid7().bytes, entries))
    [row] = await store.log.read("a", 0, 10)
    assert list(row.entries) == entries


async def test_one_commit_numbers_every_document_by_itself(store: Store) -> None:
    first = await commit(store, *(append(f"d{i}", b"x") for i in range(600)))
    second = await commit(store, *(append(f"d{i}", b"y", b"z") for i in range(0, 600, 2)))
    assert [(a.first_seq, a.last_seq) for a in first] == [(1, 1)] * 600
    assert [(a.first_seq, a.last_seq) for a in second] == [(2, 3)] * 300
    heads = await store.log.heads([f"d{i}" for i in range(601)])
    assert heads == {f"d{i}": Head("L1", 1 if i % 2 else 3) for i in range(600)}


async def test_appends_of_one_document_in_one_batch_keep_their_order(store: Store) -> None:
    answers = await commit(store, append("a", b"1"), append("b", b"x"), append("a", b"2", b"3"), append("a", b"4"))
    assert [(a.document, a.first_seq, a.last_seq) for a in answers] == [
        ("a", 1, 1),
        ("b", 1, 1),
        ("a", 2, 3),
        ("a", 4, 4),
    ]
    assert await updates(store, "a") == [b"1", b"2", b"3", b"4"]


async def test_another_lineage_is_refused_alone(store: Store) -> None:
    await commit(store, append("a", b"1"))
    refused, taken = await commit(store, append("a", b"2", lineage="L2"), append("b", b"x"))
    assert isinstance(refused.error, LineageRetired) and refused.error.extra == {"current": "L1"}
    assert (refused.first_seq, refused.last_seq) == (0, 0)
    assert taken == Appended("b", "L1", 1, 1)
    assert await updates(store, "a") == [b"1"]


async def test_of_two_lineages_in_one_batch_the_first_makes_the_document(store: Store) -> None:
    one, two = await commit(store, append("a", b"1"), append("a", b"2", lineage="L2"))
    assert one.error is None and isinstance(two.error, LineageRetired)
    assert await updates(store, "a") == [b"1"]


async def test_the_same_batch_id_again_is_answered_and_not_stored_twice(store: Store) -> None:
    """A commit whose answer was lost is tried again under the same ids."""
    tried = [append("a", b"1"), append("b", b"x", b"y")]
    first = await commit(store, *tried)
    other = append("c", b"new")
    assert await commit(store, tried[1], other, tried[0]) == [first[1], Appended("c", "L1", 1, 1), first[0]]
    assert await updates(store, "a") == [b"1"]
    assert await updates(store, "b") == [b"x", b"y"]


async def test_a_value_the_database_cannot_hold_stores_nothing(store: Store) -> None:
    await commit(store, append("a", b"1"))
    bad = Append("a", "L1", uuid_utils.uuid7().bytes, [entry(author="\ud800")])
    with pytest.raises(Unprocessable):
        await commit(store, append("b", b"x"), bad)
    with pytest.raises(Unprocessable):
        await commit(store, append("a\0b", b"x"))
    assert await store.log.heads(["a", "b"]) == {"a": Head("L1", 1)}


async def test_reading_goes_on_from_any_seq(store: Store) -> None:
    for update in (b"1", b"2", b"3"):
        await commit(store, append("a", update, update))
    rows = await store.log.read("a", 0, 2)
    assert [(row.first_seq, row.last_seq) for row in rows] == [(1, 2), (3, 4)]
    assert [(row.first_seq, row.last_seq) for row in await store.log.read("a", 3, 10)] == [(3, 4), (5, 6)]
    assert await store.log.read("a", 6, 10) == []


async def test_a_checkpoint_shortens_what_is_loaded(store: Store) -> None:
    for update in (b"1", b"2", b"3"):
        await commit(store, append("a", update))
    await store.log.put_checkpoint("a", "L1", Checkpoint(2, b"state", b"index"))
    stored = await store.log.load("a")
    assert stored is not None and stored.checkpoint == Checkpoint(2, b"state", b"index")
    assert [row.last_seq for row in stored.rows] == [3]
    assert [row.last_seq for row in await store.log.read("a", 0, 10)] == [1, 2, 3]


async def test_a_checkpoint_inside_a_commit_loads_the_whole_commit(store: Store) -> None:
    await commit(store, append("a", b"1", b"2", b"3"))
    await store.log.put_checkpoint("a", "L1", Checkpoint(2, b"state", b""))
    assert await updates(store, "a") == [b"1", b"2", b"3"]


async def test_a_checkpoint_that_does_not_belong_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.log.put_checkpoint("a", "L1", Checkpoint(1, b"s", b""))
    await commit(store, append("a", b"1"))
    with pytest.raises(LineageRetired):
        await store.log.put_checkpoint("a", "L2", Checkpoint(1, b"s", b""))
    with pytest.raises(BadRequest):
        await store.log.put_checkpoint("a", "L1", Checkpoint(2, b"s", b""))
    assert await updates(store, "a") == [b"1"]


async def test_the_same_checkpoint_may_be_put_again(store: Store) -> None:
    await commit(store, append("a", b"1"))
    await store.log.put_checkpoint("a", "L1", Checkpoint(1, b"one", b""))
    await store.log.put_checkpoint("a", "L1", Checkpoint(1, b"two", b""))
    stored = await store.log.load("a")
    assert stored is not None and stored.checkpoint == Checkpoint(1, b"two", b"")


async def test_the_log_answers_a_ping(store: Store) -> None:
    await store.log.ping()


async def test_writers_at_once_leave_dense_numbers(store: Store) -> None:
    """Batches that name the same documents in different orders neither deadlock nor skip or repeat a number."""
    documents = [f"d{i}" for i in range(8)]

    async def writer(seed: int) -> list[Appended]:
        rng, answers = random.Random(seed), []
        for _ in range(20):
            chosen = rng.sample(documents, 4)
            answers += await commit(store, *(append(d, *[b"u"] * rng.randint(1, 3)) for d in chosen))
        return answers

    answers = [a for answers in await asyncio.gather(*map(writer, range(6))) for a in answers]
    for document in documents:
        spans = sorted((a.first_seq, a.last_seq) for a in answers if a.document == document)
        assert [first for first, _ in spans] == [1, *(last + 1 for _, last in spans[:-1])]
        rows = await store.log.read(document, 0, 1000)
        assert [(row.first_seq, row.last_seq) for row in rows] == spans


steps = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.binary(max_size=40), min_size=1, max_size=4)), max_size=5),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_any_history_reads_back_as_it_was_written(
    store: Store, steps: Sequence[Sequence[tuple[str, Sequence[bytes]]]]
) -> None:
    round_ = next(names)
    model: dict[str, list[bytes]] = {}
    for batch in steps:
        await commit(store, *(append(f"{round_}-{name}", *parts) for name, parts in batch))
        for name, parts in batch:
            model.setdefault(f"{round_}-{name}", []).extend(parts)
    for document, expected in model.items():
        assert await updates(store, document) == expected


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(ids | st.sampled_from(['"', "\\", "a/b", "\n", "\x7f", "😀" * 100, "%", "'; --"]), unique=True)
)
async def test_any_text_is_an_id(store: Store, documents: list[str]) -> None:
    named = [f"{next(names)}{document}" for document in documents]
    for seq in (1, 2):
        done = await commit(store, *(append(document, document.encode()) for document in named))
        assert [(d.document, d.last_seq) for d in done] == [(document, seq) for document in named]
    assert set(await store.log.heads(named)) == set(named)
    for document in named[:3]:
        assert await updates(store, document) == [document.encode()] * 2


async def test_a_deleted_document_takes_nothing_and_comes_back_whole(store: Store) -> None:
    await commit(store, append("a", b"1"))
    await store.catalog.set_deleted("a", True)
    refused, taken = await commit(store, append("a", b"2"), append("b", b"x"))
    assert isinstance(refused.error, Gone) and taken.error is None
    assert (await store.log.heads(["a"]))["a"].deleted
    with pytest.raises(Gone):
        await store.log.load("a")
    with pytest.raises(Gone):
        await store.log.read("a", 0, 10)
    with pytest.raises(Gone):
        await store.log.put_checkpoint("a", "L1", Checkpoint(1, b"s", b""))
    await store.catalog.set_deleted("a", False)
    assert await updates(store, "a") == [b"1"]


async def test_who_made_a_document_is_told(store: Store) -> None:
    await store.catalog.create("b", None, {})
    first = await commit(store, append("a", b"1", lineage=UNBORN), append("b", b"1", lineage=UNBORN))
    again = await commit(store, append("a", b"2", lineage=UNBORN), append("c", b"1"), append("c", b"2"))
    assert [done.created for done in (*first, *again)] == [True, False, False, True, False]
