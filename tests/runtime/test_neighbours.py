"""Two hubs on one log: what one commits the other shows, by the bus or, when the bus forgets, from the log."""

from __future__ import annotations

import asyncio

import pytest
import uuid_utils
from structlog.testing import capture_logs

from collab.bus.base import BusFrame, Kind
from collab.core.awareness import encode_entries
from collab.crdt.checked import Checked
from collab.errors import EngineUnavailable, Gone, LineageRetired, StorageUnavailable
from collab.inspection import Inline
from collab.limits import Limits
from collab.neighbours import DEAD_S
from collab.protocol.messages import Kind as Message
from collab.protocol.messages import decode, encode_awareness, encode_update
from collab.store.base import UNBORN, Append, Entry, Stored
from collab.types import DocumentId
from tests.fakes import Recorder
from tests.patience import PATIENCE_S
from tests.runtime.pairs import Forgetful, Pair, until
from tests.updates import typed, typed_after


def shown(outbox: Recorder) -> list[bytes]:
    """The updates among the messages since the last take."""
    return [body for kind, body in map(decode, outbox.take()) if kind in (Message.UPDATE, Message.STEP2)]


def people(outbox: Recorder) -> list[bytes]:
    return [body for kind, body in map(decode, outbox.take()) if kind is Message.AWARENESS]


async def test_a_node_knows_whether_it_shares_documents(pair: Pair) -> None:
    await pair.one.enter()
    pair.two.hub.neighbours.once(0.0)
    assert not pair.one.hub.neighbours.shared, "the other lives, but in no document of ours"
    await pair.two.enter()
    assert pair.one.hub.neighbours.shared


async def test_a_commit_is_shown_on_the_other_node_and_not_stored_twice(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, outbox = await pair.two.enter()
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "hello")))
    await pair.one.settled()
    await until(lambda: shown(outbox) == [typed(1, 0, "hello")])
    assert other.room.ledger.seq == slot.room.ledger.seq == 1
    assert other.room.lineage == slot.room.lineage != ""
    assert [row.last_seq for row in await pair.store.log.read("doc", 0, 10)] == [1]
    assert pair.two.hub.counters.rows_from_log == 0


async def test_a_lost_frame_is_found_in_the_log_when_the_next_one_comes(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _outbox = await pair.two.enter()
    pair.one.bus.lost = True
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.one.settled()
    pair.one.bus.lost = False
    pair.one.hub.receive(slot, session, encode_update(typed(1, 1, "b")))
    await pair.one.settled()
    await until(lambda: other.room.ledger.seq == 2)
    assert other.room.state() == slot.room.state()
    assert pair.two.hub.counters.gaps_filled == 1


async def test_frames_that_cross_on_their_way_need_no_log(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.bus.held = []
    for clock, letter in enumerate("abcd"):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, letter)))
        await pair.one.settled()
    pair.one.bus.let_go(lambda frames: frames[::-1])
    assert other.room.ledger.seq == 4
    assert other.room.state() == slot.room.state()
    assert pair.two.hub.counters.rows_from_log == 0


async def test_without_a_bus_a_look_at_the_heads_finds_everything(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, outbox = await pair.two.enter()
    pair.one.bus.lost = pair.two.bus.lost = True
    for clock, letter in enumerate("abcdef"):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, letter)))
        await pair.one.settled()
    assert shown(outbox) == []
    await pair.two.hub.neighbours.look()
    await until(lambda: other.room.ledger.seq == 6)
    assert other.room.state() == slot.room.state()


async def test_both_write_at_once_and_neither_misses_the_other_though_all_frames_are_lost(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, writer, _ = await pair.two.enter()
    pair.one.bus.lost = pair.two.bus.lost = True
    for clock, letter in enumerate("abc"):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, letter)))
        pair.two.hub.receive(other, writer, encode_update(typed(2, clock, letter.upper())))
        await pair.one.settled()
        await pair.two.settled()
    # each has numbers of its own beyond numbers it never heard of: the gap alone makes it look
    await until(lambda: slot.room.ledger.seq >= 5 and other.room.ledger.seq >= 5)
    await pair.one.hub.neighbours.look()
    await pair.two.hub.neighbours.look()
    await until(lambda: slot.room.ledger.seq == other.room.ledger.seq == 6)
    assert slot.room.history.clocks.next == other.room.history.clocks.next == {1: 3, 2: 3}
    assert {len(slot.room.state()), len(other.room.state())} == {len(slot.room.state())}


async def test_seq_stands_before_the_gap_until_it_is_filled(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, writer, _ = await pair.two.enter()
    pair.one.bus.lost = True
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.one.settled()
    pair.two.hub.receive(other, writer, encode_update(typed(2, 0, "b")))
    await asyncio.sleep(0)
    await pair.two.journal.flush()
    assert other.room.ledger.seq == 0, "version 2 would promise what is not here"
    await pair.two.hub.neighbours.gaps.reach(other, 2)
    assert other.room.ledger.seq < 5


async def test_what_was_shown_but_not_committed_here_may_come_back_from_elsewhere(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, writer, _ = await pair.two.enter()
    # the journal of node one waits; its client moves to node two, and brings along what it typed
    first, second = typed(1, 0, "x"), typed_after(2, 0, "y", (1, 0))
    pair.one.hub.receive(slot, session, encode_update(first))
    pair.two.hub.receive(other, writer, encode_update(first))
    await pair.two.settled()
    pair.two.hub.receive(other, writer, encode_update(second))
    await pair.two.settled()
    await pair.one.settled()
    await until(lambda: slot.room.ledger.seq == other.room.ledger.seq == 3)
    assert slot.room.state() == other.room.state()
    assert slot.room.history.clocks.next == {1: 1, 2: 1}


async def test_a_room_that_opens_while_others_write_misses_nothing(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    opening = asyncio.create_task(pair.two.hub.open("doc"))
    for clock in range(20):
        pair.one.hub.receive(slot, session, encode_update(typed(1, clock, "z")))
        await pair.one.settled()
    other = await opening
    await pair.two.hub.neighbours.look()
    await until(lambda: other.room.ledger.seq == 20)
    assert other.room.history.clocks.next == {1: 20}


def presence(client: int, clock: int, state: bytes = b"{}") -> bytes:
    return encode_awareness(encode_entries([(client, clock, state)]))


async def test_presence_crosses_and_leaves_with_the_socket(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    _other, _, outbox = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1, b'{"n":1}'))
    await until(lambda: people(outbox) == [encode_entries([(7, 1, b'{"n":1}')])])
    late, _, _late_outbox = await pair.two.enter()
    assert late.room.awareness.people() == [(7, 1, b'{"n":1}')]
    pair.one.hub.leave(slot, session)
    await until(lambda: people(outbox) == [encode_entries([(7, 1, b"null")])])


async def test_a_node_that_opens_a_document_later_is_told_who_is_there(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await pair.one.settled()
    other, _, _ = await pair.two.enter()
    await until(lambda: other.room.awareness.people() == [(7, 1, b"{}")])


async def test_the_people_of_a_silent_node_vanish_and_announce_themselves_again_when_it_is_back(pair: Pair) -> None:
    slot, session, to_session = await pair.one.enter()
    other, _, outbox = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await until(lambda: other.room.awareness.people())
    now = asyncio.get_running_loop().time()
    pair.two.hub.neighbours.once(now + DEAD_S + 1.0)
    await until(lambda: people(outbox)[-1:] == [encode_entries([(7, 1, b"null")])])
    to_session.take()
    pair.one.hub.neighbours.once(now + DEAD_S + 1.0)  # it was only paused: its next beat
    await until(lambda: to_session.take() == [presence(7, 1, b"null")])  # its client answers with a higher clock
    pair.one.hub.receive(slot, session, presence(7, 2))
    await until(lambda: other.room.awareness.people() == [(7, 2, b"{}")])


@pytest.mark.parametrize(("up", "looks"), [(True, {3}), (False, {8, 9})])
async def test_the_log_is_looked_at_every_few_seconds_and_every_second_while_the_bus_is_away(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, up: bool, looks: set[int]
) -> None:
    neighbours, seen = pair.two.hub.neighbours, list[float]()
    monkeypatch.setattr(Forgetful, "up", up)
    began = asyncio.get_running_loop().time()
    for tenth in range(80):
        now = began + tenth / 10

        async def look(_: object, now: float = now) -> None:
            seen.append(now - began)

        monkeypatch.setattr(neighbours.gaps, "look", look)
        neighbours._heard.clear()  # the other node does not live in this time
        neighbours.once(now)
        await until(lambda: neighbours._looking is None)
    assert len(seen) in looks, seen


async def test_a_node_that_says_goodbye_takes_its_people_along_at_once(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await until(lambda: other.room.awareness.people())
    pair.one.hub.neighbours.goodbye()
    await until(lambda: not other.room.awareness.people())


async def test_a_node_that_went_down_is_not_waited_for_though_it_spoke_after_its_goodbye(pair: Pair) -> None:
    """While it writes what its sockets left behind it lives, and says so; else the others would look often for it."""
    leaving, staying = pair.one.hub.neighbours, pair.two.hub.neighbours
    running = asyncio.create_task(leaving.run())
    await until(lambda: staying.heard())
    leaving.goodbye()
    assert staying.heard() == {}
    leaving.once(asyncio.get_running_loop().time() + 2.0)
    assert staying.heard()
    running.cancel()
    await asyncio.wait({running})
    assert staying.heard() == {}


async def test_a_node_that_was_silent_before_it_said_goodbye_is_forgotten(pair: Pair) -> None:
    neighbours = pair.two.hub.neighbours
    pair.one.hub.neighbours.once(0.0)
    assert neighbours.heard().keys() == {"one"}
    neighbours.once(asyncio.get_running_loop().time() + DEAD_S + 1.0)
    assert neighbours._buried == {"one"}
    pair.one.hub.neighbours.goodbye()
    assert (neighbours.heard(), neighbours._buried) == ({}, set())


async def test_nobody_speaks_for_a_person_on_another_node(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, mallory, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1, b'{"n":"ada"}'))
    await until(lambda: other.room.awareness.people())
    pair.two.hub.receive(other, mallory, presence(7, 9, b'{"n":"mallory"}'))
    pair.two.hub.receive(other, mallory, presence(7, 9, b"null"))
    await pair.two.settled()
    assert other.room.awareness.people() == slot.room.awareness.people() == [(7, 1, b'{"n":"ada"}')]


async def test_a_deleted_document_ends_on_every_node(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.one.settled()
    _, _, outbox = await pair.two.enter()
    await pair.store.catalog.set_deleted("doc", True)
    pair.one.hub.end("doc", Gone())
    await pair.two.hub.neighbours.look()
    assert isinstance(outbox.closed, Gone)
    assert pair.two.hub.slots == {}


async def test_a_document_that_was_purged_and_made_again_is_another_one(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.one.settled()
    _, _, outbox = await pair.two.enter()
    await pair.store.catalog.set_deleted("doc", True)
    await pair.store.catalog.purge("doc", frozenset({1}))
    await pair.store.catalog.create("doc", None, {})
    await pair.two.hub.neighbours.look()
    assert isinstance(outbox.closed, LineageRetired)


async def test_one_bad_frame_restarts_its_room_and_no_other(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter("good")
    _, _, good = await pair.two.enter("good")
    bad_slot, _, bad = await pair.two.enter("bad")
    bad_slot.room.lineage = "x"
    pair.one.bus.publish(BusFrame(Kind.UPDATES, "one", "bad", "x", 1, 1, (b"\xff\xff",)))
    assert isinstance(bad.closed, StorageUnavailable)
    assert pair.two.hub.counters.bus_failures == 1
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await until(lambda: shown(good) == [typed(1, 0, "a")])


async def test_a_large_commit_travels_by_the_log(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    _other, _, outbox = await pair.two.enter()
    large = typed(1, 0, "x" * 100_000)
    pair.one.bus.held = []
    pair.one.hub.receive(slot, session, encode_update(large))
    held = pair.one.bus.held
    await until(lambda: any(frame.kind is Kind.UPDATES for frame in held))
    assert [len(frame.bodies) for frame in held if frame.kind is Kind.UPDATES] == [0]
    pair.one.bus.let_go()
    await until(lambda: shown(outbox) == [large])


async def test_a_large_commit_of_another_node_is_checked_elsewhere_and_holds_up_nobody(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(Inline):
        async def check(self, update: bytes, stored: bool = False) -> Checked:
            assert stored
            asked.set()
            await go.wait()
            return await super().check(update, stored)

    monkeypatch.setattr(pair.two.hub.neighbours.gaps, "_inspector", Slow(Limits()))
    slot, session, _ = await pair.one.enter()
    small, author, _ = await pair.one.enter("small")
    other, _, outbox = await pair.two.enter()
    _, _, reader = await pair.two.enter("small")
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "x" * 100_000)))
    await asyncio.wait_for(asked.wait(), PATIENCE_S)
    pair.one.hub.receive(small, author, encode_update(typed(2, 0, "a")))
    pair.one.hub.receive(slot, session, encode_update(typed(3, 0, "b")))
    await until(lambda: shown(reader) == [typed(2, 0, "a")])
    assert shown(outbox) == [] and other.room.ledger.seq == 0
    go.set()
    await until(lambda: other.room.ledger.seq == 2 and not other.room.dirty)
    assert other.room.history.clocks.next == {1: 100_000, 3: 1}
    assert other.failed is None


async def test_a_commit_that_cannot_be_checked_now_is_looked_at_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(Inline):
        async def check(self, update: bytes, stored: bool = False) -> Checked:
            raise EngineUnavailable

    slot, session, _ = await pair.one.enter()
    other, _, outbox = await pair.two.enter()
    pair.one.bus.lost = True
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "x" * 100_000)))
    await until(lambda: slot.room.ledger.seq == 1)
    gaps = pair.two.hub.neighbours.gaps
    with monkeypatch.context() as patch:
        patch.setattr(gaps, "_inspector", Busy(Limits()))
        await gaps.look([other])
        await gaps.fill(other)
    assert (other.room.ledger.seq, other.failed, outbox.closed) == (0, None, None)
    await gaps.look([other])
    await gaps.fill(other)
    assert other.room.ledger.seq == 1


async def test_a_row_that_is_no_update_restarts_the_room_and_sends_nobody_away_for_good(pair: Pair) -> None:
    """Who comes back finds what is sound of it, read-only."""
    _, _, outbox = await pair.two.enter()
    batch = uuid_utils.uuid7().bytes
    await pair.store.log.append([Append("doc", UNBORN, batch, [Entry("ada", "s", b"\xff\xff")])])
    await pair.two.hub.neighbours.look()
    await until(lambda: outbox.closed)
    assert isinstance(outbox.closed, StorageUnavailable)
    assert (await pair.two.hub.open("doc")).room.read_only is not None


async def test_who_comes_back_on_another_node_sees_those_who_stayed(pair: Pair) -> None:
    slot, session, to_session = await pair.one.enter()
    other, returning, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await until(lambda: other.room.awareness.people())
    pair.two.hub.receive(other, returning, presence(9, 1))
    await until(lambda: len(slot.room.awareness.people()) == 2)
    pair.two.hub.leave(other, returning)
    await until(lambda: len(slot.room.awareness.people()) == 1)
    to_session.take()
    _, again, _ = await pair.two.enter()
    pair.two.hub.receive(other, again, presence(9, 2))
    await until(lambda: presence(7, 1, b"null") in to_session.take())


async def test_what_callers_took_is_told_with_every_beat(pair: Pair) -> None:
    told: list[bytes] = []
    pair.two.hub.neighbours.share(lambda: None, told.append)
    pair.one.hub.neighbours.share(lambda: b"spent", told.append)
    pair.one.hub.neighbours.once(asyncio.get_running_loop().time() + 10.0)
    assert told == [b"spent"]


async def test_who_left_unheard_is_asked_for_and_may_come_back_here(pair: Pair) -> None:
    for each in (pair.one, pair.two):
        await each.hub.neighbours.inquiries.listen()
    slot, session, _ = await pair.one.enter()
    other, returned, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    _, stays, _ = await pair.one.enter()
    pair.one.hub.receive(slot, stays, presence(8, 1))
    await until(lambda: len(other.room.awareness.people()) == 2)
    pair.one.bus.lost = True
    pair.one.hub.leave(slot, session)
    await until(lambda: len(slot.room.awareness.people()) == 1)
    pair.one.hub.tick(slot)
    pair.one.bus.lost = False
    pair.two.hub.receive(other, returned, presence(7, 2))
    assert (7, 1, b"{}") in other.room.awareness.people()  # nobody speaks for those of another node
    await pair.two.hub.neighbours.ghosts.look()
    assert other.room.awareness.people() == [(8, 1, b"{}")]
    pair.two.hub.receive(other, returned, presence(7, 3))
    await until(lambda: (7, 3, b"{}") in slot.room.awareness.people())


async def test_news_of_somebody_who_was_asked_for_counts_more_than_the_answer(pair: Pair) -> None:
    for each in (pair.one, pair.two):
        await each.hub.neighbours.inquiries.listen()
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await until(lambda: other.room.awareness.people())
    pair.one.bus.lost = True
    pair.one.hub.leave(slot, session)
    pair.one.hub.tick(slot)
    pair.one.bus.lost, pair.one.bus.held = False, []
    asking = asyncio.create_task(pair.two.hub.neighbours.ghosts.look())
    await until(lambda: pair.one.bus.held)
    slot, again, _ = await pair.one.enter()
    pair.one.hub.receive(slot, again, presence(7, 2))
    pair.one.hub.tick(slot)
    pair.one.bus.let_go(lambda frames: frames[::-1])
    await asking
    assert other.room.awareness.people() == [(7, 2, b"{}")]


async def test_a_node_that_does_not_answer_keeps_its_people(pair: Pair) -> None:
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, presence(7, 1))
    await until(lambda: other.room.awareness.people())
    await pair.two.hub.neighbours.ghosts.look()
    assert other.room.awareness.people() == [(7, 1, b"{}")]


async def test_a_document_made_elsewhere_by_its_name_alone_is_not_made_again_by_its_first_edit(pair: Pair) -> None:
    """Whoever made it has been written down; the room here, opened before, has still to learn that it exists."""
    told: list[str] = []
    slot, session, _ = await pair.two.enter()
    pair.two.hub._on_born = lambda document, author: told.append(document)
    await pair.store.catalog.create("doc", "Minutes", {})
    pair.two.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.two.settled()
    assert slot.room.ledger.seq == 1
    assert told == []


async def test_of_two_nodes_with_the_first_edit_one_has_made_the_document(pair: Pair) -> None:
    told: list[str] = []
    for number, node in enumerate((pair.one, pair.two)):
        node.hub._on_born = lambda document, author, number=number: told.append(document)
        slot, session, _ = await node.enter()
        node.hub.receive(slot, session, encode_update(typed(number, 0, "a")))
    await asyncio.gather(pair.one.settled(), pair.two.settled())
    assert told == ["doc"]


async def test_what_comes_while_a_room_is_loaded_is_bounded_and_the_rest_is_found(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.neighbours.OPENING_MAX", 2)
    slot, session, _ = await pair.one.enter()
    load, begun, may_end = pair.store.log.load, asyncio.Event(), asyncio.Event()

    async def slowly(document: DocumentId) -> Stored | None:
        stored = await load(document)
        begun.set()
        await may_end.wait()
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(pair.store.log, "load", slowly)
        opening = asyncio.create_task(pair.two.enter())
        await begun.wait()
        for clock in range(5):
            pair.one.hub.receive(slot, session, encode_update(typed(1, clock, "x")))
            await pair.one.settled()
        assert len(pair.two.hub.neighbours._opening["doc"]) == 2
        may_end.set()
        other, _, _ = await opening
    assert other.room.ledger.seq < 5
    pair.two.hub.neighbours.once(asyncio.get_running_loop().time())
    await until(lambda: other.room.ledger.seq == 5)


async def test_a_look_for_ghosts_that_fails_says_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(pair.one.hub.neighbours.ghosts, "look", fails)
    with capture_logs() as lines:
        pair.one.hub.neighbours.once(asyncio.get_running_loop().time())
        await until(lambda: any(line["log_level"] == "error" for line in lines))
