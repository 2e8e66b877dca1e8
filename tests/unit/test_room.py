"""A room by itself: what each frame does, what a tick shows, and what is promised when."""

from __future__ import annotations

import pytest

from collab.core.elsewhere import take_updates
from collab.core.history import History
from collab.core.room import Room
from collab.core.session import Session
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from collab.errors import BadFrame, BadUpdate, CollabError, TooLarge
from collab.limits import Limits
from collab.protocol.messages import (
    KEEPALIVE,
    Kind,
    decode,
    encode_awareness,
    encode_denied,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.types import Access, Principal
from tests.fakes import Recorder
from tests.updates import deleted, typed, typed_after, vector

HELLO = typed(1, 0, "hello")


def make_room(limits: Limits | None = None) -> Room:
    limits = limits or Limits(frames_per_s=0)
    return Room("doc", "lineage", History(None, None, 0), 0, limits)


def enter(room: Room, name: str, access: Access = Access.WRITE) -> tuple[Session, Recorder]:
    outbox = Recorder()
    session = Session(name, Principal(id=name), access, outbox, room.limits)
    room.join(session)
    outbox.take()
    return session, outbox


def show(room: Room) -> None:
    """Carries a tick out as the hub does."""
    effects = room.drain()
    for wire, skip in ((effects.wire, effects.skip), (effects.presence, None)):
        if wire is not None:
            for session, write in room.live.items():
                if session is not skip:
                    write(wire)


def test_a_joiner_is_greeted_with_step_1_and_a_first_presence_frame() -> None:
    room, outbox = make_room(), Recorder()
    room.join(Session("s", Principal(id="s"), Access.WRITE, outbox, room.limits))
    assert outbox.take() == [encode_step1(b"\x00"), KEEPALIVE]


def test_an_edit_reaches_everyone_but_its_sole_author_as_the_bytes_that_came() -> None:
    room = make_room()
    (a, to_a), (_, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    assert to_a.take() == []
    assert to_b.take() == [encode_update(HELLO)]


def test_a_step_2_is_shown_as_an_update() -> None:
    room = make_room()
    (a, _), (_, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_step2(HELLO), 0.0)
    show(room)
    assert to_b.take() == [encode_update(HELLO)]


def test_updates_of_one_tick_become_one_frame_for_all_when_authors_differ() -> None:
    room = make_room()
    (a, to_a), (b, to_b), (_, to_c) = enter(room, "a"), enter(room, "b"), enter(room, "c")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(b, encode_update(typed(2, 0, "x")), 0.0)
    show(room)
    assert to_a.take() == to_b.take() == (frames := to_c.take())
    assert len(frames) == 1


def test_entries_keep_the_raw_bytes_and_their_author() -> None:
    room = make_room()
    (a, _), (b, _) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(b, encode_update(typed(2, 0, "x")), 0.0)
    assert [(e.author, e.update) for e in room.drain().entries] == [("a", HELLO), ("b", typed(2, 0, "x"))]


def test_what_adds_nothing_is_neither_shown_nor_stored() -> None:
    room = make_room()
    (a, _), (b, _) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(a, encode_update(deleted(1, 0, 2)), 0.0)
    room.drain()
    for echo in (HELLO, deleted(1, 0, 2), b"\x00\x00"):
        room.receive(b, encode_step2(echo), 0.0)
    assert not room.dirty
    assert room.drain().entries == []


def test_a_joiner_gets_everything_and_is_synced_by_the_last_frame() -> None:
    room = make_room()
    a, _ = enter(room, "a")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    b, to_b = enter(room, "b")
    room.receive(b, encode_step1(b"\x00"), 0.0)
    assert to_b.take() == [encode_update(HELLO), encode_step2(b"\x00\x00")]


def test_status_is_answered_only_after_the_commit_of_all_before_it() -> None:
    room = make_room()
    a, to_a = enter(room, "a")
    room.receive(a, encode_status(b"\x00"), 0.0)
    assert to_a.take() == [encode_status(b"\x00")]
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(a, encode_status(b"\x01"), 0.0)
    room.drain()
    assert to_a.take() == []
    room.promises.heartbeat()
    assert to_a.take() == [encode_status(b"\x00")], "a sign of life that promises nothing new"
    room.committed(1, 1)
    assert to_a.take() == [encode_status(b"\x01")]


def test_saved_waits_for_an_edit_that_somebody_else_brought() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(b, encode_update(HELLO), 0.0)
    room.receive(b, encode_status(b"\x01"), 0.0)
    room.drain()
    assert to_b.take() == []
    room.committed(1, 1)
    assert to_b.take() == [encode_status(b"\x01")]


def test_a_reader_changes_nothing_is_told_why_and_is_never_told_saved() -> None:
    room = make_room()
    (reader, to_reader), (_, to_other) = enter(room, "r", Access.READ), enter(room, "o")
    room.receive(reader, encode_update(HELLO), 0.0)
    room.receive(reader, encode_status(b"\x01"), 0.0)
    assert not room.dirty
    assert to_other.take() == []
    assert to_reader.take() == [encode_denied("read-only")]
    assert len(room.history.clocks.next) == 0


def test_an_innocent_reader_is_not_scolded_for_its_handshake() -> None:
    room = make_room()
    (a, _), (reader, to_reader) = enter(room, "a"), enter(room, "r", Access.READ)
    room.receive(a, encode_update(HELLO), 0.0)
    room.drain()
    room.receive(reader, encode_step2(b"\x00\x00"), 0.0)
    room.receive(reader, encode_step2(HELLO), 0.0)
    assert to_reader.take() == []
    assert not reader.refused


def test_an_update_ahead_of_its_dependencies_waits_asks_and_is_not_acked() -> None:
    room = make_room()
    (a, to_a), (_, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(typed(1, 5, "!")), 0.0)
    room.receive(a, encode_status(b"\x01"), 0.0)
    assert to_a.take() == [encode_step1(b"\x00")]
    assert not room.dirty
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    room.committed(1, 2)
    assert to_a.take() == [encode_status(b"\x01")]
    assert room.history.clocks.next == {1: 6}
    assert len(to_b.take()) == 1


def test_an_update_that_names_an_unknown_neighbour_waits_too() -> None:
    room = make_room()
    a, _ = enter(room, "a")
    room.receive(a, encode_update(typed_after(2, 0, "x", (1, 4))), 0.0)
    assert not room.dirty
    room.receive(a, encode_update(HELLO), 0.0)
    assert len(room.drain().entries) == 2


def test_what_a_client_does_not_have_whole_either_keeps_nobody_from_being_called_saved() -> None:
    """yjs puts what waits in its own document into every step 2: what died with another tab must not wait for ever."""
    room = make_room()
    a, to_a = enter(room, "a")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(a, encode_update(typed(9, 4, "its author is gone")), 0.0)
    room.receive(a, encode_status(b"\x01"), 0.0)
    show(room)
    room.committed(1, 1)
    assert encode_status(b"\x01") not in to_a.take()
    room.receive(a, encode_step2(typed(9, 4, "its author is gone")), 0.0)
    assert to_a.take() == [encode_status(b"\x01")]
    room.receive(a, encode_update(typed(9, 0, "four")), 0.0)
    assert len(room.drain().entries) >= 2, "should its author be back, it is taken"


def test_what_is_held_is_bounded() -> None:
    room = make_room(Limits(frames_per_s=0, pending_structs_max=3))
    a, _ = enter(room, "a")
    with pytest.raises(TooLarge):
        for clock in range(10, 30, 2):
            room.receive(a, encode_update(typed(1, clock, "x")), 0.0)
    room.receive(a, encode_update(HELLO), 0.0)
    assert len(room.drain().entries) >= 1


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x00", b"\x00\x03\x00", b"\x00\x02\x05\x00", encode_update(HELLO) + b"\x00", b"\xff" * 20, b"\x01\x7f",
     encode_update(HELLO[:-1]), encode_update(b"\x01" + HELLO), encode_step1(b""), encode_awareness(b"\x01\x01\x01")],
)  # fmt: skip
def test_a_bad_frame_is_a_typed_error_and_changes_nothing(frame: bytes) -> None:
    room = make_room()
    a, _ = enter(room, "a")
    with pytest.raises((BadFrame, BadUpdate)):
        room.receive(a, frame, 0.0)
    assert not room.dirty
    assert room.ledger.entered == 0


def test_a_slow_reader_gets_nothing_more_and_then_one_diff() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    to_b.take()
    room.pause(b, 1.0)
    for clock in range(5, 10):
        room.receive(a, encode_update(typed(1, clock, "x")), 0.0)
        show(room)
    assert to_b.take() == []
    room.resume(b)
    update, presence = to_b.take()
    assert decode(presence) == (Kind.AWARENESS, b"\x00")
    assert check(decode(update)[1]).runs == ((1, 5, 10),)
    room.pause(b, 2.0)
    room.receive(b, encode_step1(b"\x00"), 2.0)
    assert to_b.take() == []
    room.resume(b)
    assert to_b.take()[-1] == encode_step2(b"\x00\x00"), "what it asked for meanwhile is answered now"
    room.receive(a, encode_update(typed(1, 10, "y")), 0.0)
    show(room)
    assert to_b.take() == [encode_update(typed(1, 10, "y"))]


def test_presence_is_pushed_to_a_joiner_and_removed_with_its_socket() -> None:
    room = make_room()
    (a, to_a), (_, to_b) = enter(room, "a"), enter(room, "b")
    here = encode_awareness(b"\x01\x07\x01\x02{}")
    room.receive(a, here, 0.0)
    show(room)
    assert to_a.take() == to_b.take() == [here], "the sender gets its own presence back: its watchdog needs traffic"
    outbox = Recorder()
    room.join(Session("c", Principal(id="c"), Access.READ, outbox, room.limits))
    assert outbox.take()[1] == here
    room.leave(a, 0.0)
    show(room)
    assert to_b.take() == [encode_awareness(b"\x01\x07\x01\x04null")]


def test_a_known_vector_gets_a_diff() -> None:
    room = make_room()
    a, _ = enter(room, "a")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    b, to_b = enter(room, "b")
    room.receive(b, encode_step1(vector({1: 5})), 0.0)
    assert to_b.take()[-1] == encode_step2(b"\x00\x00")


def test_rest_and_sockets_share_one_path() -> None:
    room = make_room()
    _, to_a = enter(room, "a")
    number = room.submit(room.check(HELLO), "key", "rest", 0.0)
    show(room)
    assert to_a.take() == [encode_update(HELLO)]
    seqs: list[int] = []
    room.ledger.when_durable(number, seqs.append)
    room.committed(1, 1)
    assert seqs == [1]
    assert room.submit(room.check(HELLO), "key", "rest", 0.0) == number, "the same update again adds nothing"


def test_rest_refuses_an_update_that_floats() -> None:
    room = make_room()
    with pytest.raises(CollabError, match="depends on"):
        room.submit(room.check(typed(1, 3, "x")), "key", "rest", 0.0)


def test_frames_beyond_the_rate_slow_the_socket() -> None:
    room = make_room(Limits(frames_per_s=10, frames_burst=5))
    a, _ = enter(room, "a")
    pauses = [room.receive(a, encode_status(b"\x00"), 100.0) for _ in range(8)]
    assert pauses[:5] == [0.0] * 5
    assert pauses[-1] > 0.0


def test_saved_waits_for_what_somebody_else_brought_back_before_the_author_came() -> None:
    """After a crash b returns first, with an edit of a's that no commit holds; a is told that it is known here."""
    room = make_room()
    (b, _) = enter(room, "b")
    room.receive(b, encode_step2(HELLO), 0.0)
    show(room)
    a, to_a = enter(room, "a")
    room.receive(a, encode_step2(b"\x00\x00"), 0.0)
    room.receive(a, encode_status(b"\x01"), 0.0)
    assert to_a.take() == []
    room.committed(1, 1)
    assert to_a.take() == [encode_status(b"\x01")]


def test_a_reader_that_pauses_between_an_edit_and_its_tick_gets_it_even_after_a_fold() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.pause(b, 0.0)
    show(room)
    room.committed(1, 1)
    state = fold(None, [HELLO])
    room.history.rebase(state, StateIndex.decode(build(state), state), 1)
    room.resume(b)
    updates = [body for kind, body in map(decode, to_b.take()) if kind in (Kind.UPDATE, Kind.STEP2)]
    assert any(check(update).runs == ((1, 0, 5),) for update in updates)


def test_a_step_2_that_is_owed_outlives_a_second_pause() -> None:
    room = make_room()
    a, to_a = enter(room, "a")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    room.pause(a, 0.0)
    room.receive(a, encode_step1(b"\x00"), 0.0)
    to_a.on_write = lambda: room.pause(a, 1.0)
    room.resume(a)
    to_a.on_write = lambda: None
    to_a.take()
    room.resume(a)
    assert to_a.take()[-1] == encode_step2(b"\x00\x00")


def test_what_a_slow_reader_lacks_dependencies_for_is_asked_for_when_it_reads_again() -> None:
    room = make_room()
    a, to_a = enter(room, "a")
    room.pause(a, 0.0)
    room.receive(a, encode_update(typed(1, 5, "ahead")), 0.0)
    room.resume(a)
    assert encode_step1(b"\x00") in to_a.take()


def test_what_gone_people_left_waiting_makes_place_for_others() -> None:
    room = make_room(Limits(frames_per_s=0, pending_structs_max=2))
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    for clock in (5, 6):
        room.receive(a, encode_update(typed(1, clock, "x")), 0.0)
    room.leave(a, 0.0)
    room.receive(b, encode_update(typed(2, 5, "x")), 0.0)
    assert to_b.closed is None
    with pytest.raises(TooLarge):
        for clock in (6, 7):
            room.receive(b, encode_update(typed(2, clock, "x")), 0.0)


def test_a_slow_reader_gets_what_another_node_committed_before_an_edit_it_has_seen() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    to_b.take()
    room.pause(b, 0.0)
    take_updates(room, [typed(9, 0, "remote")], 1, 1, 0.0)
    state = fold(None, [typed(9, 0, "remote")])
    room.history.rebase(state, StateIndex.decode(build(state), state), 1)
    room.resume(b)
    updates = [body for kind, body in map(decode, to_b.take()) if kind in (Kind.UPDATE, Kind.STEP2)]
    assert any((9, 0, 6) in check(update).runs for update in updates)


def test_saved_waits_for_what_somebody_else_brought_of_a_step_2_that_has_a_dead_end_too() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(b, encode_step2(merge([HELLO, typed(9, 4, "its author is gone")])), 0.0)
    room.receive(b, encode_status(b"\x01"), 0.0)
    assert to_b.take() == []
    show(room)
    to_b.take()
    room.committed(1, 1)
    assert to_b.take() == [encode_status(b"\x01")]


def test_what_waits_is_looked_at_again_when_any_part_of_it_can_be_taken() -> None:
    """It holds two people's edits; what came before one of them died with a closed tab."""
    room = make_room()
    a, _ = enter(room, "a")
    room.receive(a, encode_step2(merge([typed(9, 4, "its author is gone"), typed(2, 5, " world")])), 0.0)
    room.receive(a, encode_update(typed(2, 0, "hello")), 0.0)
    assert [held.checked.runs for held in room.overdue] == [((9, 4, 22), (2, 5, 11))]


def test_a_long_chain_of_waiting_updates_is_set_free_by_its_first() -> None:
    room = make_room()
    a, _ = enter(room, "a")
    for clock in range(700, 0, -1):
        room.receive(a, encode_update(typed(1, clock, "x")), 0.0)
    assert room.history.clocks.next == {}
    room.receive(a, encode_update(typed(1, 0, "x")), 1.0)
    assert room.history.clocks.next == {1: 701}
    assert len(room.drain().entries) == 701


def test_another_nodes_commit_that_is_not_shown_yet_reaches_a_reader_whose_outbox_fills_up() -> None:
    room = make_room()
    (_, to_a), (b, to_b) = enter(room, "a"), enter(room, "b")
    to_a.take(), to_b.take()
    take_updates(room, [typed(9, 0, "remote")], 1, 1, 0.0)
    room.pause(b, 0.0)
    assert to_b.take() == []  # it is full: nothing more is written to it
    show(room)
    room.resume(b)
    for outbox in (to_a, to_b):
        updates = [body for kind, body in map(decode, outbox.take()) if kind in (Kind.UPDATE, Kind.STEP2)]
        assert any((9, 0, 6) in check(update).runs for update in updates)


def test_a_slow_reader_is_told_who_left_meanwhile_even_in_the_tick_in_which_its_outbox_filled_up() -> None:
    room = make_room()
    (a, _), (b, to_b), (c, _) = (enter(room, name) for name in "abc")
    for session, client in ((a, 7), (c, 8)):
        room.receive(session, encode_awareness(b"\x01%c\x01\x02{}" % client), 0.0)
    show(room)
    to_b.take()
    room.leave(a, 1.0)
    room.drain()  # and before it is written:
    room.pause(b, 1.0)
    room.leave(c, 2.0)
    show(room)
    room.resume(b)
    assert decode(to_b.take()[-1])[1] == b"\x02\x08\x01\x04null\x07\x01\x04null"
    show(room)
    room.pause(b, 3.0)
    d, _ = enter(room, "d")
    room.receive(d, encode_awareness(b"\x01\x07\x02\x02{}"), 3.0)
    show(room)
    room.resume(b)
    assert b"\x07\x02\x02{}" in to_b.take()[-1], "who is back is here"
