"""Editing by code points what pycrdt counts in bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from collab.errors import BadRequest
from collab.replay.arrivals import Arrivals, read_deletes, read_vector
from collab.replay.screen import Screen

LETTERS = st.text(st.sampled_from("aß灯🐦\u200d̈"), max_size=6)


@st.composite
def sessions(
    draw: st.DrawFn, letters: st.SearchStrategy[str] = LETTERS
) -> tuple[list[list[tuple[int, int, str]]], str]:
    text, transactions = "", []
    for _ in range(draw(st.integers(1, 8))):
        patches = []
        for _ in range(draw(st.integers(0, 3))):
            position = draw(st.integers(0, len(text)))
            deleted = draw(st.integers(0, len(text) - position))
            inserted = draw(letters)
            text = text[:position] + inserted + text[position + deleted :]
            patches.append((position, deleted, inserted))
        transactions.append(patches)
    return transactions, text


@given(sessions())
def test_patches_do_what_they_do_to_a_python_string(session: tuple[list[list[tuple[int, int, str]]], str]) -> None:
    screen = Screen("text", ascii_only=False)
    for patches in session[0]:
        screen.type(patches)
    assert str(screen) == session[1]


@given(sessions(st.text(st.sampled_from("abc"), max_size=4)))
def test_the_short_cut_for_ascii_does_the_same(session: tuple[list[list[tuple[int, int, str]]], str]) -> None:
    screen = Screen("text", ascii_only=True)
    for patches in session[0]:
        screen.type(patches)
    assert str(screen) == session[1]


@given(sessions())
def test_what_was_typed_is_known_to_have_arrived_when_all_of_it_was_taken(
    session: tuple[list[list[tuple[int, int, str]]], str],
) -> None:
    screen, arrivals = Screen("text", ascii_only=False), Arrivals()
    for patches in session[0]:
        typed = screen.type(patches)
        if typed is not None:
            clock = read_vector(typed.vector)[screen.doc.client_id]
            deleted = read_deletes(typed.deletes)
            assert not arrivals.has(screen.doc.client_id, clock, deleted)
            assert arrivals.take(typed.update)
            assert arrivals.has(screen.doc.client_id, clock, deleted)
            assert not arrivals.take(typed.update)
    assert str(arrivals.doc.get("text", type=Text)) == session[1]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_others_edits_move_the_offsets(ascii_only: bool) -> None:
    screen = Screen("text", ascii_only)
    screen.type([(0, 0, "world")])
    other: Doc[Text] = Doc()
    other.apply_update(screen.doc.get_update())
    other.get("text", type=Text).insert(0, "hello ")
    screen.merge(other.get_update(screen.doc.get_state()))
    screen.type([(11, 0, "!"), (0, 1, "H")])
    assert str(screen) == "Hello world!"


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("patch", [(4, 0, "a"), (2, 2, ""), (0, 4, ""), (-1, 0, "a")])
def test_a_patch_outside_the_text_is_refused(ascii_only: bool, patch: tuple[int, int, str]) -> None:
    screen = Screen("text", ascii_only)
    screen.type([(0, 0, "abc")])
    with pytest.raises(BadRequest):
        screen.type([patch])
    assert str(screen) == "abc"
