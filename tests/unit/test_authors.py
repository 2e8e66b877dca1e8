"""One writer per CRDT client id: relays pass, returning clients take over, cloned tabs are told."""

from __future__ import annotations

from collab.core.authors import HELD_MAX
from collab.core.distant import Distant
from collab.core.room import Room
from collab.core.session import Session
from collab.errors import AuthorIdInUse, CollabError, Overloaded, RateLimited, SlowReader
from collab.limits import Limits
from collab.protocol.messages import encode_awareness, encode_status, encode_step2, encode_update
from tests.fakes import Recorder
from tests.unit.test_room import HELLO, enter, make_room, show
from tests.updates import deleted, typed, typed_after


def contested() -> tuple[Room, Session, Recorder, Session, Recorder]:
    """A room in which `a` has typed as client 1, and `b` has not."""
    room = make_room()
    (a, to_a), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    show(room)
    to_b.take()
    return room, a, to_a, b, to_b


def run_out(room: Room, now: float) -> None:
    """Two looks, as the hub takes them one after the other."""
    room.contests.decide(now)
    room.contests.decide(now)


def test_a_cloned_tab_is_told_and_its_edit_does_not_replace_the_owners() -> None:
    room, a, to_a, b, to_b = contested()
    room.receive(b, encode_update(typed(1, 5, "clone")), 1.0)
    assert not room.dirty
    assert to_a.pings == 1
    to_a.answered = True
    room.contests.decide(1.5)
    assert isinstance(to_b.closed, AuthorIdInUse)
    assert to_a.closed is None
    room.receive(a, encode_update(typed(1, 5, "owner")), 2.0)
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, "owner")]


def test_a_client_that_is_back_while_its_old_socket_is_half_dead_takes_over_and_loses_nothing() -> None:
    room, _, to_a, b, to_b = contested()
    room.receive(b, encode_step2(typed(1, 5, " again")), 1.0)
    room.receive(b, encode_update(typed(1, 11, "!")), 1.5)
    run_out(room, 2.9)
    assert not room.dirty, "the old socket has two seconds"
    run_out(room, 3.1)
    assert isinstance(to_a.closed, SlowReader)
    assert to_b.closed is None
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, " again"), typed(1, 11, "!")]
    room.receive(b, encode_update(typed(1, 12, "?")), 4.0)
    assert room.dirty, "the id is the new connection's now"


def test_of_an_id_that_goes_from_node_to_node_only_the_last_holder_is_kept() -> None:
    """Though the frames in which the others freed it were lost."""
    room = make_room()
    for node in ("n2", "n3", "n2", "n3"):
        room.authors.concede(1, Distant(node, lambda: None))
    assert len(room.authors._owned) == 1
    assert room.authors.held_by("n3") == [1] and not room.authors.held_by("n2")


def test_a_server_that_was_late_itself_reads_what_came_meanwhile_before_it_calls_anybody_dead() -> None:
    room, _, to_a, b, to_b = contested()
    room.receive(b, encode_update(typed(1, 5, "clone")), 1.0)
    room.contests.decide(60.0)
    assert to_a.closed is None
    to_a.answered = True
    room.contests.decide(60.25)
    assert isinstance(to_b.closed, AuthorIdInUse)
    assert to_a.closed is None


def test_what_waits_is_taken_at_once_when_the_old_socket_ends_by_itself() -> None:
    room, a, _, b, _ = contested()
    room.receive(b, encode_update(typed(1, 5, "x")), 1.0)
    room.leave(a, 1.1)
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, "x")]
    assert not room.authors.contests


def test_a_relay_of_a_live_owners_edit_is_no_second_writer() -> None:
    room, a, to_a, b, to_b = contested()
    room.receive(b, encode_update(typed(1, 5, "x")), 1.0)
    room.receive(a, encode_update(typed(1, 5, "x")), 1.1)
    to_a.answered = True
    room.contests.decide(1.5)
    assert to_b.closed is None
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, "x")]


def test_a_step_2_that_carries_a_live_owners_edits_brings_only_the_rest() -> None:
    room, _, to_a, b, to_b = contested()
    mixed = b"\x02" + typed(1, 5, "x")[1:-1] + typed(9, 0, "mine")[1:-1] + b"\x00"
    room.receive(b, encode_step2(mixed), 1.0)
    assert len(room.drain().entries) == 1
    assert room.history.clocks.next == {1: 5, 9: 4}
    to_a.answered = True
    room.contests.decide(1.5)
    assert to_b.closed is None, "a step 2 passes on what the client has; that is no offence"


def test_an_id_whose_owner_has_left_is_free() -> None:
    room, a, _, b, _ = contested()
    room.leave(a, 1.0)
    room.receive(b, encode_update(typed(1, 5, "x")), 2.0)
    assert room.dirty


def test_anyone_may_delete_and_write_next_to_anybody() -> None:
    room, _, to_a, b, _ = contested()
    room.receive(b, encode_update(deleted(1, 0, 2)), 1.0)
    room.receive(b, encode_update(typed_after(2, 0, "x", (1, 4))), 1.0)
    assert len(room.drain().entries) == 2
    assert to_a.pings == 0


def test_a_passed_on_history_makes_nobody_its_author() -> None:
    room = make_room()
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_step2(HELLO), 0.0)
    room.receive(b, encode_update(typed(1, 5, "I am 1")), 0.0)
    assert len(room.drain().entries) == 2
    assert to_b.closed is None


def test_new_ids_are_rationed_per_connection_not_per_history() -> None:
    room = make_room(Limits(frames_per_s=0, new_clients_per_session=3))
    a, _ = enter(room, "a")
    for client in range(10, 30):
        room.receive(a, encode_step2(typed(client, 0, "old")), 0.0)
    for client in range(50, 53):
        room.receive(a, encode_update(typed(client, 0, "x")), 0.0)
    entered = room.ledger.entered
    try:
        room.receive(a, encode_update(typed(60, 0, "x")), 0.0)
    except RateLimited:
        assert room.ledger.entered == entered
        return
    raise AssertionError("a fourth id was taken")


def test_presence_moves_to_the_connection_of_a_client_that_is_back() -> None:
    room, a, to_a, b, to_b = contested()
    room.receive(a, encode_awareness(b"\x01\x01\x01\x02{}"), 0.0)
    show(room)
    to_b.take()
    room.receive(b, encode_awareness(b'\x01\x01\x02\x07{"x":1}'), 1.0)
    run_out(room, 3.1)
    assert isinstance(to_a.closed, SlowReader)
    assert room.awareness.people() == [(1, 2, b'{"x":1}')]


def test_what_waits_in_a_contest_is_not_called_saved() -> None:
    room, _, _, b, to_b = contested()
    room.committed(1, 1)
    room.receive(b, encode_update(typed(1, 5, "x")), 1.0)
    room.receive(b, encode_status(b"\x07"), 1.1)
    assert to_b.take() == [], "its edit is in no commit"
    run_out(room, 3.1)
    show(room)
    assert to_b.take() == []
    room.committed(2, 2)
    assert to_b.take() == [encode_status(b"\x07")]


def test_a_contest_that_ends_with_the_owners_own_copy_lets_the_relay_be_called_saved() -> None:
    room, a, to_a, b, to_b = contested()
    room.receive(b, encode_update(typed(1, 5, "x")), 1.0)
    room.receive(b, encode_status(b"\x07"), 1.1)
    room.receive(a, encode_update(typed(1, 5, "x")), 1.2)
    show(room)
    room.committed(1, 2)
    to_b.take()
    to_a.answered = True
    room.contests.decide(1.5)
    assert to_b.take() == [encode_status(b"\x07")]


def test_a_step_2_whose_foreign_part_never_comes_is_never_called_saved() -> None:
    room, _, to_a, b, to_b = contested()
    room.receive(b, encode_step2(typed(1, 5, "x")), 1.0)
    room.receive(b, encode_status(b"\x07"), 1.1)
    show(room)
    room.committed(1, 1)
    to_a.answered = True
    room.contests.decide(1.5)
    assert to_b.take() == []
    assert to_b.closed is None


def test_a_contender_that_typed_more_than_is_held_comes_back_and_brings_it_again() -> None:
    room, _, to_a, b, to_b = contested()
    for at in range(HELD_MAX + 1):
        room.receive(b, encode_update(typed(1, 5 + at, "x")), 1.0)
    run_out(room, 3.1)
    assert isinstance(to_a.closed, SlowReader)
    assert isinstance(to_b.closed, Overloaded)
    assert to_b.closed.may_retry


def test_what_was_held_for_one_and_cannot_be_taken_ends_that_one_only() -> None:
    room = make_room(Limits(frames_per_s=0, document_bytes_max=200))
    (a, to_a), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(b, encode_update(typed_after(2, 0, "y" * 300, (1, 4))), 0.0)
    room.receive(b, encode_update(typed_after(3, 0, "y", (1, 4))), 0.0)
    room.receive(b, encode_status(b"\x07"), 0.0)
    room.receive(a, encode_update(HELLO), 1.0)
    assert to_a.closed is None
    assert isinstance(to_b.closed, CollabError)
    assert room.history.clocks.next == {1: 5, 3: 1}, "the others that waited are taken"


def test_a_heir_whose_update_cannot_be_taken_does_not_stop_the_leaver() -> None:
    room = make_room(Limits(frames_per_s=0, document_bytes_max=100))
    (a, _), (b, to_b) = enter(room, "a"), enter(room, "b")
    room.receive(a, encode_update(HELLO), 0.0)
    room.receive(b, encode_update(typed(1, 5, "x" * 200)), 1.0)
    room.leave(a, 1.1)
    assert isinstance(to_b.closed, CollabError)
    assert a not in room.sessions


def test_who_has_left_becomes_no_owner() -> None:
    room = make_room()
    (a, _), (b, _) = enter(room, "a"), enter(room, "b")
    room.receive(b, encode_update(typed_after(2, 0, "y", (1, 4))), 0.0)
    room.leave(b, 0.5)
    room.receive(a, encode_update(HELLO), 1.0)
    assert room.history.clocks.next == {1: 5, 2: 1}, "what it wrote stays"
    assert room.authors.owner(2) is None


def test_a_relay_is_called_saved_once_the_owner_has_brought_the_same_and_that_is_durable() -> None:
    room, a, to_a, b, to_b = contested()
    room.committed(1, 1)
    room.receive(b, encode_step2(typed(1, 5, "x")), 1.0)
    room.receive(b, encode_status(b"\x07"), 1.1)
    to_a.answered = True
    room.contests.decide(1.2)
    assert to_b.take() == [] and to_a.pings == 2, "the owner lives, but has not sent it yet"
    room.receive(a, encode_update(typed(1, 5, "x")), 1.3)
    to_a.answered = True
    room.contests.decide(1.5)
    assert to_b.take() == [] and not room.authors.contests
    show(room)
    to_b.take()
    room.committed(2, 2)
    assert to_b.take() == [encode_status(b"\x07")]
