"""One writer per CRDT client id: relays pass, returning clients take over, cloned tabs are told."""

from __future__ import annotations

from collab.core.room import Room
from collab.core.session import Session
from collab.errors import AuthorIdInUse, RateLimited, SlowReader
from collab.limits import Limits
from collab.protocol.messages import encode_awareness, encode_step2, encode_update
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


def test_a_cloned_tab_is_told_and_its_edit_does_not_replace_the_owners() -> None:
    room, a, to_a, b, to_b = contested()
    room.receive(b, encode_update(typed(1, 5, "clone")), 1.0)
    assert not room.dirty
    assert to_a.pings == 1
    to_a.heard = True
    room.decide(1.5)
    assert isinstance(to_b.closed, AuthorIdInUse)
    assert to_a.closed is None
    room.receive(a, encode_update(typed(1, 5, "owner")), 2.0)
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, "owner")]


def test_a_client_that_is_back_while_its_old_socket_is_half_dead_takes_over_and_loses_nothing() -> None:
    room, _, to_a, b, to_b = contested()
    room.receive(b, encode_step2(typed(1, 5, " again")), 1.0)
    room.receive(b, encode_update(typed(1, 11, "!")), 1.5)
    room.decide(2.9)
    assert not room.dirty, "the old socket has two seconds"
    room.decide(3.1)
    assert isinstance(to_a.closed, SlowReader)
    assert to_b.closed is None
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, " again"), typed(1, 11, "!")]
    room.receive(b, encode_update(typed(1, 12, "?")), 4.0)
    assert room.dirty, "the id is the new connection's now"


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
    to_a.heard = True
    room.decide(1.5)
    assert to_b.closed is None
    assert [entry.update for entry in room.drain().entries] == [typed(1, 5, "x")]


def test_a_step_2_that_carries_a_live_owners_edits_brings_only_the_rest() -> None:
    room, _, to_a, b, to_b = contested()
    mixed = b"\x02" + typed(1, 5, "x")[1:-1] + typed(9, 0, "mine")[1:-1] + b"\x00"
    room.receive(b, encode_step2(mixed), 1.0)
    assert len(room.drain().entries) == 1
    assert room.history.clocks.next == {1: 5, 9: 4}
    to_a.heard = True
    room.decide(1.5)
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
    room.decide(3.1)
    assert isinstance(to_a.closed, SlowReader)
    assert room.awareness.people() == [(1, 2, b'{"x":1}')]
