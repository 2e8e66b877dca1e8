"""The fast path says what the parser says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt import keystroke
from collab.crdt.checked import Checked
from collab.crdt.decode import decode
from collab.crdt.gate import check, summarise
from collab.crdt.keystroke import read_keystroke
from collab.crdt.varints import read_varuint
from collab.errors import BadUpdate
from collab.limits import DEFAULT
from collab.protocol.varint import write_varuint as uint
from tests.crdt.grammar import CLIENTS, MadeUpdate, sized, updates

SOME = st.sampled_from([1, 127, 128, 300, 2**32 - 1, 2**53 - 1, 2**53, 2**56 - 1])
CLOCKS = st.integers(0, 300) | st.sampled_from([2**31 - 3, 2**31 - 2, 2**31 - 1, 2**31, 2**50])
PADDING = st.sampled_from([b"", b"\x00"])


def written(value: int, padding: bytes) -> bytes:
    """An integer, perhaps in more bytes than it needs: lib0 reads that too."""
    if not padding or value > 2**49:
        return uint(min(value, 2**56 - 1))
    plain = uint(value)
    return plain[:-1] + bytes((plain[-1] | 128,)) + padding


@st.composite
def keystrokes(draw: st.DrawFn) -> bytes:
    """What looks like a keystroke, good or not."""
    own, clock = draw(SOME), draw(CLOCKS)
    info = draw(st.sampled_from([0x84, 0xA4, 0xC4, 0xE4, 0x44, 0x64, 0x04, 0x81, 0xC8]))
    out = b"\x01\x01" + written(own, draw(PADDING)) + uint(clock) + bytes((info,))
    for bit in (0x80, 0x40):
        if info & bit:
            at = draw(st.sampled_from([max(clock - 1, 0), clock, clock + 1]) | CLOCKS)
            out += written(draw(st.sampled_from([own, own, 7, 2**53])), draw(PADDING)) + uint(at)
    text = draw(
        st.sampled_from([b"a", b"hello", b"", "ü😀".encode(), b"\xff", b"\xed\xa0\x80", b"x" * 127, b"x" * 128])
    )
    return (
        out
        + draw(st.sampled_from([sized(text), uint(len(text) + 1) + text]))
        + draw(st.sampled_from([b"\x00", b"", b"\x01"]))
    )


def slowly(update: bytes) -> Checked | None:
    try:
        return summarise(decode(update))
    except BadUpdate:
        return None


def fields(checked: Checked) -> tuple[object, ...]:
    """What both ways find out; only the fast one says what was typed."""
    return tuple(getattr(checked, name) for name in Checked.__slots__ if name not in ("text", "right", "follows"))


def assert_typed(fast: Checked) -> None:
    """What the fast path says of a string is in the bytes; an integer that is padded may hide that it follows."""
    (section,) = decode(fast.raw).sections
    (struct,) = section.structs
    assert (fast.text is not None) == (struct.info in (0x84, 0xC4))
    if fast.text is not None:
        assert fast.text == fast.raw[struct.body + 1 : struct.stop]
        assert struct.right == (read_id(fast.right) if fast.right else None)
        assert not fast.follows or struct.origin == (section.client, struct.clock - 1)


def read_id(data: bytes) -> tuple[int, int]:
    """A client and a clock, and nothing behind them."""
    client, offset = read_varuint(data, 0)
    clock, end = read_varuint(data, offset)
    assert end == len(data)
    return client, clock


def same(update: bytes) -> bool:
    """Compares the two ways; returns whether the fast one was taken."""
    fast, slow = read_keystroke(update, DEFAULT), slowly(update)
    if fast is not None:
        assert slow is not None and fields(fast) == fields(slow)
        if fast.runs:
            assert_typed(fast)
    return fast is not None


@given(keystrokes())
def test_typing(update: bytes) -> None:
    """Strings with any origins, sane or not."""
    same(update)


@given(SOME, CLOCKS, st.integers(0, 3) | st.sampled_from([2**24, 2**24 + 1]), st.sampled_from([b"", b"\x00"]))
def test_deleting(client: int, clock: int, length: int, rest: bytes) -> None:
    """One deleted range."""
    same(b"\x00\x01" + written(client, b"") + b"\x01" + uint(clock) + uint(length) + rest)


@given(updates())
def test_everything_else(made: MadeUpdate) -> None:
    """Whatever the grammar makes."""
    same(made.encode())


@given(CLIENTS, st.integers(0, 1000), st.binary(max_size=20))
def test_noise_behind_a_good_beginning(client: int, clock: int, noise: bytes) -> None:
    """Never taken by mistake."""
    same(b"\x01\x01" + uint(client) + uint(clock) + b"\x84" + noise)
    same(b"\x00\x01" + uint(client) + noise)


@pytest.mark.parametrize(
    "update",
    [
        "01 01 01 05 84 01 04 01 61 00",
        "01 01 01 05 c4 01 04 01 03 01 61 00",
        "01 01 01 05 44 02 00 04 f0 9f 98 80 00",
        "00 01 01 01 00 05",
    ],
)
def test_real_keystrokes_take_the_fast_path(update: str) -> None:
    """In the middle, at the end, at the start, and a deletion."""
    assert same(bytes.fromhex(update))


def test_clients_are_remembered_within_bounds() -> None:
    """A hostile client cannot fill the memory with ids that come once."""
    for client in range(2**40, 2**40 + 2 * keystroke._CLIENTS_MAX):
        check(b"\x00\x01" + uint(client) + b"\x01\x05\x01")
    assert len(keystroke._clients) <= keystroke._CLIENTS_MAX
