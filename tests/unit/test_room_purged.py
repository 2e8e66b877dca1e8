"""A room under a purged id refuses whoever still has the old document, and serves its state as one update."""

from __future__ import annotations

import pytest

from collab.core.history import History
from collab.core.room import Room
from collab.core.session import Session
from collab.crdt.merge import merge
from collab.errors import LineageRetired
from collab.limits import DEFAULT
from collab.protocol.messages import EMPTY_UPDATE, encode_step1, encode_update
from collab.types import ANONYMOUS, Access
from tests.fakes import Recorder
from tests.updates import deleted, typed, vector


@pytest.fixture
def room() -> Room:
    """Client 7 wrote in the document that was purged under this id."""
    made = Room("d", "0" * 16, History(None, None, 0), 0, DEFAULT)
    made.retired_authors = frozenset({7})
    return made


@pytest.mark.parametrize("update", [typed(7, 0, "old"), deleted(7, 0, 1), merge([typed(1, 0, "n"), typed(7, 0, "o")])])
def test_updates_that_name_a_retired_author_are_refused(room: Room, update: bytes) -> None:
    """By REST and by socket; nothing of them is kept."""
    session = Session("s", ANONYMOUS, Access.WRITE, Recorder(), DEFAULT)
    room.join(session)
    with pytest.raises(LineageRetired):
        room.submit(room.check(update), "a", "rest", 0.0)
    with pytest.raises(LineageRetired):
        room.receive(session, encode_update(update), 0.0)
    assert not room.dirty
    assert room.history.clocks.next == {}


def test_a_state_vector_that_names_a_retired_author_is_refused(room: Room) -> None:
    """An old copy says so before it sends anything."""
    session = Session("s", ANONYMOUS, Access.WRITE, Recorder(), DEFAULT)
    room.join(session)
    with pytest.raises(LineageRetired):
        room.receive(session, encode_step1(vector({1: 2, 7: 3})), 0.0)


def test_others_are_not_affected(room: Room) -> None:
    """The id lives on with a new document."""
    session = Session("s", ANONYMOUS, Access.WRITE, Recorder(), DEFAULT)
    room.join(session)
    room.receive(session, encode_step1(vector({1: 0})), 0.0)
    assert room.submit(room.check(typed(1, 0, "new")), "a", "rest", 0.0) == 1


def test_the_state_holds_what_is_committed() -> None:
    """What is only shown is not in it, what was committed since is, and a known vector gets the rest."""
    room = Room("d", "0" * 16, History(None, None, 0), 0, DEFAULT)
    room.submit(room.check(typed(1, 0, "ab")), "a", "rest", 0.0)
    room.drain()
    assert room.state() == EMPTY_UPDATE
    room.committed(1, 1)
    assert room.state() == merge([typed(1, 0, "ab")])
    room.submit(room.check(typed(1, 2, "cd")), "a", "rest", 0.0)
    room.drain()
    room.committed(2, 2)
    assert room.state() == merge([typed(1, 0, "ab"), typed(1, 2, "cd")])
    assert room.state({1: 2}) == typed(1, 2, "cd")
    assert room.history.whole() is room.history.whole()
