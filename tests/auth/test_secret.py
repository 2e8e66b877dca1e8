"""Secrets: given once, long, random, and never repeated in a message."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from collab.auth.secret import FILE_BYTES_MAX, read_file, read_secret
from collab.errors import UnsafeSettings

GOOD = secrets.token_urlsafe(48)


def test_nothing_given_is_no_secret() -> None:
    assert read_secret("COLLAB_X", None, None) is None


def test_from_the_environment() -> None:
    assert read_secret("COLLAB_X", GOOD, None) == GOOD.encode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_from_a_file_without_its_line_break(tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes((GOOD + end).encode())
    assert read_secret("COLLAB_X", None, file) == GOOD.encode()


@pytest.mark.parametrize("value", ["", "changeme", "x" * 64, "secret" * 12, "changeme" * 8, "0123456789" * 3])
def test_empty_short_and_invented_ones_stop_the_start(value: str) -> None:
    with pytest.raises(UnsafeSettings) as caught:
        read_secret("COLLAB_X", value, None)
    assert "COLLAB_X" in str(caught.value)
    assert not value or value not in str(caught.value)


def test_two_ways_at_once_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings):
        read_secret("COLLAB_X", GOOD, tmp_path / "secret")


def test_a_file_that_is_not_there_too_large_or_no_file_stops_the_start(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"a" * (FILE_BYTES_MAX + 1))
    for file in (tmp_path / "none", large, tmp_path, None):
        with pytest.raises(UnsafeSettings):
            read_file("COLLAB_X", file)
