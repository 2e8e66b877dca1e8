"""Folding, rule by rule. That it means the same to yjs is for `test_histories`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt import fold as fold_module
from collab.crdt.decode import decode
from collab.crdt.fold import fold, verify
from collab.crdt.gate import check
from collab.crdt.ids import IdRanges
from collab.errors import BadUpdate
from collab.limits import DEFAULT
from collab.protocol.varint import write_varuint as uint
from tests.crdt.grammar import Made, MadeUpdate, sized, units, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed, typed_after


@given(logs(), st.data())
def test_folding_in_steps_is_folding_at_once(log: list[bytes], data: st.DataObject) -> None:
    """To the byte; and folding a fold changes nothing."""
    cut = data.draw(st.integers(0, len(log)))
    at_once = fold(None, log)
    assert fold(fold(None, log[:cut]), log[cut:]) == at_once
    assert fold(at_once, []) == at_once
    verify(at_once, None, log)


def test_a_long_log_is_folded_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same result, and bounded memory."""
    log = [typed(1, at, "x") for at in range(100)]
    whole = fold(None, log)
    monkeypatch.setattr(fold_module, "AT_ONCE", 7)
    assert fold(None, log) == whole == typed(1, 0, "x" * 100)


@given(st.lists(updates(), max_size=3))
def test_a_fold_holds_everything(made: list[MadeUpdate]) -> None:
    """Of any updates at all, most of them full of gaps."""
    parts = [each.encode() for each in made]
    folded = fold(None, parts)
    verify(folded, None, parts)
    assert fold(folded, []) == folded


def kinds(update: bytes) -> list[tuple[int, int, int]]:
    """(clock, end, content kind) of each struct."""
    return [
        (struct.clock, struct.end, struct.info & 31)
        for section in decode(update).sections
        for struct in section.structs
    ]


def value(text: str) -> Made:
    return Made(8, 1, b"\x01\x77" + sized(text.encode()))


def made(client: int, clock: int, *structs: Made) -> bytes:
    return MadeUpdate({client: (clock, list(structs))}).encode()


def test_typing_becomes_one_string() -> None:
    """Its bytes are those of pasting the text."""
    log = [typed(1, at, letter) for at, letter in enumerate("hello")]
    assert fold(None, log) == typed(1, 0, "hello")


def test_strings_apart_stay_apart() -> None:
    """Another right neighbour at the time of typing is another place."""
    first = made(1, 0, Made(4, 2, sized(b"ab"), parent=b"t"))
    between = made(1, 2, Made(4, 1, sized(b"x"), origin=(1, 0), right=(1, 1)))
    after = made(1, 3, Made(4, 1, sized(b"y"), origin=(1, 2)))
    assert kinds(fold(None, [first, between, after])) == [(0, 2, 4), (2, 3, 4), (3, 4, 4)]


def test_deleted_text_leaves_the_state() -> None:
    """Only its length and place stay; what is around it is kept."""
    folded = fold(None, [typed(1, 0, "a secret b"), deleted(1, 2, 6)])
    assert b"secret" not in folded and kinds(folded) == [(0, 2, 4), (2, 8, 1), (8, 10, 4)]


@pytest.mark.parametrize("at, length, left", [(1, 1, "a\ufffd|\ufffdb"), (2, 1, "a\ufffd|b"), (1, 2, "a|b")])
def test_half_a_pair_is_replaced_as_in_yjs(at: int, length: int, left: str) -> None:
    """Deleting one unit of a surrogate pair leaves U+FFFD in the place of the other."""
    folded = fold(None, [typed(1, 0, "a😀b"), deleted(1, at, length)])
    texts = [
        folded[struct.body + 1 : struct.stop].decode()
        for struct in decode(folded).sections[0].structs
        if struct.info & 31 == 4
    ]
    assert units("".join(texts)) == 4 - length
    if (at, length) == (1, 1):
        assert texts == ["a", "\ufffdb"]
    else:
        assert "|".join(texts) == left


def test_values_are_joined_and_deleted_one_by_one() -> None:
    """An array is a list like any text."""
    first = made(1, 0, Made(8, 3, b"\x03\x78\x79\x7e", parent=b"a"))
    second = made(1, 3, Made(8, 1, b"\x01\x78", origin=(1, 2)))
    assert kinds(fold(None, [first, second])) == [(0, 4, 8)]
    assert kinds(fold(None, [first, second, deleted(1, 1, 2)])) == [(0, 1, 8), (1, 3, 1), (3, 4, 8)]


def test_a_deleted_type_takes_its_children_along() -> None:
    """They become GC, whoever wrote them; the type itself keeps its place."""
    holder = made(1, 0, Made(7, 1, b"\x01", parent=b"a"))
    inner = made(1, 1, Made(7, 1, b"\x00", parent=(1, 0), key=b"k"))
    child = made(2, 0, Made(8, 1, b"\x01\x78", parent=(1, 1)))
    follower = made(2, 1, Made(8, 1, b"\x01\x78", origin=(2, 0)))
    folded = fold(None, [holder, inner, child, follower, deleted(1, 0, 1)])
    assert kinds(folded) == [(0, 2, 0), (0, 1, 1), (1, 2, 0)]
    assert IdRanges.of(check(folded).deletes) == IdRanges.of([(1, 0, 2), (2, 0, 2)])


def test_children_that_come_after_the_collection_are_collected_too() -> None:
    """A peer that did not know yet wrote into the deleted type."""
    holder = made(1, 0, Made(7, 1, b"\x02", parent=b"a"))
    base = fold(None, [holder, deleted(1, 0, 1)])
    assert kinds(fold(base, [made(2, 0, Made(4, 1, sized(b"x"), parent=(1, 0)))])) == [(0, 1, 0), (0, 1, 1)]


def test_a_replaced_value_is_deleted() -> None:
    """Though nobody's delete set says so: of two concurrent values the higher client's stays."""
    one = made(1, 0, Made(7, 1, b"\x01", parent=b"m", key=b"k"))
    inside = made(1, 1, Made(8, 1, b"\x01\x78", parent=(1, 0), key=b"x"))
    two = made(2, 0, Made(8, 1, b"\x01\x78", parent=b"m", key=b"k"))
    folded = fold(None, [one, inside, two])
    assert kinds(folded) == [(0, 1, 8), (0, 1, 1), (1, 2, 0)]
    assert list(check(folded).deletes) == [(1, 0, 2)]


def test_a_child_of_a_string_is_collected() -> None:
    """The gate cannot see it if the string is older; yjs puts a GC there as well."""
    folded = fold(None, [typed(1, 0, "a"), made(2, 0, Made(4, 1, sized(b"x"), parent=(1, 0)))])
    assert kinds(folded) == [(0, 1, 0), (0, 1, 4)]


def test_what_is_pending_is_kept_as_it_is() -> None:
    """Behind a gap, or hanging on what is not there; even if it is deleted already."""
    holder = made(1, 0, Made(7, 1, b"\x01", parent=b"a"))
    hanging = made(2, 0, Made(8, 1, b"\x01\x78", origin=(3, 7)), Made(8, 1, b"\x01\x78", origin=(2, 0)))
    behind = made(1, 5, Made(8, 1, b"\x01\x79", parent=(1, 0)))
    folded = fold(None, [holder, hanging, behind, deleted(1, 0, 9), deleted(2, 0, 1)])
    assert kinds(folded) == [(0, 1, 8), (1, 2, 8), (0, 1, 1), (1, 5, 10), (5, 6, 8)]
    assert list(check(folded).deletes) == [(2, 0, 1), (1, 0, 9)]
    missing = made(1, 1, *[Made(8, 1, b"\x01\x78", parent=(1, 0)) for _ in range(4)])
    whole = fold(folded, [missing, typed(3, 0, "12345678")])
    assert kinds(whole) == [(0, 8, 4), (0, 1, 1), (1, 2, 8), (0, 1, 1), (1, 6, 0)]


def test_runs_do_not_grow_beyond_what_the_gate_takes() -> None:
    """Joining may not make a struct that a later load would refuse."""
    longest = DEFAULT.deleted_run_max
    log = [made(1, at * longest, Made(0, longest, uint(longest))) for at in range(3)]
    folded = fold(None, [*log, made(1, 3 * longest, Made(0, 5, b"\x05"))])
    verify(folded, None, log)
    assert len(decode(folded).sections[0].structs) == 4


def test_types_that_nest_deeply_in_the_end_can_be_folded() -> None:
    """Each update was within bounds; the document must not be stuck because of it."""
    first = made(1, 0, Made(7, 1, b"\x01", parent=b"a"))
    log = [first, *(made(1, at, Made(7, 1, b"\x01", parent=(1, at - 1))) for at in range(1, 2000))]
    folded = fold(None, log)
    verify(folded, None, log)
    assert kinds(fold(folded, [deleted(1, 0, 1)])) == [(0, 1, 1), (1, 2000, 0)]


def test_nothing_folds_to_the_empty_update() -> None:
    """Two zero bytes."""
    assert fold(None, []) == fold(b"\0\0", []) == b"\0\0"


@pytest.mark.parametrize("lost", ["a clock", "a deletion", "sense"])
def test_a_fold_that_lost_something_does_not_pass(lost: str) -> None:
    """It is then not stored."""
    base, log = typed(1, 0, "abc"), [typed(1, 3, "d"), deleted(1, 1, 2)]
    verify(fold(base, log), base, log)
    wrong = {"a clock": fold(base, log[1:]), "a deletion": fold(base, log[:1]), "sense": fold(base, log)[:-1]}[lost]
    with pytest.raises(BadUpdate):
        verify(wrong, base, log)
    with pytest.raises(BadUpdate):
        verify(wrong, None, [base, *log])


def test_a_base_that_is_none_is_refused() -> None:
    """Nothing is made of damaged bytes."""
    with pytest.raises(BadUpdate):
        fold(b"\x01", [typed_after(1, 0, "a", (2, 0))])
