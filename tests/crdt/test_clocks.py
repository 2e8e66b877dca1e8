"""The room's bookkeeping against sets of single clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.checked import Weighed
from collab.crdt.clocks import AT_ONCE, FEW_CLIENTS, Clocks
from collab.crdt.gate import check, check_state_vector
from collab.crdt.ids import IdRanges
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from collab.protocol.varint import write_varuint
from tests.crdt.grammar import MadeUpdate, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed, typed_after


@given(logs())
def test_a_log_is_ready_in_its_order_and_known_afterwards(log: list[bytes]) -> None:
    """What has been noted adds nothing."""
    clocks = Clocks()
    for update in log:
        checked = check(update)
        assert clocks.is_ready(checked)
        clocks.advance(checked)
        assert clocks.adds_nothing(checked)
        assert clocks.is_ready(checked)


@given(logs().filter(bool), st.integers(1, 3), st.data())
def test_steps_say_what_is_said_at_once(log: list[bytes], at_once: int, data: st.DataObject) -> None:
    """Of each update after any part of the log; and what is noted in steps is what is noted at once."""
    asked = check(data.draw(st.sampled_from(log)))
    clocks = Clocks()
    for update in log[: data.draw(st.integers(0, len(log)))]:
        clocks.advance(check(update))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.clocks.AT_ONCE", at_once)
        patch.setattr("collab.crdt.clocks.FEW_CLIENTS", 0)
        *steps, said = clocks.weighing(asked)
        assert steps == [None] * len(steps) and said is not None
        assert isinstance(said, Weighed) is clocks.is_ready(asked)
        if not isinstance(said, Weighed):
            assert said is asked
            return
        assert said.adds is not clocks.adds_nothing(asked)
        assert clocks.is_ready(said) and clocks.adds_nothing(said) is not said.adds
        at_once_noted = clocks.copy()
        at_once_noted.advance(asked)
        clocks.advance(said)
        for _ in clocks.noting(said.deletes):
            pass
        assert (clocks.next, clocks.deleted) == (at_once_noted.next, at_once_noted.deleted)
        assert check_state_vector(clocks.encode_state_vector()) == clocks.next


def test_the_vector_of_very_many_is_written_where_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(dict.fromkeys(range(FEW_CLIENTS + 1), 5))
    assert check_state_vector(clocks.encode_state_vector()) == clocks.next
    written: list[int] = []
    monkeypatch.setattr("collab.crdt.clocks.write_varuint", lambda value: written.append(value) or write_varuint(value))
    clocks.reach(9, 6)
    clocks.advance(check(typed(5_000, 0, "x")))
    assert check_state_vector(clocks.encode_state_vector()) == clocks.next
    assert len(written) == 5, "the count, and two clients with their clocks"


@given(logs(), st.randoms(use_true_random=False))
def test_any_order_ends_at_the_same_clocks_once_all_is_ready(log: list[bytes], random: object) -> None:
    """Trying again and again what was not ready."""
    straight, mixed = Clocks(), Clocks()
    for update in log:
        straight.advance(check(update))
    rest = [check(update) for update in log]
    random.shuffle(rest)  # type: ignore[attr-defined]
    while rest:
        ready = [each for each in rest if mixed.is_ready(each)]
        assert ready
        mixed.advance(ready[0])
        rest.remove(ready[0])
    assert (mixed.next, mixed.deleted) == (straight.next, straight.deleted)


@given(updates())
def test_what_is_missing(made: MadeUpdate) -> None:
    """An update is ready or names clocks that are not known; knowing any of them brings one further."""
    checked, clocks = check(made.encode()), Clocks()
    for _ in range(50):
        if clocks.is_ready(checked):
            break
        missing = clocks.missing(checked)
        assert missing and all(clock > clocks.next.get(client, 0) for client, clock in missing.items())
        clocks.next.update([missing.popitem()])
    assert clocks.is_ready(checked)
    assert clocks.missing(checked) == {}


def test_gaps_references_and_deletions_are_waited_for() -> None:
    """Each of the three, by itself."""
    clocks = Clocks({1: 5})
    assert clocks.missing(check(typed(1, 7, "x"))) == {1: 7}
    assert clocks.missing(check(typed_after(2, 0, "x", (1, 9)))) == {1: 10}
    assert clocks.missing(check(deleted(1, 3, 4))) == {1: 7}
    assert clocks.missing(check(merge([typed(1, 7, "x"), typed(3, 4, "y")]))) == {1: 7, 3: 4}
    assert clocks.is_ready(check(deleted(1, 3, 2)))
    assert clocks.is_ready(check(typed(1, 3, "xyz")))  # overlaps, and reaches further


def test_deletions_count_for_what_is_new() -> None:
    """A state vector says nothing of them."""
    clocks = Clocks({1: 5})
    update = check(deleted(1, 1, 3))
    assert not clocks.adds_nothing(update)
    clocks.advance(check(deleted(1, 1, 2)))
    assert not clocks.adds_nothing(update)
    clocks.advance(check(deleted(1, 3, 1)))
    assert clocks.adds_nothing(update)


def test_new_clients_are_told_once() -> None:
    """Those that have written nothing yet."""
    clocks = Clocks({1: 5})
    update = check(merge([typed(1, 5, "x"), typed(9, 0, "y"), typed(8, 0, "z")]))
    assert sorted(clocks.new_clients(update)) == [8, 9]


@given(logs())
def test_a_stored_state_gives_the_clocks_back(log: list[bytes]) -> None:
    """By its index, without parsing its structs; and as a state vector."""
    clocks = Clocks()
    for update in log:
        clocks.advance(check(update))
    state = merge(log)
    loaded = Clocks.from_index(StateIndex.decode(build(state), state))
    assert (loaded.next, loaded.deleted) == (clocks.next, clocks.deleted)
    assert check_state_vector(clocks.encode_state_vector()) == clocks.next


def test_a_copy_goes_its_own_way() -> None:
    """A slow reader's last knowledge must not move with the room."""
    clocks = Clocks({1: 5})
    copy = clocks.copy()
    clocks.advance(check(typed(1, 5, "x")))
    clocks.advance(check(deleted(1, 0, 1)))
    assert (copy.next, copy.deleted) == ({1: 5}, IdRanges())
    assert clocks.encode_state_vector() == b"\x01\x01\x06"


def test_what_others_bring_between_two_steps_is_not_undone_by_who_asked_before() -> None:
    clocks = Clocks()
    update = check(merge([typed(client, 0, "abc") for client in range(1, 2 * AT_ONCE)]))
    *_, weighed = clocks.weighing(update)
    assert isinstance(weighed, Weighed) and weighed.adds
    clocks.advance(check(typed(5, 0, "abcdef")))
    clocks.advance(weighed)
    assert clocks.next == dict.fromkeys(range(1, 2 * AT_ONCE), 3) | {5: 6}


def test_what_an_update_waits_for_is_found_in_steps_and_looked_at_again_when_some_of_it_is_there() -> None:
    clocks = Clocks()
    update = check(merge([typed_after(client, 0, "x", (9_000, client)) for client in range(1, 3 * AT_ONCE)]))
    *steps, missing = clocks.finding_missing(update)
    assert missing == clocks.missing(update) == {9_000: 3 * AT_ONCE}
    assert len(steps) >= 3
    assert not clocks.has_reached(missing)
    clocks.advance(check(typed(9_000, 0, "x" * 3 * AT_ONCE)))
    assert clocks.has_reached(missing)
    *_, known = clocks.reading_known(update)
    assert known == {9_000: 3 * AT_ONCE}
