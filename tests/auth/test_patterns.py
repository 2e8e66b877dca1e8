"""Document patterns: one star, no surprises."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth.patterns import PATTERN_CHARS_MAX, STARS_MAX, check_pattern, matches
from collab.errors import Unprocessable


@pytest.mark.parametrize(
    ("pattern", "document", "covered"),
    [
        ("team-a/*", "team-a/x", True),
        ("team-a/*", "team-a/x/y", True),
        ("team-a/*", "team-a/", True),
        ("team-a/*", "team-a", False),
        ("team-a/*", "team-ab/x", False),
        ("team-a/*", "Team-a/x", False),
        ("team-a/*", "x/team-a/x", False),
        ("team-a/*", "team-b/../team-a/x", False),
        ("team-a/*", "team-a/../team-b/x", True),  # ids are not paths: this one lies in team-a, whatever it looks like
        ("*", "", True),
        ("*", "anything at all", True),
        ("*/minutes", "a/minutes", True),
        ("*/minutes", "minutes", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "abbcc", True),
        ("a*b*c", "acb", False),
        ("**", "x", True),
        ("notes", "notes", True),
        ("notes", "notes2", False),
        ("a.c", "abc", False),
        ("[ab]", "a", False),
        ("?", "a", False),
        ("\u00e9", "e\u0301", False),  # not normalised
    ],
)
def test_what_a_pattern_covers(pattern: str, document: str, covered: bool) -> None:
    assert matches(pattern, document) is covered


@given(st.text("ab*", max_size=12), st.text("ab", max_size=16))
def test_it_agrees_with_the_regular_expression_that_the_words_describe(pattern: str, document: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, document) is (re.fullmatch(expression, document, re.DOTALL) is not None)


def test_the_worst_pattern_takes_few_steps() -> None:
    assert not matches("a*" * STARS_MAX + "b", "a" * 200)


@pytest.mark.parametrize(
    "pattern", ["", "a\n", "a\x00", "\u202e", "x" * (PATTERN_CHARS_MAX + 1), "*" * (STARS_MAX + 1)]
)
def test_patterns_that_nobody_could_check_by_eye_are_refused(pattern: str) -> None:
    with pytest.raises(Unprocessable):
        check_pattern(pattern)
