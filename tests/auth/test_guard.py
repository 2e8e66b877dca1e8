"""What both doors ask, in order: name, page, credentials; what proxies say counts only from proxies that are named."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import AsyncMock

import pytest
import structlog

from collab.audit import Audit
from collab.auth.base import Credentials
from collab.auth.guard import Approach, Guard
from collab.auth.open_mode import Openness
from collab.auth.origins import Origins
from collab.auth.policy import GrantPolicy
from collab.auth.proxies import Proxies
from collab.errors import BadRequest, Forbidden, Unauthorized
from collab.types import ANONYMOUS, Principal

ASKING = Approach("10.0.0.7", "http", ["collab.example"])
APP = ("https://app.example",)


class Secret:
    """Knows one secret, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Credentials] = []

    async def who(self, credentials: Credentials) -> Principal:
        self.asked.append(credentials)
        if credentials.token != "secret":
            raise Unauthorized
        return ANONYMOUS


def guard(secret: Secret, openness: Openness | None = None, proxies: tuple[str, ...] = ()) -> Guard:
    return Guard(secret, GrantPolicy(), Origins(APP), openness, Proxies(proxies))


async def test_a_strange_page_learns_nothing_of_a_token() -> None:
    secret = Secret()
    for token in ("secret", "wrong"):
        with pytest.raises(Forbidden):
            await guard(secret).admit(
                replace(ASKING, origin=["https://evil.example"], authorization=[f"Bearer {token}"])
            )
    assert secret.asked == []


@pytest.mark.parametrize("origin", [["https://app.example"], ["http://collab.example"], []])
async def test_named_pages_own_pages_and_programs_may_ask(origin: list[str]) -> None:
    asking = replace(ASKING, origin=origin, authorization=["Bearer secret"])
    assert (await guard(Secret()).admit(asking)).principal is ANONYMOUS


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": ["https://app.example", "https://app.example"]},
        {"origin": ["https://app.example", "https://evil.example"]},
        {"origin": ["https://app.example, https://evil.example"]},
        {"authorization": ["Bearer secret", "Bearer secret"]},
        {"authorization": ["Bearer wrong", "Bearer secret"]},
        {"host": ["collab.example", "evil.example"]},
    ],
)
async def test_a_header_given_twice_is_no_credential(changes: dict[str, list[str]]) -> None:
    asking = replace(ASKING, **{"authorization": ["Bearer secret"], **changes})  # type: ignore[arg-type]
    with pytest.raises((Forbidden, Unauthorized, BadRequest)):
        await guard(Secret()).admit(asking)


async def test_the_scheme_that_a_named_proxy_tells_makes_its_pages_our_own() -> None:
    asking = replace(
        ASKING,
        origin=["https://collab.example"],
        forwarded_proto=["https"],
        forwarded_for=["203.0.113.9"],
        authorization=["Bearer secret"],
    )
    behind = guard(Secret(), proxies=("10.0.0.0/8",))
    assert (await behind.admit(asking)).principal is ANONYMOUS
    assert behind.address(asking.peer, asking.forwarded_for) == "203.0.113.9"
    bare = guard(Secret())
    assert bare.address(asking.peer, asking.forwarded_for) == "10.0.0.7"
    with pytest.raises(Forbidden):
        await bare.admit(asking)


async def test_who_is_refused_before_any_document_is_in_the_audit_with_an_address() -> None:
    """A page of a strange origin at the door of the Hocuspocus dialect."""
    structlog.contextvars.clear_contextvars()
    audit = Audit(AsyncMock())
    with pytest.raises(Forbidden):
        await Guard(Secret(), GrantPolicy(), Origins(APP), audit=audit).greet(
            replace(ASKING, origin=["https://evil.example"])
        )
    (event,) = audit._queue
    assert (event.action, event.outcome, event.detail["address"]) == ("access.refuse", "forbidden", "10.0.0.7")


async def test_an_open_node_answers_to_this_machines_names_only_as_long_as_it_is_open() -> None:
    openness = Openness(True)
    asking = replace(ASKING, authorization=["Bearer secret"])
    with pytest.raises(Forbidden):
        await guard(Secret(), openness).admit(asking)
    openness.open = False
    assert (await guard(Secret(), openness).admit(asking)).principal is ANONYMOUS
