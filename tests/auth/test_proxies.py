"""The client's address: nobody can lie about it but a named proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth.proxies import UNKNOWN, Proxies, subject
from collab.errors import UnsafeSettings

PROXIES = Proxies(["10.0.0.0/8", "2001:db8::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["1.2.3.4"], "203.0.113.7"),  # not a proxy of ours: its word counts nothing
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.7"], "203.0.113.7"),  # the client's own invention stands left
        ("10.0.0.1", ["1.2.3.4", "203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.7, 10.9.9.9, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.7:5555"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["2001:DB8::7"], "2001:db8::7"),
        ("2001:db8::1", ["203.0.113.7"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["1.2.3.4, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, junk, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        (None, ["1.2.3.4"], UNKNOWN),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy(peer: str | None, forwarded: list[str], client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_a_unix_socket_must_be_named_too() -> None:
    assert Proxies(["unix"]).client(None, ["1.2.3.4"]) == "1.2.3.4"


@given(st.text(max_size=60))
def test_a_stranger_cannot_change_its_address(header: str) -> None:
    assert PROXIES.client("203.0.113.7", [header]) == "203.0.113.7"


@given(st.text(max_size=60))
def test_a_client_behind_a_proxy_cannot_change_its_address(header: str) -> None:
    assert PROXIES.client("10.0.0.1", [header, "203.0.113.7"]) == "203.0.113.7"


@pytest.mark.parametrize("name", ["*", "", "0.0.0.0/0", "::/0", "proxy.example.com", "10.0.0.1/8"])
def test_proxies_must_be_named_by_address(name: str) -> None:
    with pytest.raises(UnsafeSettings):
        Proxies([name])


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [
        ("10.0.0.1", ["https"], "https"),
        ("10.0.0.1", ["http, https"], "https"),
        ("10.0.0.1", ["https", "http"], "http"),
        ("10.0.0.1", ["gopher"], "ws"),
        ("10.0.0.1", [], "ws"),
        ("203.0.113.7", ["https"], "ws"),
    ],
)
def test_the_scheme_is_told_by_the_nearest_proxy(peer: str, told: list[str], scheme: str) -> None:
    assert PROXIES.scheme(peer, "ws", told) == scheme


def test_one_ipv6_customer_is_one_subject() -> None:
    assert subject("2001:db8:1:2::3") == subject("2001:db8:1:2:ffff::9") != subject("2001:db8:1:3::3")
    assert subject("203.0.113.7") == "203.0.113.7"
    assert subject(UNKNOWN) == UNKNOWN
