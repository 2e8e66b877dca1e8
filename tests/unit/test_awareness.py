"""Presence: what is news, who speaks for whom, and how the invisible become visible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.core.awareness import GONE, Awareness, decode_entries, encode_entries
from collab.core.session import Session
from collab.errors import BadFrame, CollabError, TooLarge
from collab.limits import DEFAULT, Limits
from collab.types import ANONYMOUS, Access
from tests.fakes import Recorder


def session(name: str = "s") -> Session:
    return Session(name, ANONYMOUS, Access.WRITE, Recorder(), DEFAULT)


entries = st.lists(
    st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1), st.sampled_from([b"{}", b'{"a":1}', GONE])),
    max_size=20,
)


@given(entries)
def test_entries_survive_the_wire(rows: list[tuple[int, int, bytes]]) -> None:
    assert decode_entries(encode_entries(rows), DEFAULT) == rows


@given(st.binary(max_size=200))
def test_any_bytes_give_entries_or_a_typed_error(body: bytes) -> None:
    try:
        rows = decode_entries(body, DEFAULT)
    except CollabError:
        return
    assert all(isinstance(client, int) for client, _, _ in rows)


@pytest.mark.parametrize("state", [b"NaN", b'{"a":NaN}', b"[1]", b'"x"', b"{", b"\xff", b"[" * 4000, b'{"a":Infinity}'])
def test_a_state_that_clients_could_not_parse_is_refused(state: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_entries(encode_entries([(1, 1, state)]), DEFAULT)


def test_a_lone_surrogate_that_javascript_escapes_is_relayed_as_it_came() -> None:
    state = b'{"name":"\\ud800"}'
    assert decode_entries(encode_entries([(1, 1, state)]), DEFAULT) == [(1, 1, state)]


def test_sizes_are_bounded() -> None:
    with pytest.raises(TooLarge):
        decode_entries(encode_entries([(1, 1, b'{"a":"' + b"x" * 5000 + b'"}')]), DEFAULT)
    with pytest.raises(TooLarge):
        decode_entries(encode_entries([(i, 1, GONE) for i in range(65)]), DEFAULT)


def test_only_newer_clocks_are_news_and_the_newest_state_is_told_once() -> None:
    table, me = Awareness(), session()
    table.receive(me, [(1, 1, b'{"x":1}'), (1, 2, b'{"x":2}')])
    assert decode_entries(table.drain() or b"", DEFAULT) == [(1, 2, b'{"x":2}')]
    table.receive(me, [(1, 2, b'{"x":3}')])
    assert table.drain() is None


def test_a_removal_at_the_same_clock_counts_and_the_clock_is_remembered() -> None:
    table, me = Awareness(), session()
    table.receive(me, [(1, 5, b"{}")])
    table.receive(me, [(1, 5, GONE)])
    assert len(table) == 0
    assert table.receive(me, [(1, 4, b"{}")]) == ([(1, 5, GONE)], [])
    assert len(table) == 0


def test_clock_zero_and_a_return_with_an_old_clock_are_nudged() -> None:
    table, first = Awareness(), session("first")
    assert table.receive(first, [(7, 0, b"{}")]) == ([(7, 0, GONE)], [])
    table.receive(first, [(7, 1, b"{}")])
    table.leave(first)
    again = session("again")
    assert table.receive(again, [(7, 1, b"{}")]) == ([(7, 1, GONE)], [])
    assert table.receive(again, [(7, 2, b"{}")]) == ([], [])
    assert len(table) == 1


def test_nobody_speaks_for_somebody_who_is_here() -> None:
    table, owner, other = Awareness(), session("owner"), session("other")
    table.receive(owner, [(1, 1, b'{"name":"Ada"}')])
    table.drain()
    assert table.receive(other, [(1, 9, b'{"name":"Eve"}'), (1, 9, GONE)]) == ([], [(1, 9, b'{"name":"Eve"}')])
    assert table.drain() is None
    assert table.people() == [(1, 1, b'{"name":"Ada"}')]


def test_a_leaver_takes_its_own_people_along_and_nobody_else() -> None:
    table, one, two = Awareness(), session("one"), session("two")
    table.receive(one, [(1, 1, b"{}"), (2, 1, b"{}")])
    table.receive(two, [(3, 1, b"{}")])
    table.drain()
    table.leave(one)
    assert decode_entries(table.drain() or b"", DEFAULT) == [(1, 1, GONE), (2, 1, GONE)]
    assert [client for client, _, _ in table.people()] == [3]


def test_memory_of_those_who_left_is_bounded() -> None:
    table, me = Awareness(), session()
    for client in range(10_500):
        table.receive(me, [(client, 1, b"{}"), (client, 1, GONE)])
        table.drain()
    assert len(table._clocks) <= 10_001


def test_who_is_back_makes_everybody_announce_again_and_once_is_enough_for_all_who_had_left() -> None:
    table = Awareness()
    here, away, too, back, also = (session(name) for name in ("here", "away", "too", "back", "also"))
    table.receive(here, [(1, 4, b"{}"), (11, 1, b"{}")])
    table.receive(away, [(2, 7, b"{}")])
    table.receive(too, [(3, 1, b"{}")])
    assert table.roll_call(too) == [], "nobody is back"
    table.leave(away)
    table.leave(too)
    table.receive(back, [(2, 7, b"{}")])
    assert table.roll_call(back) == [(here, (1, 4, GONE))], "one id of each: its own, or its tabs will tell"
    table.receive(also, [(3, 2, b"{}")])
    assert table.roll_call(also) == [], "its memory is older than the last roll call"
    table.leave(also)
    table.receive(session("again"), [(3, 2, b"{}")])
    assert table.roll_call(also) == [(here, (1, 4, GONE))]


def test_who_is_new_here_but_knows_the_document_is_asked_for_a_newer_clock() -> None:
    table, back, fresh = Awareness(), session("back"), session("fresh")
    back.returning = True
    assert table.receive(back, [(1, 5, b"{}")]) == ([(1, 5, GONE)], [])
    assert table.receive(back, [(1, 6, b"{}")]) == ([], [])
    assert table.receive(fresh, [(2, 5, b"{}")]) == ([], [])
    assert table.people() == [(1, 6, b"{}"), (2, 5, b"{}")]


def test_one_connection_speaks_for_so_many_and_no_more() -> None:
    table, me = Awareness(Limits(awareness_clients_max=3)), session()
    table.receive(me, [(client, 1, b"{}") for client in range(3)])
    with pytest.raises(TooLarge):
        table.receive(me, [(9, 1, b"{}")])
    table.receive(me, [(0, 2, GONE), (9, 1, b"{}")])
    assert sorted(client for client, _, _ in table.people()) == [1, 2, 9]
    table.leave(me)
    assert not table.people()


def test_all_states_together_are_bounded_and_space_comes_back() -> None:
    table, me, other = Awareness(Limits(awareness_document_bytes_max=20)), session(), session("other")
    table.receive(me, [(1, 1, b'{"a":"12345"}')])
    table.receive(other, [(2, 1, b'{"a":"12345"}')])
    assert [client for client, _, _ in table.people()] == [1]
    table.receive(me, [(1, 2, b"{}")])
    table.receive(other, [(2, 2, b'{"a":"12345"}')])
    assert [client for client, _, _ in table.people()] == [1, 2]
    table.leave(me)
    table.leave(other)
    assert table._bytes == 0
