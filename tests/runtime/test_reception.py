"""Large frames are looked at elsewhere, in order; what a session costs is charged to it and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from collab.core.session import Session
from collab.crdt.checked import Checked
from collab.crdt.gate import check
from collab.crdt.index import build
from collab.errors import BadUpdate, CollabError, RateLimited, TooLarge
from collab.inspection import PAUSE_S_MAX, Inline
from collab.limits import Limits
from collab.protocol.messages import (
    Kind,
    decode,
    encode_awareness,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.store.base import Checkpoint
from collab.types import Access, Principal
from tests.fakes import Recorder
from tests.patience import PATIENCE_S
from tests.runtime.conftest import Bench
from tests.updates import deleted, typed, typed_after, vector

LARGE = "x" * 10_000


class Slow(Inline):
    """An inspector that waits until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.go = asyncio.Event()
        self.asked: list[int] = []

    async def check(self, update: bytes, stored: bool = False) -> Checked:
        self.asked.append(len(update))
        await self.go.wait()
        return await super().check(update, stored)


@pytest.fixture
def slow(bench: Bench) -> Slow:
    made = Slow()
    bench.hub.reception.inspection.inspector = made
    return made


async def until(holds: Callable[[], object]) -> None:
    """Lets the loop run until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0)


def told(outbox: Recorder) -> list[tuple[Kind, bytes]]:
    return [decode(message) for message in outbox.take()]


async def test_frames_of_one_session_keep_their_order_and_others_do_not_wait(bench: Bench, slow: Slow) -> None:
    slot, writer, mine = await bench.enter()
    _, other, _ = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, LARGE)))
    bench.hub.receive(slot, writer, encode_update(typed(1, 10_000, "!")))
    bench.hub.receive(slot, writer, encode_status(b"\x07"))
    assert mine.holding
    bench.hub.receive(slot, other, encode_update(typed(2, 0, "quick")))
    await until(lambda: slot.room.history.clocks.next.get(2) == 5)
    assert 1 not in slot.room.history.clocks.next
    assert not [kind for kind, _ in told(mine) if kind is Kind.STATUS]
    slow.go.set()
    await until(lambda: (Kind.STATUS, b"\x07") in told(mine))
    assert slot.room.history.clocks.next[1] == 10_001
    assert not mine.holding and writer.aside is None
    assert slot.room.history.tail[-1].seq is not None


async def test_a_bad_large_frame_ends_its_session_and_nothing_behind_it_is_taken(bench: Bench) -> None:
    slot, writer, mine = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, LARGE) + b"\x00"))
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "a")))
    await until(lambda: mine.closed)
    assert isinstance(mine.closed, BadUpdate)
    assert slot.room.history.clocks.next == {}
    assert slot.pins == 1


async def test_what_was_sent_before_hanging_up_is_taken(bench: Bench, slow: Slow) -> None:
    slot, writer, _ = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, LARGE)))
    bench.hub.leave(slot, writer)
    assert slot.pins == 1, "the room stays for it"
    slow.go.set()
    await until(lambda: slot.room.history.clocks.next.get(1) == 10_000)
    await until(lambda: slot.pins == 0)


@pytest.mark.parametrize("access", [Access.READ, Access.NONE])
async def test_a_permission_taken_back_meanwhile_counts(bench: Bench, slow: Slow, access: Access) -> None:
    slot, writer, _ = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, LARGE)))
    writer.access = access
    if access is Access.NONE:
        bench.hub.leave(slot, writer)
    slow.go.set()
    await until(lambda: writer.aside is None)
    assert slot.room.history.clocks.next == {}
    assert writer.refused is (access is Access.READ)


async def test_a_large_update_ahead_of_its_dependencies_is_held_and_taken_when_they_come(bench: Bench) -> None:
    slot, writer, mine = await bench.enter()
    _, other, _ = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed_after(1, 0, LARGE, (2, 2))))
    bench.hub.receive(slot, writer, encode_status(b"\x07"))
    await until(lambda: writer.held == 1)
    assert not [kind for kind, _ in told(mine) if kind is Kind.STATUS]
    bench.hub.receive(slot, other, encode_update(typed(2, 0, "abc")))
    await until(lambda: (Kind.STATUS, b"\x07") in told(mine))
    assert slot.room.history.clocks.next == {1: 10_000, 2: 3}


async def test_what_is_still_not_ready_when_something_it_waited_for_comes_waits_on(bench: Bench) -> None:
    slot, writer, mine = await bench.enter()
    _, other, _ = await bench.enter()
    two = b"\x02" + typed_after(1, 0, LARGE, (2, 2))[1:-1] + typed_after(4, 0, "y", (3, 0))[1:]
    bench.hub.receive(slot, writer, encode_step2(two))
    bench.hub.receive(slot, writer, encode_status(b"\x07"))
    await until(lambda: writer.held == 1)
    bench.hub.receive(slot, other, encode_update(typed(3, 0, "z")))
    await until(lambda: slot.room.history.clocks.next.get(4) == 1)
    assert writer.held == 1 and not [kind for kind, _ in told(mine) if kind is Kind.STATUS]
    bench.hub.receive(slot, other, encode_update(typed(2, 0, "abc")))
    await until(lambda: (Kind.STATUS, b"\x07") in told(mine))
    assert slot.room.history.clocks.next == {1: 10_000, 2: 3, 3: 1, 4: 1}


async def test_what_a_large_update_brings_of_a_live_others_id_is_held_and_the_rest_taken(bench: Bench) -> None:
    slot, owner, _ = await bench.enter()
    _, relay, _ = await bench.enter()
    bench.hub.receive(slot, owner, encode_update(typed(1, 0, "mine")))
    both = b"\x02" + typed(9, 0, LARGE)[1:-1] + typed(1, 4, "forged")[1:]
    bench.hub.receive(slot, relay, encode_step2(both))
    await until(lambda: slot.room.history.clocks.next.get(9) == 10_000)
    await until(lambda: slot.room.authors.contests)
    assert slot.room.history.clocks.next[1] == 4


async def test_what_a_large_update_brings_of_an_id_that_is_free_by_then_is_taken(bench: Bench) -> None:
    """Its owner hangs up while a child cuts out what is the owner's: nobody is left to wait for."""

    class Cutting(Inline):
        async def without(self, update: Checked, clients: set[int]) -> Checked | None:
            if owner in slot.room.sessions:
                bench.hub.leave(slot, owner)
            return await super().without(update, clients)

    bench.hub.reception.inspection.inspector = Cutting(Limits())
    slot, owner, _ = await bench.enter()
    _, relay, outbox = await bench.enter()
    bench.hub.receive(slot, owner, encode_update(typed(1, 0, "mine")))
    both = b"\x02" + typed(9, 0, LARGE)[1:-1] + typed(1, 4, "passed on")[1:]
    bench.hub.receive(slot, relay, encode_step2(both))
    bench.hub.receive(slot, relay, encode_status(b"\x07"))
    await until(lambda: (Kind.STATUS, b"\x07") in told(outbox))
    assert slot.room.history.clocks.next == {1: 13, 9: 10_000}


async def test_a_large_state_vector_is_answered(bench: Bench) -> None:
    slot, writer, mine = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "hello")))
    await until(lambda: slot.room.history.tail)
    mine.take()
    bench.hub.receive(slot, writer, encode_step1(vector(dict.fromkeys(range(10, 3000), 1))))
    await until(lambda: [body for kind, body in told(mine) if kind is Kind.STEP2])


async def test_work_above_its_share_is_paid_by_the_socket_that_caused_it(bench: Bench) -> None:
    slot, writer, mine = await bench.enter()
    _, other, _ = await bench.enter()
    now = asyncio.get_running_loop().time()
    writer.allowance.work.take(now, 0.65)
    bench.hub.reception._limits = Limits(work_counts_s=0.0)
    bench.hub.receive(slot, writer, encode_step1(b"\x00"))
    assert mine.holding
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "a")))
    assert slot.room.history.clocks.next == {}, "not even what was read already"
    assert bench.hub.receive(slot, other, encode_update(typed(2, 0, "a"))) == 0.0


async def test_cheap_frames_are_never_counted_as_work(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    before = writer.allowance.work.debt_s(0.0)
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "a")))
    assert writer.allowance.work.is_full(asyncio.get_running_loop().time())
    assert before == 0.0


async def test_a_rest_writer_whose_large_updates_cost_too_much_is_told_when_to_come_back(bench: Bench) -> None:
    slot, _, _ = await bench.enter()
    now = asyncio.get_running_loop().time()
    bench.hub.reception.allowances.of("ada", now).work.take(now, 1.0)
    with pytest.raises(RateLimited) as refusal:
        await bench.hub.submit(slot, typed(1, 0, LARGE), "ada")
    assert refusal.value.extra["retry_after_s"] == pytest.approx(75, abs=2)
    assert await bench.hub.submit(slot, typed(1, 0, "small"), "ada") == 1
    assert await bench.hub.submit(slot, typed(2, 0, LARGE), "bob") == 2


async def test_frames_cost_bytes(bench: Bench) -> None:
    bench.hub.reception._limits = Limits()
    slot, writer, mine = await bench.enter()
    now = asyncio.get_running_loop().time()
    writer.allowance.bytes.take(now, 84 * 1024 * 1024)
    assert bench.hub.receive(slot, writer, encode_update(typed(1, 0, "x" * 2_000))) == PAUSE_S_MAX
    assert (Kind.IGNORED, b"") in told(mine), "it is told why"
    writer.allowance.bytes.take(now, 60 * 1024 * 1024)
    with pytest.raises(RateLimited):
        bench.hub.receive(slot, writer, encode_update(typed(1, 2_000, "x" * 2_000)))


@pytest.mark.parametrize("way", ["typing", "presence", "questions"])
async def test_who_sends_too_many_frames_is_slowed_then_told_then_ended(
    bench: Bench, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.reception.monotonic", lambda: 1_000.0)  # they come in no time
    slot, _, _ = await bench.enter()
    outbox = Recorder()
    hasty = Session("hasty", Principal(id="ada"), Access.WRITE, outbox, Limits(frames_per_s=0.5, frames_burst=8))
    await bench.hub.open("doc")
    bench.hub.join(slot, hasty)
    frames = {
        "typing": lambda number: encode_update(typed(1, number, "x")),
        "presence": lambda number: encode_awareness(b"\x00"),
        "questions": lambda number: encode_status(b"\x07"),
    }
    course: list[tuple[bool, bool]] = []
    with pytest.raises(RateLimited) as refusal:
        for number in range(100):
            paused = bench.hub.receive(slot, hasty, frames[way](number)) > 0.0
            course.append((paused, hasty.told_slow))
    assert refusal.value.close_code == 4529
    assert course == [(False, False)] * 8 + [(True, False)] * 2 + [(True, True)] * (len(course) - 10)
    denied = [message for message in outbox.take() if message[:2] == b"\x02\x00"]
    assert len(denied) == 1 and b"slowed down" in denied[0], "once"
    assert len(course) == 38, "30 frames beyond the burst are a minute of debt"


async def test_nobody_fills_the_place_for_what_waits(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    _, other, _ = await bench.enter()
    share = bench.hub.limits.pending_structs_max * 3 // 4

    def flood(session: Session) -> None:
        for number in range(share + 1):
            bench.hub.receive(slot, session, encode_step2(typed_after(1_000 + number, 0, "x", (2, 99))))

    with pytest.raises(TooLarge):
        flood(writer)
    bench.hub.receive(slot, other, encode_step2(typed_after(7, 0, "x", (8, 0))))
    assert other.held == 1


async def test_a_document_takes_so_many_client_ids_and_no_more(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    slot.room.limits = Limits(document_clients_max=10)
    for client in range(10):
        bench.hub.receive(slot, writer, encode_step2(typed(client, 0, "x")))
    with pytest.raises(TooLarge):
        bench.hub.receive(slot, writer, encode_step2(typed(10, 0, "x")))
    bench.hub.receive(slot, writer, encode_step2(typed(9, 1, "y")))
    bench.hub.receive(slot, writer, encode_update(deleted(9, 0, 2)))


async def test_reconnecting_makes_no_new_client_ids(bench: Bench) -> None:
    """One user's ids are counted over all sockets."""
    allowance = bench.hub.reception.allowances.of("ada", 0.0)
    taken, error = 0, None
    while error is None:
        slot, session, _ = await bench.enter()
        session.allowance = allowance
        try:
            for _ in range(4):
                bench.hub.receive(slot, session, encode_update(typed(1_000 + taken, 0, "x")))
                taken += 1
        except CollabError as refusal:
            error = refusal
        bench.hub.leave(slot, session)
    assert isinstance(error, RateLimited)
    assert taken == bench.hub.limits.user_new_clients


async def test_a_status_payload_is_bounded(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    with pytest.raises(TooLarge):
        bench.hub.receive(slot, writer, encode_status(bytes(1_025)))


async def test_large_updates_are_not_parsed_again_for_ticks_and_joiners(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two clients each, so that merging them would have to decode them on the event loop."""
    sizes: list[int] = []

    def counted(update: bytes) -> Checked:
        sizes.append(len(update))
        return check(update)

    monkeypatch.setattr("collab.core.history.check", counted)
    monkeypatch.setattr("collab.crdt.merge.decode", lambda data: sizes.append(len(data)))
    slot, writer, _ = await bench.enter()
    large = b"\x02" + typed(9, 0, LARGE)[1:-1] + typed(8, 0, "y")[1:]
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "a")))
    bench.hub.receive(slot, writer, encode_step2(large))
    bench.hub.receive(slot, writer, encode_update(typed(1, 1, "b")))
    await until(lambda: slot.room.history.clocks.next == {1: 2, 8: 1, 9: 10_000} and not slot.room.dirty)
    _, reader, shown = await bench.enter()
    bench.hub.receive(slot, reader, encode_step1(b"\x00"))
    assert large in [body for _, body in told(shown)]
    assert all(size < 100 for size in sizes)


async def test_small_frames_that_say_they_are_dear_are_checked_elsewhere(bench: Bench, slow: Slow) -> None:
    slot, writer, mine = await bench.enter()
    structs = b"\x01\xd0\x0f\x07\x00" + b"\x00\x01" * 2_000 + b"\x00"
    clients = b"\xc8\x01" + b"".join(typed(client, 0, "xxxx")[1:-1] for client in range(1_000, 1_200)) + b"\x00"
    bench.hub.receive(slot, writer, encode_update(structs))
    await until(lambda: slow.asked == [len(structs)])
    assert mine.holding and slot.room.history.clocks.next == {}
    slow.go.set()
    await until(lambda: slot.room.history.clocks.next == {7: 2_000})
    bench.hub.receive(slot, writer, encode_step2(clients))
    await until(lambda: len(slot.room.history.clocks.next) == 201)
    assert slow.asked == [len(structs), len(clients)]


async def test_a_paste_of_some_kilobytes_is_checked_at_once(bench: Bench, slow: Slow) -> None:
    slot, writer, _ = await bench.enter()
    bench.hub.receive(slot, writer, encode_update(typed(1, 0, "x" * 3_000)))
    assert slot.room.history.clocks.next == {1: 3_000}
    bench.hub.receive(slot, writer, encode_update(deleted(1, 0, 10)))
    assert not slow.asked


async def test_structs_that_a_child_has_checked_are_charged(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    now = asyncio.get_running_loop().time()
    structs = b"\x01\xd0\x0f\x07\x00" + b"\x00\x01" * 2_000 + b"\x00"
    writer.allowance.work.take(now, bench.hub.limits.work_burst_s)
    bench.hub.receive(slot, writer, encode_update(structs))
    await until(lambda: slot.room.history.clocks.next == {7: 2_000})
    await until(lambda: writer.allowance.work.debt_s(now) >= 2_000 * bench.hub.limits.work_s_per_struct / 0.01)


async def test_a_base_of_thousands_of_clients_is_taken_in_steps(bench: Bench) -> None:
    slot, writer, _ = await bench.enter()
    for client in range(1_000, 1_500):
        bench.hub.receive(slot, writer, encode_step2(typed(client, 0, "x")))
    await bench.journal.flush()
    await until(lambda: slot.room.ledger.seq == 500)
    state = slot.room.state()
    bench.hub.rebase("doc", slot.room.lineage, Checkpoint(500, state, build(state)))
    assert slot.room.history.base is None, "not at once"
    await until(lambda: slot.room.history.base == state)
    assert slot.room.history.tail == [] and bench.hub.counters.folds == 1
