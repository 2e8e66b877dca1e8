"""Open means open to this machine: by address, and by name."""

from __future__ import annotations

import pytest

from collab.auth.open_mode import check_bind, check_host, is_open
from collab.errors import Forbidden, UnsafeSettings

HERE = ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST", None]
ELSEWHERE = [
    "0.0.0.0", "", "::", "10.0.0.1", "203.0.113.7", "example.com", "localhost.example.com", "localhost.", "0", "127.1",
    "::ffff:127.0.0.1", "fe80::1", "*",
]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
def test_open_binds_to_loopback(host: str | None) -> None:
    check_bind(host, open=True, allow=False)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_open_binds_to_nothing_else_unless_told_so(host: str) -> None:
    with pytest.raises(UnsafeSettings, match="open-to-the-world"):
        check_bind(host, open=True, allow=False)
    check_bind(host, open=True, allow=True)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_with_authentication_any_address_will_do(host: str) -> None:
    check_bind(host, open=False, allow=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "localhost:8000", "[::1]:8000", "app.localhost:1", "127.0.0.2", None]
)
def test_an_open_server_answers_to_its_own_names(host: str | None) -> None:
    check_host(host, open=True, allow=False)


@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:8000", "localhost.evil.com", "127.0.0.1.evil.com", "", "[::2]:1", "notlocalhost"]
)
def test_a_name_that_was_pointed_at_loopback_is_refused(host: str) -> None:
    with pytest.raises(Forbidden):
        check_host(host, open=True, allow=False)
    check_host(host, open=False, allow=False)
    check_host(host, open=True, allow=True)


@pytest.mark.parametrize(("keys", "jwt"), [(True, False), (False, True), (True, True)])
def test_anything_configured_closes_it(keys: bool, jwt: bool) -> None:
    assert not is_open(keys, jwt)
    assert is_open(False, False)
