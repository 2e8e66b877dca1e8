"""docs/access.md prints the table of errors.py, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from collab.errors import all_errors
from collab.settings import Settings
from collab.types import Scope

PAGE = Path(__file__).parent.parent.parent / "docs" / "access.md"


def table() -> str:
    """The page's rows, one for each error class."""
    rows = [
        f"| `{kind.code}` | {kind.http_status} | {kind.close_code} | {'yes' if kind.may_retry else 'no'} |"
        f" {(kind.__doc__ or '').splitlines()[0]} |"
        for kind in all_errors()
    ]
    return "\n".join(["| code | HTTP | close | come back | what it says |", "|---|---|---|---|---|", *rows])


def test_the_page_prints_the_table_of_errors() -> None:
    printed = PAGE.read_text().partition("<!-- errors -->\n")[2].partition("<!-- /errors -->")[0].strip()
    assert printed == table(), f"paste this:\n{table()}"


def test_close_codes_keep_the_ranges_that_clients_read() -> None:
    for kind in all_errors():
        final = 4400 <= kind.close_code <= 4499
        again = kind.close_code in (1011, 1012, 1013) or 4500 <= kind.close_code <= 4599
        assert (final, again) == (not kind.may_retry, kind.may_retry), kind
        asked_too_much = 400 <= kind.http_status < 429 or kind.http_status == 507  # no room: trying again makes none
        assert kind.http_status in (429, 500, 503, 504) if kind.may_retry else asked_too_much, kind


def test_every_setting_and_scope_that_it_names_exists() -> None:
    text = PAGE.read_text()
    named = {name.lower() for name in re.findall(r"COLLAB_([A-Z_]+)", text)} - {"key", "admin_key"}
    assert named - set(Settings.model_fields) == set()
    assert all(f"`{scope}`" in text for scope in Scope)
