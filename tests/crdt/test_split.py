"""Splitting loses nothing, lets nothing through too early, and keeps bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.clocks import Clocks
from collab.crdt.decode import decode
from collab.crdt.gate import Checked, check
from collab.crdt.ids import IdRanges
from collab.crdt.merge import merge
from collab.crdt.split import split, without_clients
from tests.crdt.grammar import MadeUpdate, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed, typed_after


def structs(update: bytes) -> set[tuple[int, int, bytes]]:
    """(client, clock, bytes) of every struct but gaps."""
    decoded = decode(update)
    return {
        (section.client, struct.clock, update[struct.start : struct.stop])
        for section in decoded.sections
        for struct in section.structs
        if struct.info != 10
    }


def parts(update: Checked, clocks: Clocks) -> tuple[Checked | None, Checked | None]:
    ready, ahead = split(update, clocks)
    return ready and check(ready), ahead and check(ahead)  # type: ignore[return-value]


@st.composite
def knowledge(draw: st.DrawFn, made: MadeUpdate) -> Clocks:
    """Clocks around those of the update."""
    clocks = Clocks()
    for client, _, end in made.runs():
        known = draw(st.sampled_from([0, end, end // 2]) | st.integers(0, end + 3))
        if known:
            clocks.next[client] = known
    for reference in dict(check(made.encode()).needs):
        clocks.next.setdefault(reference, draw(st.sampled_from([0, 5, 2000])))
    for client, pairs in made.deletes.items():
        if pairs and draw(st.sampled_from([True, False])):
            clocks.next.setdefault(client, pairs[0][0] + 1)
    return clocks


@given(updates(), st.data())
def test_nothing_is_lost_and_nothing_comes_early(made: MadeUpdate, data: st.DataObject) -> None:
    """The ready part is ready, the rest does not even begin to be; what is in neither was known."""
    checked, clocks = check(made.encode()), data.draw(knowledge(made))
    before = structs(checked.raw)
    ready, ahead = parts(checked, clocks)
    now = structs(ready.raw) if ready else set()
    later = structs(ahead.raw) if ahead else set()
    assert not now & later and now | later <= before
    ends = {(section.client, s.clock): s.end for section in decode(checked.raw).sections for s in section.structs}
    for client, clock, _ in before - now - later:
        assert ends[client, clock] <= clocks.next.get(client, 0)
    after = clocks.copy()
    if ready:
        assert clocks.is_ready(ready) and not clocks.adds_nothing(ready)
        after.advance(ready)
    if ahead:
        assert not after.is_ready(ahead)
        assert split(ahead, after)[0] is None
    deletes = IdRanges.of([*(ready.deletes if ready else ()), *(ahead.deletes if ahead else ())])
    assert deletes == IdRanges.of(checked.deletes)


@given(logs(), st.integers(0, 12))
def test_a_returning_client_brings_only_what_is_new(log: list[bytes], known: int) -> None:
    """Its whole state against a room that knows a part of it: known structs and deletions stay out."""
    clocks = Clocks()
    for update in log[:known]:
        clocks.advance(check(update))
    everything = check(merge(log))
    ready, ahead = parts(everything, clocks)
    assert ahead is None
    if clocks.adds_nothing(everything):
        assert ready is None
    else:
        assert ready is not None
        assert not clocks.deleted.bounds or not any(clocks.deleted.contains(*each) for each in ready.deletes)
        clocks.advance(ready)
        assert clocks.adds_nothing(everything)


def test_a_deletion_of_the_future_waits_for_all_of_it() -> None:
    """Else one small message would delete whatever a victim writes, as it is written."""
    clocks = Clocks({1: 5})
    ready, ahead = parts(check(deleted(1, 3, 1000)), clocks)
    assert ready is not None and ready.deletes == ((1, 3, 5),)
    assert ahead is not None and ahead.deletes == ((1, 5, 1003),)
    clocks.advance(check(typed(1, 5, "hello")))
    assert not clocks.is_ready(ahead)
    assert clocks.missing(ahead) == {1: 1003}


def test_one_client_waits_while_another_goes_on() -> None:
    """And what hangs on the waiting one waits too."""
    update = check(merge([typed(1, 0, "a"), typed(2, 4, "b"), typed_after(3, 0, "c", (2, 4))]))
    ready, ahead = parts(update, Clocks())
    assert ready is not None and ready.runs == ((1, 0, 1),)
    assert ahead is not None and set(ahead.runs) == {(2, 4, 5), (3, 0, 1)}


def test_known_structs_before_a_gap_do_not_hold_up_the_rest() -> None:
    """A gap that the room can fill is none."""
    gappy = check(merge([typed(1, 0, "ab"), typed(1, 6, "cd")]))
    ready, ahead = split(gappy, Clocks({1: 6}))
    assert ready == typed(1, 6, "cd") and ahead is None


@given(updates(), st.data())
def test_without_some_clients(made: MadeUpdate, data: st.DataObject) -> None:
    """Theirs is gone, the others' is there byte for byte, deletions stay."""
    update = made.encode()
    unwanted = set(data.draw(st.lists(st.sampled_from([*made.sections, 12345]), max_size=3)))
    left = without_clients(update, unwanted)
    wanted = {each for each in structs(update) if each[0] not in unwanted}
    if left is None:
        assert not wanted and not check(update).deletes
    else:
        assert structs(left) == wanted
        assert check(left).deletes == check(update).deletes
