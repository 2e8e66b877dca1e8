"""Rooms of a node: opened once, stored through the journal, ended and unloaded without losing anything."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace

import pytest

from collab.checkpoint import Checkpointer
from collab.crdt.checked import Checked
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import build
from collab.errors import (
    AuthorIdInUse,
    CollabError,
    Draining,
    EngineUnavailable,
    Gone,
    Overloaded,
    SlowReader,
    StorageUnavailable,
)
from collab.protocol.messages import KEEPALIVE, decode, encode_status, encode_step1, encode_step2, encode_update
from collab.services import UPDATES_PER_ROW, consider
from collab.store.base import Append, Appended, Stored
from tests.flaky_log import FlakyLog
from tests.patience import PATIENCE_S
from tests.runtime.conftest import Bench
from tests.updates import typed

HELLO = typed(1, 0, "hello")


async def settled(bench: Bench) -> None:
    """Lets the tick of this turn run and its commit finish."""
    await asyncio.sleep(0)
    await bench.journal.flush()


async def test_concurrent_openers_share_one_load(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = 0
    real = bench.store.log.load

    async def counting(document: str) -> Stored | None:
        nonlocal loads
        loads += 1
        return await real(document)

    monkeypatch.setattr(bench.store.log, "load", counting)
    slots = await asyncio.gather(*(bench.hub.open("doc") for _ in range(50)))
    assert len({id(slot) for slot in slots}) == 1
    assert loads == 1
    assert slots[0].pins == 50


async def test_a_failed_load_is_an_error_and_the_next_open_tries_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(document: str) -> Stored | None:
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "load", failing)
        with pytest.raises(StorageUnavailable):
            await bench.hub.open("doc")
    assert (await bench.hub.open("doc")).pins == 1


async def test_an_edit_is_acked_after_its_commit_and_is_there_after_reopening(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    bench.hub.receive(slot, session, encode_status(b"\x01"))
    assert outbox.take() == []
    await settled(bench)
    assert outbox.take() == [encode_status(b"\x01")]
    bench.hub.leave(slot, session)
    await bench.upkeep.once(asyncio.get_running_loop().time() + 60)
    assert bench.hub.slots == {}
    _, reader, to_reader = await bench.enter()
    bench.hub.receive(bench.hub.slots["doc"], reader, encode_step1(b"\x00"))
    assert to_reader.take() == [encode_update(HELLO), encode_step2(b"\x00\x00")]


async def test_rest_and_sockets_meet_in_one_room_and_one_log(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    seq = await bench.hub.submit(slot, typed(2, 0, "rest"), "key-1")
    assert seq == 2
    rows = await bench.store.log.read("doc", 0, 10)
    assert [(e.author, e.update) for row in rows for e in row.entries] == [
        ("ada", HELLO),
        ("key-1", typed(2, 0, "rest")),
    ]
    assert len(outbox.take()) == 1


async def test_edits_of_one_turn_are_one_commit_in_order(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    for clock in range(5, 25):
        bench.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
    await settled(bench)
    rows = await bench.store.log.read("doc", 0, 100)
    assert [entry.update for row in rows for entry in row.entries][-1] == typed(1, 24, "x")
    assert rows[-1].last_seq == slot.room.ledger.seq == 21
    assert len(rows) <= 2


async def test_while_the_database_fails_nothing_is_acked_and_afterwards_everything_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, session, outbox = await bench.enter()
    real = bench.store.log.append
    refused = asyncio.Event()

    async def failing(batch: object) -> object:
        refused.set()
        raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "append", failing)
        bench.hub.receive(slot, session, encode_update(HELLO))
        bench.hub.receive(slot, session, encode_status(b"\x01"))
        await refused.wait()
        assert not bench.journal.healthy
        bench.hub.receive(slot, session, encode_step1(b"\x00"))
        assert encode_update(HELLO) in outbox.take(), "readers go on"
    assert bench.store.log.append == real
    await bench.journal.flush()
    assert outbox.take() == [encode_status(b"\x01")]


async def test_a_failing_tick_ends_its_room_and_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, one, to_one = await bench.enter("bad")
    good, two, to_two = await bench.enter("good")

    def explode() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(bad.room, "drain", explode)
    bench.hub.receive(bad, one, encode_update(HELLO))
    bench.hub.receive(good, two, encode_update(HELLO))
    bench.hub.receive(good, two, encode_status(b"\x01"))
    await settled(bench)
    assert isinstance(to_one.closed, StorageUnavailable)
    assert to_two.take() == [encode_status(b"\x01")]
    assert bench.hub.counters.tick_failures == 1
    assert (await bench.hub.open("bad")).room is not bad.room


async def test_deletion_ends_the_room_its_sessions_and_its_waiters(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    await settled(bench)
    waiter = asyncio.create_task(bench.hub.beyond(slot, slot.room.ledger.seq, 30.0))
    await asyncio.sleep(0)
    await bench.store.catalog.set_deleted("doc", True)
    bench.hub.evict("doc", Gone())
    assert isinstance(outbox.closed, Gone)
    with pytest.raises(Gone):
        await waiter
    with pytest.raises(Gone):
        await bench.hub.open("doc")


async def test_an_append_to_a_document_deleted_meanwhile_ends_the_room(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    await settled(bench)
    await bench.store.catalog.set_deleted("doc", True)
    bench.hub.receive(slot, session, encode_update(typed(1, 5, "!")))
    bench.hub.receive(slot, session, encode_status(b"\x09"))
    await settled(bench)
    assert isinstance(outbox.closed, Gone)
    assert encode_status(b"\x09") not in outbox.take()


async def test_a_long_poll_is_answered_by_the_commit(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    waiter = asyncio.create_task(bench.hub.beyond(slot, 0, 30.0))
    await asyncio.sleep(0)
    bench.hub.receive(slot, session, encode_update(HELLO))
    assert await waiter == 1


async def test_empty_rooms_leave_by_idle_time_and_by_the_byte_budget(bench: Bench) -> None:
    now = asyncio.get_running_loop().time()
    for name in ("old", "young", "used"):
        slot, session, _ = await bench.enter(name)
        bench.hub.receive(slot, session, encode_update(typed(1, 0, name + "x" * 100)))
        await settled(bench)
        if name != "used":
            bench.hub.leave(slot, session)
    bench.hub.slots["old"].used_at = now - 10
    await bench.upkeep.once(now)
    assert set(bench.hub.slots) == {"young", "used"}
    slot = bench.hub.slots["used"]
    await bench.hub.submit(slot, typed(2, 0, "y" * 2000), "rest")
    await bench.upkeep.once(now)
    assert set(bench.hub.slots) == {"used"}, "over the budget the least recently used empty room goes, never a live one"


async def test_a_room_with_unsaved_edits_is_never_unloaded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(batch: object) -> object:
        raise StorageUnavailable

    slot, session, _ = await bench.enter()
    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "append", never)
        bench.hub.receive(slot, session, encode_update(HELLO))
        bench.hub.leave(slot, session)
        await bench.upkeep.once(asyncio.get_running_loop().time() + 600)  # before its tick
        await asyncio.sleep(0)
        await bench.upkeep.once(asyncio.get_running_loop().time() + 600)  # while its commit fails
        assert bench.hub.slots["doc"] is slot
    await bench.journal.flush()
    assert len(await bench.store.log.read("doc", 0, 10)) == 1


async def test_quiet_sockets_get_a_frame_inside_the_watchdog_of_their_client(bench: Bench) -> None:
    _, _, outbox = await bench.enter()
    now = asyncio.get_running_loop().time()
    await bench.upkeep.once(now + 16)
    assert outbox.take() == [KEEPALIVE]
    await bench.upkeep.once(now + 20)
    assert outbox.take() == []
    await bench.upkeep.once(now + 32)
    assert outbox.take() == [KEEPALIVE]


async def test_peers_without_a_sign_of_life_are_pinged_and_then_closed(bench: Bench) -> None:
    _, _, outbox = await bench.enter()
    now = asyncio.get_running_loop().time()
    for step in range(1, 6):
        await bench.upkeep.once(now + 20 * step)
    assert outbox.pings == 2
    assert isinstance(outbox.closed, SlowReader)


async def test_upkeeps_look_round_does_not_take_an_answer_from_a_contest(bench: Bench) -> None:
    slot, owner, to_owner = await bench.enter()
    _, clone, to_clone = await bench.enter()
    bench.hub.receive(slot, owner, encode_update(typed(1, 0, "x")))
    bench.hub.receive(slot, clone, encode_update(typed(1, 1, "y")))
    assert to_owner.pings == 1
    to_owner.answered = to_owner.heard = True  # the pong
    await bench.upkeep.once(asyncio.get_running_loop().time() + 20)
    assert not to_owner.heard
    slot.room.contests.decide(asyncio.get_running_loop().time())
    assert isinstance(to_clone.closed, AuthorIdInUse)
    assert to_owner.closed is None


async def test_a_reader_that_stays_stuck_is_told_to_come_back(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.pause(slot, session)
    now = asyncio.get_running_loop().time()
    await bench.upkeep.once(now + 10)
    assert outbox.closed is None
    await bench.upkeep.once(now + 40)
    assert isinstance(outbox.closed, SlowReader)


async def test_draining_refuses_new_rooms_closes_sockets_and_keeps_every_edit(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    await bench.upkeep.drain()
    assert isinstance(outbox.closed, Draining)
    with pytest.raises(Draining):
        await bench.hub.open("other")
    await bench.journal.flush()
    assert len(await bench.store.log.read("doc", 0, 10)) == 1


async def test_a_stored_checkpoint_becomes_the_base_of_the_open_room(bench: Bench) -> None:
    slot, session, outbox = await bench.enter()
    bench.hub.receive(slot, session, encode_update(HELLO))
    for clock in range(5, 10):
        bench.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
        await settled(bench)

    async def fold_here(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        state = fold(base, updates)
        return state, build(state)

    checkpointer = Checkpointer(bench.store.log, fold_here, on_folded=bench.hub.rebase)
    await checkpointer.fold("doc")
    bench.hub.receive(slot, session, encode_update(typed(1, 10, "after")))
    await settled(bench)
    history = slot.room.history
    assert history.base_seq == 6
    assert [item.update for item in history.tail] == [typed(1, 10, "after")]
    bench.hub.receive(slot, session, encode_step1(b"\x00"))
    update, tail, end = outbox.take()
    assert check(decode(update)[1]).runs == ((1, 0, 10),)
    assert (tail, end) == (encode_update(typed(1, 10, "after")), encode_step2(b"\x00\x00"))
    await checkpointer.close()


async def test_a_room_reopened_while_its_commits_are_under_way_has_them(bench: Bench) -> None:
    log = FlakyLog(bench.store.log)
    bench.journal._log = log
    slot, session, _ = await bench.enter()
    log.open.clear()
    bench.hub.receive(slot, session, encode_update(HELLO))
    await log.begun.wait()
    bench.hub.evict("doc", StorageUnavailable())
    reopening = asyncio.create_task(bench.hub.open("doc"))
    await asyncio.sleep(0)
    log.open.set()
    again = await reopening
    assert again.room.history.clocks.next == {1: 5}
    assert again.room.ledger.seq == 1


async def test_a_document_taken_away_while_it_is_opened_is_not_opened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.hub.submit(await bench.hub.open("doc"), HELLO, "rest")
    bench.hub.slots.clear()
    real, read, go = bench.store.log.load, asyncio.Event(), asyncio.Event()

    async def slow(document: str) -> Stored | None:
        stored = await real(document)
        read.set()
        await go.wait()
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "load", slow)
        opening = asyncio.create_task(bench.hub.open("doc"))
        await read.wait()
        await bench.store.catalog.set_deleted("doc", True)
        bench.hub.evict("doc", Gone())
        go.set()
        with pytest.raises(StorageUnavailable):
            await opening
    assert "doc" not in bench.hub.slots
    with pytest.raises(Gone):
        await bench.hub.open("doc")


async def test_a_tick_that_fails_while_going_down_keeps_the_edits_of_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, one, _ = await bench.enter("bad")
    good, two, _ = await bench.enter("good")

    def explode() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(bad.room, "drain", explode)
    bench.hub.receive(bad, one, encode_update(HELLO))
    bench.hub.receive(good, two, encode_update(HELLO))
    await bench.upkeep.drain()
    await bench.journal.flush()
    assert len(await bench.store.log.read("good", 0, 10)) == 1


async def test_a_tick_that_fails_under_an_edit_by_rest_ends_the_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, session, outbox = await bench.enter()

    def explode() -> None:
        raise RuntimeError("boom")

    async def make(parts: list[bytes], client: int) -> bytes:
        return typed(client, 0, "x")

    monkeypatch.setattr(slot.room, "drain", explode)
    bench.hub.receive(slot, session, encode_update(HELLO))
    with pytest.raises(StorageUnavailable):
        await bench.hub.edit(slot, "rest", make)
    assert isinstance(outbox.closed, StorageUnavailable), "what was gathered is in no commit: its ledger counts wrong"


async def test_a_write_by_rest_is_refused_while_too_much_waits_and_takes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await bench.hub.open("doc")
    monkeypatch.setattr(bench.journal, "_waiting_bytes_max", 0)
    with pytest.raises(Overloaded):
        await bench.hub.submit(slot, HELLO, "rest")
    assert slot.room.history.clocks.next == {}


async def test_upkeep_goes_on_after_a_round_that_failed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = 0
    done = asyncio.Event()

    async def failing(now: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            done.set()
        raise RuntimeError("boom")

    monkeypatch.setattr("collab.upkeep.EVERY_S", 0.0)
    monkeypatch.setattr(bench.upkeep, "once", failing)
    running = asyncio.create_task(bench.upkeep.run())
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    running.cancel()


async def test_a_long_log_is_folded_before_it_is_read_into_a_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fold_here(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        state = fold(base, updates)
        return state, build(state)

    slot = await bench.hub.open("doc")
    for clock in range(12):
        await bench.hub.submit(slot, typed(1, clock, "x"), "rest")
    bench.hub.release(slot)
    await bench.upkeep.once(asyncio.get_running_loop().time() + 60)
    checkpointer = Checkpointer(bench.store.log, fold_here, on_folded=bench.hub.rebase)
    monkeypatch.setattr("collab.opening.LONG", 10)
    monkeypatch.setattr(bench.hub._opener, "_shorten", checkpointer.shorten)
    history = (await bench.hub.open("doc")).room.history
    assert (history.base_seq, history.tail) == (12, [])
    assert history.clocks.next == {1: 12}
    await checkpointer.close()


async def test_a_long_log_that_cannot_be_folded_is_read_as_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dead(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        raise EngineUnavailable

    slot = await bench.hub.open("doc")
    for clock in range(12):
        await bench.hub.submit(slot, typed(1, clock, "x"), "rest")
    bench.hub.release(slot)
    await bench.upkeep.once(asyncio.get_running_loop().time() + 60)
    checkpointer = Checkpointer(bench.store.log, dead)
    monkeypatch.setattr("collab.opening.LONG", 10)
    monkeypatch.setattr("collab.opening.BREATH", 5)
    monkeypatch.setattr(bench.hub._opener, "_shorten", checkpointer.shorten)
    assert len((await bench.hub.open("doc")).room.history.tail) == 12
    await checkpointer.close()


async def test_a_document_that_the_engine_cannot_look_at_now_is_not_opened_with_half_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers are busy, say: that tells nothing of the bytes, which passed the gate when they came in."""

    async def busy(update: bytes, stored: bool = False) -> Checked:
        raise EngineUnavailable

    slot = await bench.hub.open("doc")
    await bench.hub.submit(slot, HELLO, "rest")
    await bench.hub.submit(slot, typed(2, 0, "x" * 10_000), "rest")
    bench.hub.release(slot)
    await bench.upkeep.once(asyncio.get_running_loop().time() + 60)
    with monkeypatch.context() as patch:
        patch.setattr(bench.hub._opener._inspector, "check", busy)
        with pytest.raises(EngineUnavailable):
            await bench.hub.open("doc")
    room = (await bench.hub.open("doc")).room
    assert (room.history.clocks.next, room.read_only) == ({1: 5, 2: 10_000}, None)


async def test_many_updates_in_few_rows_are_folded_as_soon_as_they_are_dear_to_load(bench: Bench) -> None:
    considered: list[tuple[str, int, int, int]] = []

    class Listening(Checkpointer):
        def consider(self, document: str, tail_rows: int, tail_bytes: int, base_bytes: int) -> None:
            considered.append((document, tail_rows, tail_bytes, base_bytes))

    async def never(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        raise AssertionError

    slot, session, _ = await bench.enter()
    for clock in range(40):
        bench.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
    await settled(bench)
    consider(Listening(bench.store.log, never), slot)
    assert len(slot.room.history.tail) == 1
    assert considered == [("doc", 40 // UPDATES_PER_ROW, slot.room.history.tail_bytes, 0)]


async def test_writers_who_gave_up_waiting_leave_nothing_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(batch: object) -> object:
        raise StorageUnavailable

    slot = await bench.hub.open("doc")
    bench.hub.settings = replace(bench.hub.settings, commit_wait_s=0.001)
    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "append", never)
        for _ in range(3):
            with pytest.raises(StorageUnavailable):
                await bench.hub.submit(slot, HELLO, "rest")
        assert (slot.room.ledger.waiting, slot.waiting) == (0, 0)
    await bench.journal.flush()
    assert slot.room.ledger.seq == 1


async def test_an_edit_that_changes_nothing_is_answered_when_what_it_found_is_on_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such is a call that is tried again because its commit took too long: the room has it, the disk has not."""

    async def away(batch: object) -> object:
        raise StorageUnavailable

    async def write(parts: list[bytes], client: int) -> bytes | None:
        return None if parts else HELLO

    slot = await bench.hub.open("doc")
    with monkeypatch.context() as patch:
        patch.setattr(bench.store.log, "append", away)
        bench.hub.settings = replace(bench.hub.settings, commit_wait_s=0.001)
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await bench.hub.edit(slot, "ada", write)
    bench.hub.settings = replace(bench.hub.settings, commit_wait_s=PATIENCE_S)
    assert await bench.hub.edit(slot, "ada", write) == (1, False)
    assert (await bench.store.log.heads(["doc"]))["doc"].seq == 1


async def test_who_made_a_document_is_told_even_if_its_lineage_was_read_before_the_commit_was_heard_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(bench.hub, "_on_born", lambda document, author: told.append((document, author)))
    slot, session, _ = await bench.enter()
    real = bench.store.log.append

    async def read_meanwhile(batch: Sequence[Append]) -> Sequence[Appended]:
        done = await real(batch)
        slot.room.lineage = (await bench.store.log.heads(["doc"]))["doc"].lineage
        return done

    monkeypatch.setattr(bench.store.log, "append", read_meanwhile)
    for clock in range(2):
        bench.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
        await settled(bench)
    assert told == [("doc", "ada")]


async def test_an_unloaded_room_is_freed_at_once(bench: Bench) -> None:
    """By its reference count: the collector, which is held back, would come by after tens of thousands of rooms."""
    slot, session, _ = await bench.enter()
    bench.hub.receive(slot, session, encode_step1(b"\x00"))
    for clock, letters in enumerate(["a"] * 9):
        bench.hub.receive(slot, session, encode_update(typed(1, clock, letters)))
    await settled(bench)
    bench.hub.leave(slot, session)
    room = weakref.ref(slot.room)
    gc.disable()
    try:
        bench.hub.unload(slot)
        assert bench.hub.slots == {}
        del slot, session
        assert room() is None, [type(holder) for holder in gc.get_referrers(room())]
    finally:
        gc.enable()


async def test_who_waits_for_a_tick_that_is_spaced_does_not_linger_behind_a_commit_before_it(bench: Bench) -> None:
    """A hurry before the tick has handed the update over let others' commit go at once, and this one linger."""
    flaky = bench.journal._log = FlakyLog(bench.store.log)  # type: ignore[assignment]
    bench.journal._linger_s = lambda: 3600.0
    slot, other = await bench.hub.open("doc"), await bench.hub.open("other")
    first = asyncio.create_task(bench.hub.submit(other, typed(1, 0, "a"), "ada"))
    assert await asyncio.wait_for(first, PATIENCE_S) == 1
    slot.rests_until = asyncio.get_running_loop().time() + 0.02  # as after a dear tick
    _, session, _ = await bench.enter("other")
    bench.hub.receive(other, session, encode_update(typed(2, 0, "b")))
    commits = len(flaky.tried)
    waiting = asyncio.create_task(bench.hub.submit(slot, typed(1, 0, "c"), "ada"))
    assert await asyncio.wait_for(waiting, PATIENCE_S) == 1
    assert len(flaky.tried) == commits + 1, "both in one"


async def test_a_commit_that_cannot_be_told_ends_its_room_and_whoever_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, _, outbox = await bench.enter()

    def explode(first_seq: int, last_seq: int) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(slot.room, "committed", explode)
    with pytest.raises(StorageUnavailable, match="restarted"):
        await asyncio.wait_for(bench.hub.submit(slot, HELLO, "ada"), PATIENCE_S)
    assert isinstance(outbox.closed, StorageUnavailable)
    assert bench.hub.counters.tick_failures == 1
    assert (await bench.hub.open("doc")).room.history.clocks.next == {1: 5}, "it is stored all the same"


async def test_a_socket_that_cannot_be_closed_keeps_nobody_else_open(bench: Bench) -> None:
    slot, _, broken = await bench.enter()
    _, _, outbox = await bench.enter()

    def close(error: CollabError) -> None:
        raise RuntimeError("boom")

    broken.close = close  # type: ignore[method-assign]
    waiter = asyncio.create_task(bench.hub.beyond(slot, 0, 30.0))
    await asyncio.sleep(0)
    bench.hub.evict("doc", Gone())
    assert isinstance(outbox.closed, Gone)
    with pytest.raises(Gone):
        await waiter
