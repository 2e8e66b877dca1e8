"""When a log is folded, and what becomes of it: on a real SQLite log, with the real codec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uuid_utils
from hypothesis import given
from hypothesis import strategies as st

from collab.checkpoint import RETRY_FIRST_S, RETRY_MAX_S, Checkpointer, Policy
from collab.crdt.fold import fold, verify
from collab.errors import EngineUnavailable, StorageUnavailable
from collab.store.base import Append, Checkpoint, Entry
from collab.store.open import Store, open_store
from tests.patience import PATIENCE_S
from tests.updates import deleted, typed, typed_after


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/collab.db") as opened:
        yield opened


class Engine:
    """Folds with the codec, in this process; can be told to wait or to fail."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.errors: list[Exception] = []
        self.folds: list[tuple[bytes | None, list[bytes]]] = []

    async def fold(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        self.folds.append((base, list(updates)))
        self.begun.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        state = fold(base, updates)
        verify(state, base, updates)
        return state, b"index of %d" % len(state)


class Bench:
    """A checkpointer over a store, with a clock that only the test moves."""

    def __init__(self, store: Store, policy: Policy | None = None, **options: int) -> None:
        self.store, self.engine, self.now = store, Engine(), 0.0
        self.told: list[tuple[str, str, Checkpoint]] = []
        self.checkpointer = Checkpointer(
            store.log,
            self.engine.fold,
            policy=policy or Policy(),
            on_folded=lambda *told: self.told.append(told),
            fold_now=self.fold_now,
            clock=lambda: self.now,
            **options,
        )

    async def fold_now(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """Never waits."""
        return fold(base, updates), b"now"

    async def type(self, document: str, *updates: bytes) -> None:
        for update in updates:
            append = Append(document, "L1", uuid_utils.uuid7().bytes, [Entry("ann", "s", update)])
            [done] = await self.store.log.append([append])
            assert done.error is None

    async def settled(self) -> None:
        """Returns when no fold is under way."""
        while tasks := [task for task in asyncio.all_tasks() if task.get_name() == "checkpoint"]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)


HELLO = [typed(1, n, letter) for n, letter in enumerate("hello")]


async def test_a_fold_holds_the_log_and_the_log_stays(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)
    made = await bench.checkpointer.fold("a")
    assert made is not None and made.seq == 5 and made.state == fold(None, HELLO)
    stored = await store.log.load("a")
    assert stored is not None and stored.checkpoint == made and stored.rows == []
    assert len(await store.log.read("a", 0, 10)) == 5
    assert bench.told == [("a", "L1", made)]
    assert bench.checkpointer.figures.folded == 1 and bench.checkpointer.figures.rows == 5


async def test_the_next_fold_goes_on_from_the_last(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)
    first = await bench.checkpointer.fold("a")
    await bench.type("a", typed(1, 5, "!"), deleted(1, 0, 1))
    second = await bench.checkpointer.fold("a")
    assert first and second and second.seq == 7
    assert bench.engine.folds[1] == (first.state, [typed(1, 5, "!"), deleted(1, 0, 1)])
    verify(second.state, None, [*HELLO, typed(1, 5, "!"), deleted(1, 0, 1)])


async def test_what_is_ahead_of_its_dependencies_is_not_lost(store: Store) -> None:
    """Structs that wait for others come out of the fold and still find their place when these arrive."""
    bench = Bench(store)
    early = typed_after(2, 0, "?", (1, 4))
    await bench.type("a", HELLO[0], early)
    made = await bench.checkpointer.fold("a")
    assert made is not None
    verify(made.state, None, [HELLO[0], early])
    await bench.type("a", *HELLO[1:])
    again = await bench.checkpointer.fold("a")
    assert again is not None
    verify(again.state, None, [*HELLO, early])


async def test_there_may_be_nothing_to_fold(store: Store) -> None:
    bench = Bench(store)
    assert await bench.checkpointer.fold("nobody") is None
    await bench.type("a", *HELLO)
    await bench.checkpointer.fold("a")
    assert await bench.checkpointer.fold("a") is None
    assert len(bench.engine.folds) == 1


async def test_two_callers_share_one_fold(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)
    one, two = await asyncio.gather(bench.checkpointer.fold("a"), bench.checkpointer.fold("a"))
    assert one == two and len(bench.engine.folds) == 1


async def test_updates_that_come_during_a_fold_are_the_next_tail(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)
    bench.engine.open.clear()
    folding = asyncio.create_task(bench.checkpointer.fold("a"))
    await bench.engine.begun.wait()
    await bench.type("a", typed(1, 5, "!"))
    bench.checkpointer.consider("a", 10_000, 0, 0)
    bench.engine.open.set()
    made = await folding
    stored = await store.log.load("a")
    assert made and stored and stored.checkpoint == made and made.seq == 5
    assert [row.entries[0].update for row in stored.rows] == [typed(1, 5, "!")]
    assert len(bench.engine.folds) == 1


async def test_considering_folds_when_it_pays(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=5))
    await bench.type("a", *HELLO)
    bench.checkpointer.consider("a", 4, 10, 0)
    await bench.settled()
    assert bench.told == []
    bench.checkpointer.consider("a", 5, 10, 0)
    bench.checkpointer.consider("a", 6, 10, 0)
    await bench.settled()
    assert len(bench.told) == 1


async def test_a_failure_is_kept_counted_and_tried_again_later(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=1))
    await bench.type("a", *HELLO)
    waits = [min(RETRY_FIRST_S * 2**n, RETRY_MAX_S) for n in range(9)]
    bench.engine.errors = [EngineUnavailable("child died") for _ in waits]
    for times, wait in enumerate(waits, 1):
        bench.checkpointer.consider("a", 5, 10, 0)
        await bench.settled()
        failure = bench.checkpointer.failing["a"]
        assert (failure.times, failure.reason) == (times, "EngineUnavailable: child died")
        bench.now += wait - 0.001
        bench.checkpointer.consider("a", 5, 10, 0)
        await bench.settled()
        assert len(bench.engine.folds) == times
        bench.now += 0.001
    bench.checkpointer.consider("a", 5, 10, 0)
    await bench.settled()
    assert len(bench.told) == 1 and not bench.checkpointer.failing
    assert bench.checkpointer.figures.failed == 9
    stored = await store.log.load("a")
    assert stored is not None and stored.quarantine is None and stored.seq == 5


async def test_a_fold_that_is_asked_for_raises_what_went_wrong(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)
    bench.engine.errors = [EngineUnavailable("child died")]
    with pytest.raises(EngineUnavailable):
        await bench.checkpointer.fold("a")
    assert await bench.checkpointer.fold("a") is not None


async def test_a_document_deleted_or_purged_during_its_fold_is_let_go(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=1))
    for document, end in (("a", store.catalog.set_deleted("a", True)), ("b", store.catalog.purge("b", frozenset()))):
        await bench.type(document, *HELLO)
        bench.engine.open.clear()
        bench.engine.begun.clear()
        bench.checkpointer.consider(document, 5, 10, 0)
        await bench.engine.begun.wait()
        await end
        bench.engine.open.set()
        await bench.settled()
    assert bench.checkpointer.figures.abandoned == 2 and not bench.checkpointer.failing and bench.told == []


async def test_a_quarantined_document_is_not_folded(store: Store) -> None:
    """A checkpoint over a hole would make the hole look whole."""
    bench = Bench(store)
    await bench.type("a", *HELLO)
    await store.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM update_log WHERE last_seq=3"))
    assert await bench.checkpointer.fold("a") is None
    assert bench.engine.folds == []


async def test_no_more_documents_are_in_memory_at_once_than_allowed(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=1), at_once=2)
    for document in "abcde":
        await bench.type(document, *HELLO)
    bench.engine.open.clear()
    for document in "abcde":
        bench.checkpointer.consider(document, 5, 10, 0)
    while len(bench.engine.folds) < 2:
        bench.engine.begun.clear()
        await bench.engine.begun.wait()
    for _ in range(20):  # time in which a third could load its document, were it let
        await store.log.load("e")
    assert len(bench.engine.folds) == 2
    bench.engine.open.set()
    await bench.settled()
    assert len(bench.told) == 5


async def test_who_waits_for_a_fold_does_not_wait_behind_those_in_the_background(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=1))
    for document in "ab":
        await bench.type(document, *HELLO)
    bench.engine.open.clear()
    bench.checkpointer.consider("a", 5, 10, 0)
    await bench.engine.begun.wait()
    await asyncio.wait_for(bench.checkpointer.shorten("b"), PATIENCE_S)
    assert [(document, point.index) for document, _, point in bench.told] == [("b", b"now")]
    bench.engine.open.set()
    await bench.settled()


async def test_closing_gives_up_what_is_under_way(store: Store) -> None:
    bench = Bench(store, Policy(rows_min=1))
    await bench.type("a", *HELLO)
    bench.engine.open.clear()
    bench.checkpointer.consider("a", 5, 10, 0)
    await bench.engine.begun.wait()
    await bench.checkpointer.close()
    bench.checkpointer.consider("a", 5, 10, 0)
    await bench.settled()
    assert len(bench.engine.folds) == 1
    stored = await store.log.load("a")
    assert stored is not None and stored.checkpoint is None and stored.seq == 5


async def test_a_storage_error_is_a_failure_and_no_checkpoint(store: Store) -> None:
    bench = Bench(store)
    await bench.type("a", *HELLO)

    async def refuse(*_: object) -> None:
        raise StorageUnavailable("disk full")

    bench.checkpointer._log.put_checkpoint = refuse  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        await bench.checkpointer.fold("a")
    assert bench.told == [] and bench.checkpointer.failing["a"].times == 1


sizes = st.integers(0, 60_000_000)


@given(rows=st.integers(0, 200_000), tail=sizes, base=sizes)
def test_the_policy_bounds_the_tail_and_never_folds_nothing(rows: int, tail: int, base: int) -> None:
    policy = Policy()
    due = policy.due(rows, tail, base)
    if rows == 0:
        assert not due
    elif not due:
        assert rows < 500 + base // 512
        assert tail < max(128 * 1024, base // 2 + 1)


@given(rows=st.integers(1, 200_000), tail=sizes, base=sizes, more=st.integers(0, 1000))
def test_a_longer_tail_is_never_less_due_and_a_larger_base_never_more(
    rows: int, tail: int, base: int, more: int
) -> None:
    policy = Policy()
    if policy.due(rows, tail, base):
        assert policy.due(rows + more, tail + more, base)
    else:
        assert not policy.due(rows, tail, base + more)


def test_folding_stays_a_fixed_share_of_the_typing() -> None:
    """A million keystrokes of 25 bytes, a commit each: every byte is folded a bounded number of times."""
    policy = Policy()
    base = tail_rows = tail_bytes = folded_bytes = folds = 0
    for _ in range(1_000_000):
        tail_rows, tail_bytes = tail_rows + 1, tail_bytes + 25
        if policy.due(tail_rows, tail_bytes, base):
            folded_bytes += base + tail_bytes
            base, tail_rows, tail_bytes, folds = base + tail_rows, 0, 0, folds + 1
    assert folds < 1_500
    assert folded_bytes / 1_000_000 < 700  # bytes folded per keystroke: well under a millisecond of the child's time
