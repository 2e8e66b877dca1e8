"""The short way says of a letter what the gate says, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.checked import Checked
from collab.crdt.gate import check
from collab.crdt.streak import Streak
from collab.errors import BadUpdate
from collab.limits import DEFAULT
from collab.protocol.messages import Kind, decode, encode_update
from collab.protocol.varint import write_varuint as uint

CLIENTS = st.sampled_from([1, 127, 128, 300, 2**32 - 1, 2**53 - 1])
CLOCKS = st.integers(1, 300) | st.sampled_from([16_383, 16_384, 2**21, 2**31 - 4, 2**31 - 3, 2**31 - 2])
RIGHTS = st.none() | st.tuples(CLIENTS, st.integers(0, 200))


def letter(client: int, clock: int, right: tuple[int, int] | None, text: bytes = b"x") -> bytes:
    """A string behind the client's last element, before `right`."""
    head = b"\x01\x01" + uint(client) + uint(clock) + (b"\x84" if right is None else b"\xc4")
    ids = uint(client) + uint(clock - 1) + (b"" if right is None else uint(right[0]) + uint(right[1]))
    return head + ids + uint(len(text)) + text + b"\x00"


def begun(client: int, clock: int, right: tuple[int, int] | None) -> Streak:
    """What awaits the letter at `clock + 1`."""
    return Streak(check(letter(client, clock, right)), DEFAULT)


def fields(checked: Checked) -> tuple[object, ...]:
    return tuple(getattr(checked, name) for name in Checked.__slots__)


def gated(message: bytes) -> Checked | None:
    """The long way."""
    try:
        kind, body = decode(message)
        return check(body) if kind is Kind.UPDATE else None
    except BadUpdate:
        return None


@given(CLIENTS, CLOCKS, RIGHTS, st.integers(1, 200))
def test_letters_that_go_on_are_read_as_the_gate_reads_them(
    client: int, clock: int, right: tuple[int, int] | None, count: int
) -> None:
    if right is not None and right[0] == client:
        right = (client, min(right[1], clock - 1))
    streak = begun(client, clock, right)
    for at in range(clock + 1, clock + 1 + count):
        message = encode_update(letter(client, at, right))
        found, expected = streak.read(message), gated(message)
        assert (found is None) == (expected is None)
        if found is None or expected is None:
            assert at >= DEFAULT.clock_max
            break
        assert fields(found) == fields(expected)
        streak.go_on()
        assert streak.clock == at + 1


@given(CLIENTS, CLOCKS, RIGHTS, st.data())
def test_whatever_else_is_read_is_what_the_gate_would_let_through(
    client: int, clock: int, right: tuple[int, int] | None, data: st.DataObject
) -> None:
    if right is not None and right[0] == client:
        right = (client, min(right[1], clock - 1))
    streak = begun(client, clock, right)
    message = bytearray(encode_update(letter(client, clock + 1, right)))
    for _ in range(data.draw(st.integers(0, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    found = streak.read(bytes(message))
    if found is not None:
        expected = gated(bytes(message))
        assert expected is not None and fields(found) == fields(expected)


@pytest.mark.parametrize(
    "update",
    [
        letter(7, 11, None),  # a gap
        letter(7, 9, None),  # once more
        letter(8, 10, None),  # another client
        letter(7, 10, (7, 3)),  # in another place
        letter(7, 10, None, "ü".encode()),
        letter(7, 10, None, b"\xff"),
        letter(7, 10, None, b"xy"),
        letter(7, 10, None)[:-1],
        letter(7, 10, None)[:-1] + b"\x01",
        letter(7, 10, None) + b"\x00",
        b"",
        b"\x00\x00",
    ],
)
def test_other_messages_are_left_to_the_gate(update: bytes) -> None:
    streak = begun(7, 9, None)
    assert streak.read(encode_update(update)) is None
    assert streak.read(encode_update(letter(7, 10, None))) is not None


def test_what_its_author_typed_elsewhere_is_gone_on_with() -> None:
    streak = begun(7, 9, None)
    streak.follow(check(letter(7, 10, (9, 3))))
    message = encode_update(letter(7, 11, (9, 3)))
    found, expected = streak.read(message), gated(message)
    assert found is not None and expected is not None and fields(found) == fields(expected)
    streak.go_on()
    streak.follow(check(b"\x01\x01\x07\x0c\x84\x07\x02\x01x\x00"))  # a jump
    assert streak.clock == 13
    assert streak.read(encode_update(letter(7, 13, None))) is None, "what stands right of it is not known"
    streak.follow(check(letter(7, 13, None)))
    assert streak.read(encode_update(letter(7, 14, None))) is not None


def test_no_message_is_read_in_part() -> None:
    streak, message = begun(7, 9, None), encode_update(letter(7, 10, None))
    for cut in range(len(message)):
        assert streak.read(message[:cut]) is None
    assert streak.read(message + b"\x00") is None
    step2 = b"\x00\x01" + message[2:]
    assert streak.read(step2) is None


def test_the_last_clock_is_the_gates_last_clock() -> None:
    limits = replace(DEFAULT, clock_max=11)
    streak = Streak(check(letter(7, 9, None)), limits)
    assert streak.read(encode_update(letter(7, 10, None))) is not None
    streak.go_on()
    assert streak.read(encode_update(letter(7, 11, None))) is None
    with pytest.raises(BadUpdate):
        check(letter(7, 11, None), limits)
