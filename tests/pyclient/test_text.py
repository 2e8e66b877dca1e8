"""Edits by characters, against Python's own strings."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Doc, Text

from collab_client import text

LETTERS = "ab \né😀🏳️‍🌈\ufffdß"


def of(content: str) -> Text:
    """A text in a document of its own."""
    doc: Doc[Any] = Doc()
    found: Text = doc.get("t", type=Text)
    found += content
    return found


@pytest.mark.parametrize("seed", range(20))
def test_random_edits_do_what_they_do_to_a_string(seed: int) -> None:
    chance = random.Random(seed)
    wanted, target = "", of("")
    for _ in range(60):
        at = chance.randint(0, len(wanted))
        if chance.random() < 0.6:
            new = "".join(chance.choices(LETTERS, k=chance.randint(1, 4)))
            text.insert(target, at, new)
            wanted = wanted[:at] + new + wanted[at:]
        else:
            size = chance.randint(0, len(wanted) - at)
            text.delete(target, at, size)
            wanted = wanted[:at] + wanted[at + size :]
        assert text.read(target) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_rewriting_reaches_any_text(seed: int) -> None:
    chance = random.Random(seed)
    before, after = ("".join(chance.choices(LETTERS, k=chance.randint(0, 60))) for _ in range(2))
    target = of(before)
    assert text.rewrite(target, after) == (before != after)
    assert text.read(target) == after


def test_a_word_changed_keeps_everything_else() -> None:
    assert text.changes("the quick fox", "the slow fox") == [(4, 9, "slow")]
    assert text.changes("a" * 9000, "a" * 9000 + "b") == [(9000, 9000, "b")]
    long = text.changes("x" + "ab" * 3000 + "y", "x" + "cd" * 3000 + "y")
    assert long == [(1, 6001, "cd" * 3000)]


def test_what_is_embedded_is_one_character_and_stays() -> None:
    target = of("a😀b")
    target.insert_embed(5, {"image": "cat"})
    text.rewrite(target, "a😀\ufffcbc")
    assert [insert for insert, _ in target.diff()] == ["a😀", {"image": "cat"}, "bc"]


@pytest.mark.parametrize(("index", "length"), [(-1, 1), (4, 0), (1, 3), (1, -1)])
def test_what_is_outside_is_an_error_and_changes_nothing(index: int, length: int) -> None:
    target = of("a😀b")
    with pytest.raises(IndexError):
        text.delete(target, index, length)
    with pytest.raises(IndexError):
        text.insert(target, index if index in (-1, 4) else 9, "x")
    assert text.read(target) == "a😀b"
