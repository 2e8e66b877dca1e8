"""Where secrets are read from, which subprotocol is answered, and that none of it reaches a log."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth import credentials, opaque
from collab.auth.credentials import SCRUBBED, of_message, of_request, of_stream, scrub, select_subprotocol
from collab.errors import Unauthorized

# Fixed, since they stand in the ids of tests, which parallel workers must agree on.
TICKET = opaque.TICKET + "0123456789" + "abcdefghijk" * 3
KEY = opaque.KEY + "9876543210" + "ABCDEFGHIJK" * 3
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize("value", [f"Bearer {KEY}", f"bearer  {KEY} ", f"BEARER {KEY}"])
def test_a_bearer_is_read(value: str) -> None:
    assert of_request([value]).token == KEY


def test_no_header_is_no_secret() -> None:
    assert of_request([]).token is None


@pytest.mark.parametrize(
    "values",
    [
        [""], ["Bearer"], ["Bearer "], [KEY], [f"Basic {KEY}"], [f"Bearer {KEY} x"], [f"Bearer {KEY},{KEY}"],
        ["Bearer a\u00e9"], ["Bearer a\nb"], [f"Bearer {KEY}", f"Bearer {KEY}"], ["Bearer " + "a" * 8193],
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_read_is_refused_and_not_taken_for_nobody(values: list[str]) -> None:
    with pytest.raises(Unauthorized):
        of_request(values)


def test_requests_read_the_header_and_nothing_else() -> None:
    assert not of_request([f"Bearer {KEY}"]).stream


@pytest.mark.parametrize(
    ("query", "offered"),
    [
        (f"ticket={TICKET}", []),
        (f"token={TICKET}&v=1", []),
        (f"a=b&%74icket={TICKET}", []),
        (f"ticket={TICKET}&token={TICKET}", []),
        ("", ["yjs", f"collab.ticket.{TICKET}"]),
        ("", [f"collab.token.{TICKET}", "collab"]),
        ("token=undefined-elsewhere", [f"collab.ticket.{TICKET}"]),
    ],
)
def test_streams_take_it_from_the_query_and_from_subprotocols(query: str, offered: list[str]) -> None:
    found = of_stream([], query, offered)
    assert (found.token, found.stream, found.in_url) == (TICKET, True, True)


def test_a_header_goes_before_what_is_in_the_url() -> None:
    found = of_stream([f"Bearer {KEY}"], f"ticket={TICKET}", [f"collab.ticket.{TICKET}"])
    assert (found.token, found.in_url) == (KEY, False)


@pytest.mark.parametrize("query", ["", "token=", "ticket", "x=1", "Ticket=a"])
def test_a_stream_without_a_secret_has_none(query: str) -> None:
    assert of_stream([], query, ["collab", "yjs"]).token is None


@pytest.mark.parametrize("query", ["ticket=a&ticket=b", "ticket=a&token=b", "&".join(f"a{i}=1" for i in range(65))])
def test_two_secrets_are_refused(query: str) -> None:
    with pytest.raises(Unauthorized):
        of_stream([], query, [])


def test_a_token_in_a_message_opens_a_stream_and_was_in_no_url() -> None:
    found = of_message(TICKET)
    assert (found.token, found.stream, found.in_url) == (TICKET, True, False)
    assert of_message("").token is None


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        ([], None),
        (["yjs"], "yjs"),
        ([f"collab.ticket.{TICKET}", "collab"], "collab"),
        (["a", "b", f"collab.ticket.{TICKET}"], "a"),
        ([f"collab.ticket.{TICKET}"], f"collab.ticket.{TICKET}"),
        (["b\u00e4d", "a b", "a\r\nX: y", "good"], "good"),
        (["b\u00e4d"], None),
    ],
)
def test_one_offered_subprotocol_is_selected_a_secret_only_if_there_is_no_other(
    offered: list[str], selected: str | None
) -> None:
    assert select_subprotocol(offered) == selected


SECRETS = [TICKET, KEY, JWT]


@pytest.mark.parametrize("secret", SECRETS, ids=["ticket", "key", "jwt"])
@pytest.mark.parametrize(
    "line",
    [
        "/sync/notes?ticket={}",
        "/sync/notes?v=1&token={}&w=2",
        "/sync/notes?%74oken={}",
        "/sync/notes?Access_Token={}",
        "/sync/notes?x=1&key={}",
        "/sync/{}",
        "Authorization: Bearer {}",
        "sec-websocket-protocol: collab, collab.ticket.{}",
        "cannot open {} now",
    ],
)
def test_no_secret_survives_the_scrubbing(line: str, secret: str) -> None:
    scrubbed = scrub(line.format(secret))
    assert secret not in scrubbed and secret[5:25] not in scrubbed
    assert SCRUBBED in scrubbed


def test_even_a_secret_of_no_known_shape_is_scrubbed_by_the_name_of_its_place() -> None:
    assert scrub("/a?ticket=hunter2&page=3#x") == "/a?ticket=***&page=3#x"
    assert scrub("Bearer hunter2") == "***"


@given(
    st.text("xyz/?&=#% ", max_size=20),
    st.sampled_from(sorted(credentials.SECRET_NAMES)),
    st.text("abc12-_.~", min_size=8),
)
def test_whatever_stands_around_it_a_named_secret_is_gone(around: str, name: str, secret: str) -> None:
    assert secret not in scrub(f"/{quote(around)}?q={quote(around)}&{name}={secret}&z={quote(around)}")


@pytest.mark.parametrize("line", ["/sync/notes?page=3&q=ticket", "/documents/a%2Fb", "key=value outside of a query"])
def test_what_is_no_secret_stays(line: str) -> None:
    assert scrub(line) == line
