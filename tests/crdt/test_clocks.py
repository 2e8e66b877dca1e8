"""The room's bookkeeping against sets of single clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.clocks import Clocks
from collab.crdt.gate import check, check_state_vector
from collab.crdt.ids import IdRanges
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
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
