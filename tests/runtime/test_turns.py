"""Dear work is done one slice a turn; those who bring much of it and those who bring little take turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace

import pytest

from collab.core.authors import OWNED_MAX
from collab.core.history import JOINED_AT_ONCE, MISSED_AT_ONCE
from collab.crdt.checked import Checked
from collab.crdt.clocks import AT_ONCE, Clocks, _chunks, is_long
from collab.crdt.diff import PARTS_AT_ONCE, _run, diff
from collab.crdt.gate import check, check_state_vector
from collab.crdt.ids import IdRanges, Range
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from collab.errors import LineageRetired
from collab.gaps import CHECKED_AT_ONCE
from collab.limits import Limits
from collab.protocol.messages import Kind, decode, encode_step1, encode_step2, encode_update
from collab.protocol.varint import write_varbytes, write_varuint
from collab.slot import Slot
from collab.sockets.backlog import GATHERED_SLICES, SLICE_BYTES, Backlog
from collab.turns import Turns
from tests.patience import PATIENCE_S
from tests.runtime.conftest import Bench
from tests.runtime.pairs import Pair, until
from tests.updates import typed, vector


class Flooder:
    """A connection that notes what is looked at, and when it may be read again."""

    def __init__(self, name: str, seen: list[str], turns: Turns) -> None:
        self.is_over = False
        self.is_resting = False
        self.is_inside = False
        self.is_arriving = False
        self.reads = 0
        self.backlog = Backlog(self, turns)
        self.sizes: list[int] = []
        self._name = name
        self._seen = seen

    def feed(self, data: memoryview) -> bool:
        self._seen.append(self._name)
        self.sizes.append(len(data))
        return self.is_inside

    def read_more(self) -> None:
        self.reads += 1


async def loop_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_flood_gets_one_slice_a_turn_and_so_does_everybody_else() -> None:
    turns, seen = Turns(), list[str]()
    flood, drop = Flooder("flood", seen, turns), Flooder("drop", seen, turns)
    flood.backlog.put(bytes(10 * SLICE_BYTES))
    flood.backlog.take()
    drop.backlog.put(b"x")
    drop.backlog.take()
    await loop_turns(1)
    assert seen == ["flood"]
    await loop_turns(1)
    assert seen == ["flood", "drop"]
    assert drop.reads == 1 and flood.reads == 0
    await loop_turns(20)
    assert flood.sizes == [SLICE_BYTES] * 10
    assert flood.reads == 1 and not len(turns)


async def test_a_part_of_one_large_frame_is_gathered_in_fewer_turns_until_something_must_be_looked_at() -> None:
    turns = Turns()
    large = Flooder("large", [], turns)
    large.is_inside = True
    large.backlog.put(bytes((2 * GATHERED_SLICES + 10) * SLICE_BYTES))
    large.backlog.take()
    await loop_turns(1)
    assert large.sizes == [SLICE_BYTES] * GATHERED_SLICES
    await loop_turns(1)
    large.is_inside = False  # the frame has ended
    await loop_turns(1)
    assert len(large.sizes) == 2 * GATHERED_SLICES + 1
    await loop_turns(20)
    assert large.sizes == [SLICE_BYTES] * (2 * GATHERED_SLICES + 10) and large.reads == 1


@pytest.mark.parametrize("is_arriving", [False, True])
async def test_gathering_a_large_frame_is_left_out_of_what_spaces_ticks(
    is_arriving: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, clock = Turns(), iter(range(100))
    monkeypatch.setattr("collab.sockets.backlog.thread_time", lambda: float(next(clock)))
    sender = Flooder("sender", [], turns)
    sender.is_arriving = is_arriving
    sender.backlog.put(bytes(2 * SLICE_BYTES))
    sender.backlog.take()
    await loop_turns(5)
    assert sender.reads == 1 and turns.spent_s == (2.0 if is_arriving else 0.0)


async def test_a_resting_connection_waits_in_nobodys_way() -> None:
    turns, seen = Turns(), list[str]()
    slow = Flooder("slow", seen, turns)
    slow.is_resting = True
    slow.backlog.put(bytes(2 * SLICE_BYTES))
    slow.backlog.take()
    await loop_turns(5)
    assert seen == [] and not len(turns) and slow.reads == 0
    slow.is_resting = False
    slow.backlog.take()
    slow.backlog.take()
    await loop_turns(5)
    assert slow.sizes == [SLICE_BYTES] * 2 and slow.reads == 1


async def test_what_a_connection_that_is_over_has_sent_is_dropped_unseen() -> None:
    turns, seen = Turns(), list[str]()
    gone = Flooder("gone", seen, turns)
    gone.backlog.put(bytes(10 * SLICE_BYTES))
    gone.backlog.take()
    await loop_turns(2)
    gone.is_over = True
    await loop_turns(2)
    assert len(seen) <= 2 and gone.backlog.deaf and gone.reads == 1


async def test_a_slice_that_fails_stops_no_other() -> None:
    turns, done = Turns(), list[int]()
    turns.call(lambda: done.append(1 // 0))
    turns.call(lambda: done.append(1))
    await turns.wait()
    assert done == [1]


async def test_who_no_longer_waits_for_a_turn_holds_up_nobody() -> None:
    turns = Turns()
    waiting = asyncio.create_task(turns.wait())
    await loop_turns(1)
    waiting.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await turns.wait()


async def test_the_time_of_steps_is_counted_and_left_out_of_what_spaces_ticks(bench: Bench) -> None:
    turns, clock = bench.hub.turns, iter(range(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.turns.thread_time", lambda: float(next(clock)))
        assert await turns.steps(iter((None, None, "made"))) == "made"
        assert turns.spent_s == 3.0
        await turns.through(iter((None, None)))
        assert turns.spent_s == 6.0, "the step that finds that there is no more is one, too"
        patch.setattr("collab.pace.time", SimpleNamespace(monotonic=lambda: 0.0, process_time=lambda: 10.0))
        assert bench.hub.pace._spent_s() == 4.0


RANGES = 20_000


@contextmanager
def _watched() -> Iterator[Callable[[], int]]:
    """How many runs and deletions were looked at so far; none of a long update may be asked at once."""
    looked_at, lacks = 0, Clocks._lacks

    def counted(ranges: Sequence[Range]) -> Iterator[Sequence[Range]]:
        nonlocal looked_at
        for some in _chunks(ranges):
            looked_at += len(some)
            yield some

    def not_at_once(self: Clocks, update: Checked) -> bool:
        assert not is_long(update)
        return lacks(self, update)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.clocks._chunks", counted)
        patch.setattr(Clocks, "_lacks", not_at_once)
        yield lambda: looked_at


def _deleting(client: int, ranges: int) -> bytes:
    """Text of one client, and a deletion of every other character of it."""
    text = b"\x01\x01" + write_varuint(client) + b"\x00\x04\x01\x01t" + write_varbytes(b"x" * 2 * ranges)
    each = b"".join(write_varuint(2 * at) + b"\x01" for at in range(ranges))
    return text + b"\x01" + write_varuint(client) + write_varuint(ranges) + each


async def _by_turn(count: Callable[[], int], done: Callable[[], object]) -> list[int]:
    """What is counted, at each turn of the loop until it is done."""
    counts = [0, count()]
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # what is waited for has no event of its own
            await asyncio.sleep(0)
            counts.append(count())
    return counts


@pytest.mark.parametrize("by", ["socket", "rest", "socket that hangs up"])
async def test_very_many_deletions_are_looked_at_and_noted_some_in_each_turn(bench: Bench, by: str) -> None:
    slot, session, _ = await bench.enter()
    update, clocks = _deleting(7, RANGES), slot.room.history.clocks
    asked = 0
    covers = clocks.deleted.covers

    def counted(ranges: Sequence[Range]) -> bool:
        nonlocal asked
        asked += len(ranges)
        return covers(ranges)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdRanges, "covers", lambda _, ranges: counted(ranges))
        if by == "rest":
            work = asyncio.create_task(bench.hub.submit(slot, update, "ada"))
        else:
            bench.hub.receive(slot, session, encode_update(update))
            if by == "socket that hangs up":
                bench.hub.leave(slot, session)
            work = asyncio.create_task(asyncio.sleep(0))
        noted = await _by_turn(
            lambda: asked + len(clocks.deleted.ranges_of(7)) // 2,
            lambda: len(clocks.deleted.ranges_of(7)) == 2 * RANGES and work.done(),
        )
    await work
    assert max(later - before for before, later in pairwise(noted)) <= 2 * AT_ONCE
    assert clocks.next == {7: 2 * RANGES}
    await bench.journal.flush()
    assert slot.room.ledger.durable == slot.room.ledger.entered == 1


async def test_what_has_very_many_clients_is_asked_some_at_a_time(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    one = b"\x04\x01\x01t\x01x"
    clients = range(1_000, 1_000 + 5 * AT_ONCE)
    update = (
        write_varuint(len(clients)) + b"".join(b"\x01" + write_varuint(c) + b"\x00" + one for c in clients) + b"\x00"
    )
    turns = bench.hub.turns
    waited, wait = 0, turns.wait

    async def counted() -> None:
        nonlocal waited
        waited += 1
        await wait()

    turns.wait = counted  # type: ignore[method-assign]
    bench.hub.receive(slot, session, encode_step2(update))
    await _by_turn(lambda: 0, lambda: session.aside is None)
    assert len(slot.room.history.clocks.next) == len(clients)
    assert waited >= 1 + 2 * len(clients) // AT_ONCE, "for what it adds, and for its part of the state vector"
    assert check_state_vector(slot.room.history.clocks.encode_state_vector()) == slot.room.history.clocks.next


async def test_ids_of_a_purged_document_are_looked_for_some_in_each_turn(bench: Bench) -> None:
    """Where a document was purged: in updates by socket and by REST, and in state vectors."""
    slot, session, outbox = await bench.enter()
    slot.room.retired_authors = frozenset({999})
    waited, wait = 0, bench.hub.turns.wait

    async def counted() -> None:
        nonlocal waited
        waited += 1
        await wait()

    bench.hub.turns.wait = counted  # type: ignore[method-assign]
    clients = dict.fromkeys(range(1_000, 1_000 + 5 * AT_ONCE), 1)
    bench.hub.receive(slot, session, encode_step1(vector(clients)))
    await _by_turn(lambda: 0, lambda: session.aside is None)
    assert waited >= 5
    waited = 0
    await bench.hub.submit(slot, _deleting(7, RANGES), "ada")
    assert waited >= 3 * RANGES // AT_ONCE, "besides weighing and noting"
    bench.hub.receive(slot, session, encode_update(_deleting(999, RANGES)))
    await _by_turn(lambda: 0, lambda: outbox.closed is not None)
    assert isinstance(outbox.closed, LineageRetired) and set(slot.room.history.clocks.next) == {7}


async def test_very_many_known_ids_cost_no_claim_each(bench: Bench) -> None:
    """A connection holds few; of the rest only those are looked at that are new to the document."""
    slot, session, _ = await bench.enter()
    room, clients = slot.room, range(1_000, 1_000 + 5 * AT_ONCE)

    def writing(clock: int) -> bytes:
        return merge([typed(client, clock, "x") for client in clients])

    await bench.hub.submit(slot, writing(0), "others")
    claimed, claim = [], room.authors.claim
    room.authors.claim = lambda client, owner: claimed.append(client) or claim(client, owner)  # type: ignore[method-assign, func-returns-value]
    bench.hub.receive(slot, session, encode_update(writing(1)))
    await _by_turn(lambda: 0, lambda: session.aside is None)
    assert len(claimed) == OWNED_MAX == len(room.authors.held_here())
    assert set(room.history.clocks.next.values()) == {2}
    fresh = merge([typed(client, 2, "x") for client in clients] + [typed(client, 0, "x") for client in range(5)])
    bench.hub.receive(slot, session, encode_update(fresh))
    await _by_turn(lambda: 0, lambda: session.aside is None)
    assert set(room.history.clocks.next) == set(clients), "more new ones than a connection may bring"


async def test_very_many_deletions_that_come_ahead_are_held_and_taken_some_in_each_turn(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    _, other, _ = await bench.enter()
    clocks = slot.room.history.clocks
    text = typed(7, 0, "x" * 2 * RANGES)
    deletions = b"\x00" + _deleting(7, RANGES)[len(text) - 1 :]
    with _watched() as looked_at:
        bench.hub.receive(slot, session, encode_update(deletions))
        held = await _by_turn(looked_at, lambda: session.aside is None)
        assert len(slot.room.pending) == 1 and looked_at() >= 2 * RANGES
        bench.hub.receive(slot, other, encode_update(text))
        taken = await _by_turn(
            lambda: looked_at() + len(clocks.deleted.ranges_of(7)) // 2,
            lambda: len(clocks.deleted.ranges_of(7)) == 2 * RANGES,
        )
    assert max(later - before for before, later in pairwise([*held, *taken[1:]])) <= 2 * AT_ONCE
    await bench.journal.flush()
    assert slot.room.ledger.durable == slot.room.ledger.entered == 2


@pytest.mark.parametrize("by", ["bus", "log"])
async def test_what_another_node_committed_is_looked_at_and_noted_some_in_each_turn(pair: Pair, by: str) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.bus.held = []
    pair.one.hub.receive(slot, session, encode_update(_deleting(7, RANGES // 2)))
    await until(lambda: slot.room.ledger.seq == 1)
    clocks = other.room.history.clocks
    with _watched() as looked_at:
        if by == "bus":
            pair.one.bus.let_go()
        else:
            look = asyncio.create_task(pair.two.hub.neighbours.look())
        by_turn = await _by_turn(
            lambda: looked_at() + len(clocks.deleted.ranges_of(7)) // 2,
            lambda: len(clocks.deleted.ranges_of(7)) == RANGES,
        )
    if by == "log":
        await look
    await pair.two.hub.neighbours.gaps.fill(other)
    assert max(later - before for before, later in pairwise(by_turn)) <= 2 * AT_ONCE
    assert by_turn[-1] >= RANGES
    assert pair.two.hub.counters.rows_from_log == (0 if by == "bus" else 1)
    assert other.failed is None and other.room.ledger.seq == 1


async def test_a_long_row_of_the_log_is_checked_some_of_it_in_each_turn(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.bus.lost = True
    count = 4 * CHECKED_AT_ONCE
    for clock in range(count):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
    await until(lambda: slot.room.ledger.seq == count)
    checked: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.gaps.check", lambda update, limits: checked.append(update) or check(update, limits))
        look = asyncio.create_task(pair.two.hub.neighbours.look())
        by_turn = await _by_turn(lambda: len(checked), lambda: other.room.ledger.seq == count)
    await look
    assert by_turn[-1] == count
    assert max(later - before for before, later in pairwise(by_turn)) <= CHECKED_AT_ONCE


async def _base_of_many(bench: Bench, clients: int) -> tuple[Slot, bytes]:
    """A room whose base has so many clients, and the base."""
    one = b"\x01%b\x00\x04\x01\x01t\x01x"
    state = write_varuint(clients) + b"".join(one % write_varuint(client) for client in range(clients, 0, -1)) + b"\x00"
    slot, session, _ = await bench.enter()
    await bench.hub.submit(slot, state, "ada")
    bench.hub.leave(slot, session)
    slot.room.history.rebase(state, StateIndex.decode(build(state), state), 1)
    return slot, state


@pytest.mark.parametrize("known", [{}, {3: 1}, dict.fromkeys(range(1, 2001), 1)])
async def test_an_answer_over_a_base_of_very_many_clients_is_made_in_turns(bench: Bench, known: dict[int, int]) -> None:
    clients = 4 * PARTS_AT_ONCE
    slot, state = await _base_of_many(bench, clients)
    expected = diff(state, None, known)
    _, asking, outbox = await bench.enter()
    _, typing, _ = await bench.enter()
    looked_at: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.diff._run", lambda *args: looked_at.append(1) or _run(*args))
        bench.hub.receive(slot, asking, encode_step1(vector(known)))
        bench.hub.receive(slot, typing, encode_update(typed(9_999_999, 0, "meanwhile")))
        by_turn = await _by_turn(lambda: len(looked_at), lambda: asking.aside is None)
    if known:
        assert by_turn[-1] == clients
        assert max(later - before for before, later in pairwise(by_turn)) <= PARTS_AT_ONCE
    told = [decode(message) for message in outbox.take()]
    updates = [body for kind, body in told if kind in (Kind.UPDATE, Kind.STEP2)]
    assert (Kind.STEP2, b"\x00\x00") in told or (Kind.STEP2, state) in told
    assert typed(9_999_999, 0, "meanwhile") in updates
    assert any(IdRanges.of(check(update).runs) == IdRanges.of(check(expected).runs) for update in updates)


async def test_a_base_that_is_folded_while_an_answer_is_made_is_answered_for_anew(bench: Bench) -> None:
    clients = 4 * PARTS_AT_ONCE
    slot, state = await _base_of_many(bench, clients)
    _, asking, outbox = await bench.enter()
    bench.hub.receive(slot, asking, encode_step1(vector({1: 1})))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    newer = merge([state, typed(9_999_999, 0, "folded")])
    slot.room.history.rebase(newer, StateIndex.decode(build(newer), newer), 2)
    await _by_turn(lambda: 0, lambda: asking.aside is None)
    updates = [body for kind, body in map(decode, outbox.take()) if kind in (Kind.UPDATE, Kind.STEP2)]
    got = merge(updates)
    assert IdRanges.of(check(got).runs) == IdRanges.of(check(diff(newer, None, {1: 1})).runs)


@pytest.mark.parametrize("since", ["fold", "tail"])
async def test_what_a_slow_reader_missed_is_gathered_in_turns(bench: Bench, since: str) -> None:
    clients, edits = 4 * PARTS_AT_ONCE, 4 * MISSED_AT_ONCE
    slot, _ = await _base_of_many(bench, clients)
    _, reader, outbox = await bench.enter()
    writer = (await bench.enter())[1]
    bench.hub.pause(slot, reader)
    for clock in range(edits if since == "tail" else 1):
        bench.hub.receive(slot, writer, encode_update(typed(9_999_999, clock, "x")))
        bench.hub.tick(slot)
    state = merge([slot.room.history.base or b"", *(item.update for item in slot.room.history.tail)])
    if since == "fold":
        await bench.journal.flush()
        slot.room.history.rebase(state, StateIndex.decode(build(state), state), slot.room.ledger.seq)
    bench.hub.receive(slot, reader, encode_step1(vector({1: 1})))
    await _by_turn(lambda: 0, lambda: reader.owes_answer is not None and reader.aside is None)
    looked_at: list[int] = []
    began = asyncio.get_running_loop().time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.diff._run", lambda *args: looked_at.append(1) or _run(*args))
        patch.setattr("collab.core.history.check", lambda update: looked_at.append(1) or check(update))
        bench.hub.resume(slot, reader)
        bench.hub.receive(slot, writer, encode_update(typed(9_999_999, edits if since == "tail" else 1, "meanwhile")))
        by_turn = await _by_turn(lambda: len(looked_at), lambda: reader.behind is None)
    assert max(later - before for before, later in pairwise(by_turn)) <= max(PARTS_AT_ONCE, MISSED_AT_ONCE) + 5, (
        "and what was typed meanwhile"
    )
    assert by_turn[-1] >= clients
    shown = [body for kind, body in map(decode, outbox.take()) if kind in (Kind.UPDATE, Kind.STEP2)]
    assert shown[-1] == b"\x00\x00", "the answer that it was owed came last"
    assert (9_999_999, 0, edits + 9 if since == "tail" else 10) in check(merge(shown)).runs
    assert not reader.allowance.work.is_full(began), "it has paid for it"


async def test_a_reader_that_is_full_again_before_it_was_shown_what_it_missed_waits_on(bench: Bench) -> None:
    slot, _ = await _base_of_many(bench, 4 * PARTS_AT_ONCE)
    _, reader, outbox = await bench.enter()
    writer = (await bench.enter())[1]
    bench.hub.pause(slot, reader)
    for clock in range(2 * MISSED_AT_ONCE):
        bench.hub.receive(slot, writer, encode_update(typed(9_999_999, clock, "x")))
        bench.hub.tick(slot)
    bench.hub.resume(slot, reader)
    bench.hub.pause(slot, reader)
    await _by_turn(lambda: 0, lambda: not bench.hub.reception.inspection._tasks)
    assert reader.behind is not None and reader not in slot.room.live and outbox.take() == []
    bench.hub.resume(slot, reader)
    await _by_turn(lambda: 0, lambda: reader.behind is None)
    shown = [body for kind, body in map(decode, outbox.take()) if kind is Kind.UPDATE]
    assert check(merge(shown)).runs == ((9_999_999, 0, 2 * MISSED_AT_ONCE),)


@pytest.mark.parametrize("much", ["clients", "updates"])
async def test_a_large_document_for_rest_is_joined_elsewhere(bench: Bench, much: str) -> None:
    slot, state = await _base_of_many(bench, 4 * PARTS_AT_ONCE if much == "clients" else 2)
    size = 2 * JOINED_AT_ONCE if much == "updates" else 1
    edits = [typed(9_999_999, 0, "x" * size), typed(9_999_999, size, "y")]
    asked: list[int] = []
    inspection = bench.hub.reception.inspection
    join = inspection.inspector.join

    async def joined(base: StateIndex | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        asked.append(len(updates))
        made = await join(base, updates)
        if len(asked) == 1:  # somebody goes on typing
            await bench.hub.submit(slot, edits[1], "ada")
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection.inspector, "join", joined)
        await bench.hub.submit(slot, edits[0], "ada")
        body, seq = await inspection.state(slot.room)
        again = await inspection.state(slot.room)
        lacking, _ = await inspection.state(slot.room, vector({9_999_999: 1}))
    assert asked == ([1, 1] if much == "clients" else [1])
    assert seq == slot.room.ledger.seq == 3
    assert body == again[0] == merge([state, *edits])
    assert lacking == diff(body, None, {9_999_999: 1})


async def test_what_was_joined_with_a_base_that_was_folded_meanwhile_is_joined_anew(bench: Bench) -> None:
    slot, state = await _base_of_many(bench, 2)
    await bench.hub.submit(slot, typed(9_999_999, 0, "x" * 2 * JOINED_AT_ONCE), "ada")
    inspection, history = bench.hub.reception.inspection, slot.room.history
    join = inspection.inspector.join

    async def folded(base: StateIndex | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        made, table = await join(base, updates)
        if history.base_seq == 1:
            history.rebase(made, StateIndex.decode(table, made), 2)
            await bench.hub.submit(slot, typed(5, 0, "z" * 2 * JOINED_AT_ONCE), "ada")
        return made, table

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection.inspector, "join", folded)
        body, seq = await inspection.state(slot.room)
    assert seq == 3
    assert body == merge([state, typed(9_999_999, 0, "x" * 2 * JOINED_AT_ONCE), typed(5, 0, "z" * 2 * JOINED_AT_ONCE)])


async def test_dear_answers_are_charged(bench: Bench) -> None:
    slot, _ = await _base_of_many(bench, 4 * PARTS_AT_ONCE)
    _, asking, _ = await bench.enter()
    work = asking.allowance.work
    bench.hub.receive(slot, asking, encode_step1(vector({1: 1})))
    await _by_turn(lambda: 0, lambda: asking.aside is None)
    assert not work.is_full(asyncio.get_running_loop().time())


async def test_a_commit_of_another_node_is_checked_by_bytes_some_of_it_in_each_turn(pair: Pair) -> None:
    """60 KB of what is dearest took 25 ms of the loop at once, since each update by itself is small."""
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.bus.lost = True
    size = pair.one.hub.limits.inline_bytes_max - 40
    for clock in range(0, 15 * size, size):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, "x" * size)))
    await until(lambda: slot.room.ledger.seq == 15)
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.gaps.check", lambda update, limits: sizes.append(len(update)) or check(update, limits))
        look = asyncio.create_task(pair.two.hub.neighbours.look())
        by_turn = await _by_turn(lambda: sum(sizes), lambda: other.room.ledger.seq == 15)
    await look
    assert len(sizes) == 15
    assert max(later - before for before, later in pairwise([0, *by_turn])) <= pair.one.hub.limits.inline_bytes_max


async def test_commits_that_were_held_are_checked_by_bytes_too(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.bus.held = []
    size = pair.one.hub.limits.inline_bytes_max - 40
    for clock in range(0, 15 * size, size):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, "x" * size)))
        await pair.one.settled()
    sizes: list[int] = []

    def noted(update: bytes, limits: Limits) -> Checked:
        sizes.append(len(update))
        return check(update, limits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.gaps.check", noted)
        patch.setattr("collab.core.elsewhere.check", noted)
        pair.one.bus.let_go(lambda frames: frames[::-1])  # so that the first sets all of them free
        by_turn = await _by_turn(lambda: sum(sizes), lambda: other.room.ledger.seq == 15)
    assert max(later - before for before, later in pairwise([0, *by_turn])) <= 2 * pair.one.hub.limits.inline_bytes_max
