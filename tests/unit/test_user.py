"""What may be shown of a user."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.core.user import USER_ID_CHARS_MAX, USER_NAME_CHARS_MAX, check_user, clean_name
from collab.errors import Unprocessable


@pytest.mark.parametrize(
    ("name", "color"),
    [("Ada", "#ff8800"), ("Ada Lovelace", "#FF8800"), ("\u5f20\u4f1f", None), (None, None),
     ("<b>x</b>", None), ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),
     ("\U0001f469\u200d\U0001f4bb", None)]
)  # fmt: skip
def test_real_names_pass(name: str | None, color: str | None) -> None:
    check_user("user-1", name, color)


@pytest.mark.parametrize(
    ("id", "name", "color"),
    [
        ("", None, None), ("a\nb", None, None), ("a" * (USER_ID_CHARS_MAX + 1), None, None), ("\x1b[2J", None, None),
        ("u", "", None), ("u", "a" * (USER_NAME_CHARS_MAX + 1), None), ("u", "\u202eadmin", None),
        ("u", "a\r\nb", None),
        ("u", None, "red"), ("u", None, "#fff"), ("u", None, "#ff8800;background:url(x)"), ("u", None, "#ff8800\n"),
        ("u", None, "#\uff46\uff46\uff46\uff46\uff46\uff46"),
    ],
)  # fmt: skip
def test_what_could_do_harm_in_an_editor_or_a_log_is_refused(id: str, name: str | None, color: str | None) -> None:
    with pytest.raises(Unprocessable):
        check_user(id, name, color)


@given(st.text(max_size=200))
def test_a_cleaned_name_is_one_that_passes(name: str) -> None:
    check_user("user-1", clean_name(name), None)


def test_cleaning_keeps_what_is_good() -> None:
    assert clean_name(" Ada\u202e\x00 Lovelace\n") == "Ada Lovelace"
    assert clean_name("\x00\n") is None
