"""Origins are compared whole: each of these has been a hole in somebody's server."""

from __future__ import annotations

import pytest

from collab.auth.origins import Origins, parse_origin
from collab.errors import UnsafeSettings

APP = Origins(["https://app.example.com", "http://dev.example.com:3000", "tauri://localhost"])


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.com", True),
        ("https://app.example.com:443", True),
        ("HTTPS://APP.EXAMPLE.COM", True),
        ("http://dev.example.com:3000", True),
        ("tauri://localhost", True),
        ("https://api.example.org", True),  # the server itself, see below
        ("http://app.example.com", False),
        ("https://app.example.com:8443", False),
        ("http://dev.example.com", False),
        ("http://dev.example.com:3001", False),
        ("https://app.example.com.evil.com", False),
        ("https://evil.com/https://app.example.com", False),
        ("https://evilapp.example.com", False),
        ("https://app.example.com@evil.com", False),
        ("https://evil.com#app.example.com", False),
        ("https://app.example.com/", False),
        ("https://app.example.com.", False),
        ("https://sub.app.example.com", False),
        ("https://example.com", False),
        ("https://xn--pp-xka.example.com", False),
        ("https://\u0430pp.example.com", False),
        ("null", False),
        ("", False),
        ("*", False),
        ("https://", False),
        ("file://", False),
        ("https://app.example.com https://evil.com", False),
        ("https://app.example.com:99999999", False),
        ("http://api.example.org", False),
        ("https://api.example.org:8443", False),
    ],
)
def test_only_exact_origins_pass(origin: str, allowed: bool) -> None:
    assert APP.allow([origin], "wss", "api.example.org") is allowed


def test_no_origin_means_no_browser() -> None:
    assert APP.allow([], "ws", "api.example.org")


def test_two_origins_are_none() -> None:
    assert not APP.allow(["https://app.example.com", "https://app.example.com"], "https", "api.example.org")


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "same"),
    [
        ("http://127.0.0.1:8000", "ws", "127.0.0.1:8000", True),
        ("http://127.0.0.1:8000", "http", "127.0.0.1:8000", True),
        ("http://localhost", "ws", "localhost:80", True),
        ("http://[::1]:8000", "ws", "[::1]:8000", True),
        ("http://127.0.0.1:8001", "ws", "127.0.0.1:8000", False),
        ("https://127.0.0.1:8000", "ws", "127.0.0.1:8000", False),
        ("http://localhost:8000", "ws", "127.0.0.1:8000", False),
        ("http://none", "http", None, False),
        ("http://a", "http", "a b", False),
        ("http://a", "http", "", False),
    ],
)
def test_the_same_origin_is_allowed_by_default(origin: str, scheme: str, host: str | None, same: bool) -> None:
    assert Origins().allow([origin], scheme, host) is same


@pytest.mark.parametrize("origin", ["*", "null", "app.example.com", "https://*.example.com", "https://a/b", ""])
def test_settings_that_are_no_exact_origin_stop_the_start(origin: str) -> None:
    with pytest.raises(UnsafeSettings):
        Origins([origin])


def test_default_ports_are_the_origin_without_one() -> None:
    assert parse_origin("http://a:80") == parse_origin("http://a") != parse_origin("https://a")
