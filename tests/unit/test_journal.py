"""The journal, on a real SQLite log that fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from collab.errors import Draining, LineageRetired, PreconditionFailed, StorageUnavailable, Unprocessable
from collab.journal import COMMIT_BYTES_MAX, COMMIT_ROWS_MAX, ENTRY_BYTES, RETRY_MAX_S, Journal
from collab.store.base import Appended, Entry
from collab.store.open import open_store
from tests.flaky_log import FlakyLog
from tests.patience import PATIENCE_S


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[FlakyLog]:
    async with open_store(f"sqlite:///{tmp_path}/collab.db") as store:
        yield FlakyLog(store.log)


class Bench:
    """A journal with a clock that only sleeping moves, and everything that it told."""

    def __init__(self, log: FlakyLog, **options: Any) -> None:
        self.log = log
        self.now = 0.0
        self.slept: list[float] = []
        self.told: list[Appended] = []
        self.events: list[str] = []
        self.journal = Journal(
            log,
            on_trouble=lambda error: self.events.append(f"trouble: {error}"),
            on_recovered=lambda: self.events.append("recovered"),
            sleep=self.sleep,
            clock=lambda: self.now,
            **options,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def append(
        self, document: str, *updates: bytes, author: str = "ann", lineage: str = "L1", expected: int | None = None
    ) -> None:
        entries = [Entry(author, "s1", update) for update in updates]
        self.journal.append(document, lineage, entries, self.told.append, expected)

    async def stored(self, document: str) -> list[bytes]:
        rows = await self.log.read(document, 0, 1000)
        return [entry.update for row in rows for entry in row.entries]


async def eventually(holds: Callable[[], bool]) -> None:
    """Returns when it holds; raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


@pytest.fixture
async def bench(log: FlakyLog) -> AsyncIterator[Bench]:
    made = Bench(log)
    yield made
    made.log.open.set()
    made.log.before.clear()
    await made.journal.close()


async def test_an_append_is_told_after_its_commit(bench: Bench) -> None:
    bench.append("a", b"1", b"2")
    assert bench.told == []
    await bench.journal.flush()
    assert bench.told == [Appended("a", "L1", 1, 2)]
    assert await bench.stored("a") == [b"1", b"2"]
    assert bench.journal.waiting_bytes == 0 and bench.journal.lag_s == 0.0


async def test_calls_of_one_turn_share_a_commit_and_documents_a_row(bench: Bench) -> None:
    bench.append("a", b"1")
    bench.append("b", b"x", b"y")
    bench.append("a", b"2", b"3")
    await bench.journal.flush()
    assert bench.told == [Appended("a", "L1", 1, 1), Appended("a", "L1", 2, 3), Appended("b", "L1", 1, 2)]
    [row] = await bench.log.read("a", 0, 10)
    assert (row.first_seq, row.last_seq) == (1, 3)
    figures = bench.journal.figures
    assert (figures.commits, figures.rows, figures.entries, list(figures.batch_rows)) == (1, 2, 5, [2])


async def test_while_a_commit_runs_the_next_batch_gathers(bench: Bench) -> None:
    bench.log.open.clear()
    bench.append("a", b"1")
    await bench.log.begun.wait()
    for n in range(2, 100):
        bench.append("a", b"%d" % n)
        bench.append("b", b"%d" % n)
    assert bench.told == []
    bench.log.open.set()
    await bench.journal.flush()
    assert [len(batch) for batch in bench.log.tried] == [1, 2]
    assert await bench.stored("a") == [b"%d" % n for n in range(1, 100)]
    assert [told.first_seq for told in bench.told if told.document == "a"] == list(range(1, 100))


async def test_two_lineages_of_one_document_are_settled_apart(bench: Bench) -> None:
    bench.append("a", b"1")
    bench.append("a", b"2", lineage="L2")
    await bench.journal.flush()
    assert bench.told[0] == Appended("a", "L1", 1, 1)
    assert isinstance(bench.told[1].error, LineageRetired)
    assert bench.journal.figures.refused == 1 and bench.journal.healthy


async def test_no_ack_while_the_storage_is_away_and_every_ack_after(bench: Bench) -> None:
    bench.log.before.extend(StorageUnavailable(f"no {n}") for n in range(20))
    bench.append("a", b"1")
    await bench.log.begun.wait()
    while len(bench.slept) < 5:
        bench.append("b", b"%d" % len(bench.slept))
        await asyncio.sleep(0)
    assert bench.told == [] and not bench.journal.healthy
    assert bench.journal.unhealthy_since == 0.0
    assert bench.journal.lag_s == bench.now > 0
    assert str(bench.journal.last_error) == "no 4"
    assert bench.events == ["trouble: no 0"]
    with pytest.raises(StorageUnavailable, match="no 4"):
        await bench.journal.probe()
    await bench.journal.flush()
    assert bench.events == ["trouble: no 0", "recovered"] and bench.journal.healthy
    await bench.journal.probe()
    assert all(told.error is None for told in bench.told)
    assert await bench.stored("a") == [b"1"]
    assert bench.journal.figures.failed_commits == 20


async def test_tries_come_slower_and_slower_up_to_a_bound_and_never_in_step(bench: Bench) -> None:
    bench.log.before.extend(StorageUnavailable() for _ in range(12))
    bench.append("a", b"1")
    await bench.journal.flush()
    bounds = [min(0.05 * 2**n, RETRY_MAX_S) for n in range(12)]
    assert all(bound / 2 <= slept <= bound for slept, bound in zip(bench.slept, bounds, strict=True))
    assert len(set(bench.slept[6:])) > 1


async def test_a_commit_whose_answer_was_lost_is_not_doubled(bench: Bench) -> None:
    bench.log.after.extend(StorageUnavailable("connection lost") for _ in range(2))
    bench.append("a", b"1", b"2")
    bench.append("b", b"x")
    await bench.journal.flush()
    assert bench.told == [Appended("a", "L1", 1, 2), Appended("b", "L1", 1, 1)]
    assert await bench.stored("a") == [b"1", b"2"] and await bench.stored("b") == [b"x"]
    assert len({tuple(append.batch for append in batch) for batch in bench.log.tried}) == 1


async def test_what_comes_during_an_outage_never_joins_the_batch_that_is_tried(bench: Bench) -> None:
    """Else a batch that was stored after all would be found by its id, and the latecomers taken for stored."""
    bench.log.after.append(StorageUnavailable("connection lost"))
    bench.log.open.clear()
    bench.append("a", b"1")
    await bench.log.begun.wait()
    bench.append("a", b"late")
    bench.log.open.set()
    await bench.journal.flush()
    assert await bench.stored("a") == [b"1", b"late"]
    assert [(told.first_seq, told.last_seq) for told in bench.told] == [(1, 1), (2, 2)]


async def test_one_append_that_cannot_be_stored_fails_alone(bench: Bench) -> None:
    for n in range(9):
        bench.append(f"d{n}", b"x", author="\ud800" if n in (3, 7) else "ann")
    await bench.journal.flush()
    refused = {told.document for told in bench.told if told.error is not None}
    assert refused == {"d3", "d7"} and len(bench.told) == 9
    assert all(isinstance(told.error, Unprocessable) for told in bench.told if told.error)
    assert bench.journal.healthy and bench.journal.waiting_bytes == 0
    for n in (0, 1, 2, 4, 5, 6, 8):
        assert await bench.stored(f"d{n}") == [b"x"]


async def test_an_outage_amid_the_search_for_a_culprit_loses_nothing(bench: Bench) -> None:
    bench.log.before.extend([Unprocessable("which one?"), StorageUnavailable(), StorageUnavailable()])
    for n in range(4):
        bench.append(f"d{n}", b"x")
    await bench.journal.flush()
    assert sorted(told.document for told in bench.told) == ["d0", "d1", "d2", "d3"]
    assert all(told.error is None for told in bench.told)


async def test_a_callback_that_raises_does_not_stop_the_others(bench: Bench) -> None:
    def broken(done: Appended) -> None:
        raise RuntimeError("a room's mistake")

    bench.journal.append("a", "L1", [Entry("ann", "s1", b"1")], broken)
    bench.append("a", b"2")
    bench.append("b", b"x")
    await bench.journal.flush()
    assert bench.told == [Appended("a", "L1", 2, 2), Appended("b", "L1", 1, 1)]
    assert bench.journal.figures.callback_errors == 1


async def test_a_callback_may_append(bench: Bench) -> None:
    bench.journal.append("a", "L1", [Entry("ann", "s1", b"1")], lambda done: bench.append("a", b"2"))
    await bench.journal.flush()
    await bench.journal.flush()
    assert await bench.stored("a") == [b"1", b"2"]


async def test_what_waits_is_counted_and_a_full_journal_says_so(log: FlakyLog) -> None:
    bench = Bench(log, waiting_bytes_max=1000 + ENTRY_BYTES)
    log.open.clear()
    bench.append("a", b"x" * 600)
    await log.begun.wait()
    bench.append("b", b"x" * 100)
    assert bench.journal.waiting_bytes == 700 + 2 * ENTRY_BYTES and not bench.journal.full
    bench.append("b", b"x" * 400)
    assert bench.journal.full
    bench.append("b", b"taken all the same")
    log.open.set()
    await bench.journal.flush()
    assert not bench.journal.full and len(bench.told) == 4
    await bench.journal.close()


async def test_a_backlog_goes_out_in_bounded_transactions_in_order(bench: Bench) -> None:
    bench.log.open.clear()
    bench.append("first", b"x")
    await bench.log.begun.wait()
    for n in range(2 * COMMIT_ROWS_MAX + 1):
        bench.append(f"d{n}", b"x")
    bench.log.open.set()
    await bench.journal.flush()
    assert [len(batch) for batch in bench.log.tried] == [1, COMMIT_ROWS_MAX, COMMIT_ROWS_MAX, 1]
    assert [told.document for told in bench.told] == ["first", *(f"d{n}" for n in range(2 * COMMIT_ROWS_MAX + 1))]


async def test_one_append_larger_than_a_transaction_goes_out_by_itself(bench: Bench) -> None:
    bench.append("a", b"x" * 9 * 1024 * 1024)
    bench.append("b", b"x")
    await bench.journal.flush()
    assert [len(batch) for batch in bench.log.tried] == [1, 1]


async def test_closing_commits_what_waits_and_takes_no_more(bench: Bench) -> None:
    bench.append("a", b"1")
    await bench.journal.close()
    assert bench.told == [Appended("a", "L1", 1, 1)]
    with pytest.raises(Draining):
        bench.append("a", b"2")
    await bench.journal.close()


async def test_closing_while_the_storage_is_away_ends_and_acks_nothing(bench: Bench) -> None:
    bench.log.before.extend(StorageUnavailable() for _ in range(10_000))
    bench.append("a", b"1")
    await bench.log.begun.wait()
    bench.append("b", b"x")
    await bench.journal.close(grace_s=0.01)
    assert [told.document for told in bench.told] == ["a", "b"]
    assert all(isinstance(told.error, StorageUnavailable) for told in bench.told)
    assert bench.journal.waiting_bytes == 0


async def test_a_cancelled_writer_acks_nothing_but_the_commit_under_way_ends_whole(log: FlakyLog) -> None:
    """As when the event loop is torn down: the transaction runs in its thread and is all there or not at all."""
    bench = Bench(log)
    bench.append("a", b"1", b"2")
    await log.begun.wait()
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "journal"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert [type(told.error) for told in bench.told] == [StorageUnavailable]
    await log.ping()  # the writer's thread takes one thing after the other: the commit has ended
    heads = await log.heads(["a"])
    assert heads == {} or heads["a"].seq == 2


async def test_an_empty_append_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(ValueError, match="nothing"):
        bench.append("a")


async def test_flush_waits_for_what_was_there_and_not_for_what_comes(bench: Bench) -> None:
    """A journal that is never idle can be flushed all the same."""
    stop = False

    def again(done: Appended) -> None:
        if not stop:
            bench.journal.append("busy", "L1", [Entry("ann", "s1", b"x")], again)

    bench.journal.append("busy", "L1", [Entry("ann", "s1", b"x")], again)
    await bench.journal.flush()
    bench.append("a", b"1")
    await bench.journal.flush()
    assert bench.told == [Appended("a", "L1", 1, 1)]
    stop = True


async def test_what_builds_on_a_refused_append_is_refused_with_it(bench: Bench) -> None:
    bench.log.open.clear()
    bench.append("a", b"1")
    await bench.log.begun.wait()
    bench.append("a", b"2")
    bench.append("b", b"1")
    bench.log.before.append(Unprocessable("this one cannot be held"))
    bench.log.open.set()
    await bench.journal.flush()
    assert [(t.document, isinstance(t.error, Unprocessable)) for t in bench.told] == [
        ("a", True),
        ("a", True),
        ("b", False),
    ]
    assert await bench.stored("b") == [b"1"]
    assert bench.journal.waiting_bytes == 0


async def test_one_batch_holds_one_append_of_a_document(bench: Bench) -> None:
    bench.append("a", b"1", lineage="")
    bench.append("a", b"2", lineage="L1")
    await bench.journal.flush()
    assert [len(batch) for batch in bench.log.tried if batch] == [1, 1]


async def test_of_appends_that_expect_one_seq_one_is_stored_and_refuses_nobody_else(bench: Bench) -> None:
    bench.append("a", b"1")
    await bench.journal.flush()
    for update in (b"2", b"3"):
        bench.append("a", update, expected=1)
    bench.append("a", b"4")
    await bench.journal.flush()
    assert [done.last_seq for done in bench.told] == [1, 2, 0, 3]
    assert isinstance(bench.told[2].error, PreconditionFailed)
    assert await bench.stored("a") == [b"1", b"2", b"4"]


async def test_an_expecting_append_whose_outcome_is_unknown_is_not_refused_for_its_own_sake(bench: Bench) -> None:
    bench.append("a", b"1")
    await bench.journal.flush()
    bench.log.after.append(StorageUnavailable("the answer is lost"))
    bench.append("a", b"2", expected=1)
    await bench.journal.flush()
    assert bench.told[-1] == Appended("a", "L1", 2, 2)
    assert await bench.stored("a") == [b"1", b"2"]


async def test_flushing_one_document_waits_for_no_other(bench: Bench) -> None:
    bench.log.open.clear()
    bench.append("a", b"1")
    await bench.log.begun.wait()
    await asyncio.wait_for(bench.journal.flush("b"), PATIENCE_S)
    waiting = asyncio.create_task(bench.journal.flush("a"))
    await asyncio.sleep(0)
    assert not waiting.done()
    bench.log.open.set()
    await waiting


async def test_flushing_what_was_told_already_does_not_wait_for_the_rest_of_its_batch(bench: Bench) -> None:
    """A batch that was cut in two: whoever was refused comes back while the other half is still being committed."""
    refused = asyncio.Event()

    def on_done(done: Appended) -> None:
        assert isinstance(done.error, Unprocessable)
        bench.log.open.clear()
        refused.set()

    bench.journal.append("a", "L1", [Entry("\ud800", "s1", b"1")], on_done)
    bench.append("b", b"x")
    await refused.wait()
    await asyncio.wait_for(bench.journal.flush("a"), PATIENCE_S)
    waiting = asyncio.create_task(bench.journal.flush())
    await asyncio.sleep(0)
    assert bench.told == [] and not waiting.done()
    bench.log.open.set()
    await asyncio.wait_for(waiting, PATIENCE_S)
    assert bench.told == [Appended("b", "L1", 1, 1)]


async def test_an_idle_journal_commits_at_once_and_a_busy_one_gathers(log: FlakyLog) -> None:
    bench = Bench(log, linger_s=lambda: 3600.0)
    bench.append("a", b"1")
    await eventually(lambda: len(bench.told) == 1)
    for document in "abcabc":
        bench.append(document, b"2")
        await asyncio.sleep(0)
    assert len(bench.told) == 1 and bench.journal.figures.commits == 1
    bench.journal.hurry()
    await eventually(lambda: len(bench.told) == 7)
    assert bench.journal.figures.commits == 2
    await bench.journal.close()


async def test_whoever_waits_or_goes_down_does_not_linger(log: FlakyLog) -> None:
    bench = Bench(log, linger_s=lambda: 3600.0)
    for update in (b"1", b"2", b"3"):
        bench.append("a", update)
        await asyncio.wait_for(bench.journal.flush(), PATIENCE_S)
    bench.append("a", b"4")
    await asyncio.wait_for(bench.journal.close(), PATIENCE_S)
    assert [done.last_seq for done in bench.told] == [1, 2, 3, 4]


async def test_a_full_transaction_does_not_linger(log: FlakyLog) -> None:
    bench = Bench(log, linger_s=lambda: 3600.0)
    bench.append("a", b"1")
    await eventually(lambda: len(bench.told) == 1)
    bench.append("a", bytes(COMMIT_BYTES_MAX))
    await eventually(lambda: len(bench.told) == 2)
    await bench.journal.close()
