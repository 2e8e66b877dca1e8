"""The short way of a letter: the same accounts as the long way, and none of it for who may not write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.core.room import Room
from collab.core.session import Session
from collab.errors import CollabError, Forbidden
from collab.limits import Limits
from collab.protocol.messages import encode_update
from collab.protocol.varint import write_varbytes, write_varuint
from collab.types import Access
from tests.unit.test_room import enter, make_room, show
from tests.updates import deleted, typed, typed_after, vector


def letter(clock: int, client: int = 7) -> bytes:
    return encode_update(typed(client, clock, "x"))


def typist(room: Room, letters: int = 3) -> Session:
    """Somebody who has typed so many letters, and whose next one is awaited."""
    session, _ = enter(room, "a")
    for clock in range(letters):
        room.receive(session, letter(clock), 0.0)
    assert session.streak is not None and session.streak.clock == letters
    return session


def take(room: Room, session: Session, message: bytes) -> float | None:
    assert session.streak is not None
    return room.typing.take(room, session, session.streak, message, 0.0)


def test_both_ways_give_the_same_room() -> None:
    short, long = make_room(), make_room()
    short_one, (long_one, _) = typist(short), enter(long, "a")
    (_, to_short), (_, to_long) = enter(short, "b"), enter(long, "b")
    for clock in range(3):
        long.receive(long_one, letter(clock), 0.0)
    for clock in range(3, 40):
        assert take(short, short_one, letter(clock)) == 0.0
        long.receive(long_one, letter(clock), 0.0)
    assert short_one.entered == long_one.entered == short.ledger.entered == 40
    assert short.history.clocks.next == long.history.clocks.next == {7: 40}
    assert short.history.clocks.encode_state_vector() == vector({7: 40})
    assert short.drain().entries == long.drain().entries
    show(short), show(long)
    assert to_short.take() == to_long.take()


CORRECTIONS = [
    deleted(7, 2, 1),
    typed_after(7, 3, "in its own text", (7, 0)),
    typed(7, 18, "x"),
    deleted(7, 0, 19),
    typed_after(7, 19, "after another's", (9, 0)),
    typed(7, 34, "x"),
    deleted(9, 0, 1),
    typed(7, 35, "ü"),
    typed(7, 36, "y"),
]


def test_corrections_and_jumps_go_the_short_way_and_give_the_same_room() -> None:
    short, long = make_room(), make_room()
    for room in (short, long):
        room.submit(room.check(typed(9, 0, "b")), "rest", "rest", 0.0)
    short_one, (long_one, _) = typist(short), enter(long, "a")
    (_, to_short), (_, to_long) = enter(short, "b"), enter(long, "b")
    for clock in range(3):
        long.receive(long_one, letter(clock), 0.0)
    for update in CORRECTIONS:
        assert take(short, short_one, encode_update(update)) == 0.0
        long.receive(long_one, encode_update(update), 0.0)
    assert short_one.entered == long_one.entered == short.ledger.entered == 4 + len(CORRECTIONS)
    assert short.history.clocks.next == long.history.clocks.next
    assert short.history.clocks.deleted == long.history.clocks.deleted
    assert short.drain().entries == long.drain().entries
    show(short), show(long)
    assert to_short.take() == to_long.take()


@pytest.mark.parametrize(
    "update",
    [
        typed(7, 5, "ahead"),
        typed(7, 2, "known"),
        typed(8, 0, "another client"),
        typed_after(7, 3, "behind what is not there", (9, 5)),
        typed_after(7, 3, "behind itself", (7, 3)),
        deleted(7, 3, 1),
        deleted(9, 0, 1),
        deleted(7, 1, 1),  # once more
        deleted(7, 1, 0),
        typed(7, 3, "x") + b"\x00",
        typed(7, 3, "x")[:-1],
    ],
)
def test_what_must_wait_or_adds_nothing_or_is_wrong_goes_the_long_way(update: bytes) -> None:
    room = make_room()
    session = typist(room)
    assert take(room, session, encode_update(deleted(7, 1, 1))) == 0.0
    entered = room.ledger.entered
    assert take(room, session, encode_update(update)) is None
    step2 = b"\x00\x01" + encode_update(update)[2:]
    assert take(room, session, step2) is None
    assert room.ledger.entered == entered and room.history.clocks.next == {7: 3}
    assert take(room, session, letter(3)) == 0.0, "the next letter is still awaited"


STEPS = st.one_of(
    st.builds(lambda text: ("goes on", text), st.sampled_from(["x", "y", "ü", "word", "", "\U0001f600"])),
    st.builds(lambda back, text: ("jumps", back, text), st.integers(0, 9), st.sampled_from(["x", "paste"])),
    st.builds(lambda back, text: ("between", back, text), st.integers(1, 9), st.sampled_from(["x", "y"])),
    st.builds(lambda back, size: ("deletes", back, size), st.integers(-1, 9), st.integers(0, 3)),
    st.builds(lambda at, size: ("deletes theirs", at, size), st.integers(0, 5), st.integers(0, 3)),
    st.builds(lambda clock: ("repeats", clock), st.integers(0, 9)),
)


def made(step: tuple[object, ...], clock: int) -> bytes:
    """The step of an author whose next clock this is, who is client 7; client 9 has written four letters."""
    kind, number, *rest = step
    if kind == "goes on":
        return typed(7, clock, str(number))
    if not isinstance(number, int):
        raise TypeError(kind)
    place = max(0, clock - 1 - number)
    if kind == "jumps":
        return typed_after(7, clock, str(rest[0]), (7, place))
    if kind == "between":
        head = b"\x01\x01\x07" + write_varuint(clock) + b"\xc4\x07" + write_varuint(max(0, clock - 1))
        return head + b"\x07" + write_varuint(place) + write_varbytes(str(rest[0]).encode()) + b"\x00"
    if kind == "deletes":
        return deleted(7, max(0, clock - 1 - number), int(str(rest[0])))
    if kind == "deletes theirs":
        return deleted(9, number, int(str(rest[0])))
    return typed(7, number, "again")


def outcome(room: Room, session: Session, message: bytes, short: bool) -> str:
    """What becomes of a message that comes the one way, or both."""
    if short and session.streak is not None and take(room, session, message) is not None:
        return "taken"
    try:
        room.receive(session, message, 0.0)
    except CollabError as error:
        return error.code
    return "taken"


@given(st.lists(st.tuples(STEPS, st.none() | st.tuples(st.integers(0, 40), st.integers(0, 255))), max_size=25))
def test_whatever_is_sent_both_ways_give_the_same_room(
    steps: list[tuple[tuple[object, ...], tuple[int, int] | None]],
) -> None:
    """Keystrokes of all kinds, some of them damaged."""
    rooms = make_room(), make_room()
    sessions = [enter(room, "a")[0] for room in rooms]
    for room, session in zip(rooms, sessions, strict=True):
        room.submit(room.check(typed(9, 0, "them")), "rest", "rest", 0.0)
        for clock in range(3):
            room.receive(session, letter(clock), 0.0)
    for step, damage in steps:
        message = bytearray(encode_update(made(step, rooms[0].history.clocks.next[7])))
        if damage is not None:
            message[damage[0] % len(message)] = damage[1]
        both = [outcome(r, s, bytes(message), r is rooms[0]) for r, s in zip(rooms, sessions, strict=True)]
        assert both[0] == both[1]
        if both[0] != "taken":
            break
    one, other = rooms
    assert one.ledger.entered == other.ledger.entered and sessions[0].entered == sessions[1].entered
    assert one.history.clocks.next == other.history.clocks.next
    assert one.history.clocks.deleted == other.history.clocks.deleted
    assert len(one.pending) == len(other.pending)
    effects = [room.drain() for room in rooms]
    assert effects[0].entries == effects[1].entries and effects[0].updates == effects[1].updates


def test_what_was_held_for_the_letter_is_taken_with_it() -> None:
    room = make_room()
    session = typist(room)
    other, _ = enter(room, "b")
    room.receive(other, encode_update(deleted(7, 3, 1)), 0.0)
    assert len(room.pending) == 1
    assert take(room, session, letter(3)) == 0.0
    assert len(room.pending) == 0 and room.ledger.entered == 5


def lowered(room: Room, session: Session) -> None:
    session.access = Access.READ


def closed(room: Room, session: Session) -> None:
    room.read_only = Forbidden("quarantine")


def known(room: Room, session: Session) -> None:
    room.submit(room.check(typed(7, 3, "x")), "rest", "rest", 0.0)


def given_up(room: Room, session: Session) -> None:
    room.authors.leave(session)


def purged(room: Room, session: Session) -> None:
    room.retired_authors = frozenset((9,))


@pytest.mark.parametrize("change", [lowered, closed, known, given_up, purged])
def test_what_has_changed_meanwhile_is_looked_at_the_long_way(change: Callable[[Room, Session], None]) -> None:
    room = make_room()
    session = typist(room)
    change(room, session)
    entered = room.ledger.entered
    assert take(room, session, letter(3)) is None
    assert room.ledger.entered == entered and session.streak is None


def test_a_full_document_takes_no_letter() -> None:
    room = make_room(Limits(frames_per_s=0, document_bytes_max=20))
    session = typist(room)
    room.drain()
    assert take(room, session, letter(3)) is None


def test_letters_are_charged_like_any_frame() -> None:
    room = make_room(Limits(frames_per_s=10, frames_burst=4))
    session = typist(room)
    assert take(room, session, letter(3)) == 0.0
    assert take(room, session, letter(4)) == pytest.approx(0.1)
