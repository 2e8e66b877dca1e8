"""Three ways in behind one door: what a secret looks like says who judges it, and where it may stand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collab.auth.authenticator import AnyAuthenticator
from collab.auth.base import Credentials
from collab.auth.claims import ClaimRules
from collab.auth.jwt import JwtAuthenticator
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness
from collab.auth.signing import FixedKeys
from collab.auth.tickets import MemoryTickets, Tickets, User
from collab.errors import Unauthorized
from collab.store.keys import SqlKeys
from collab.types import ANONYMOUS, Access, Principal, Scope
from tests.auth.clock import Clock
from tests.auth.database import sqlite
from tests.auth.identity_provider import AUDIENCE, ISSUER, claims, make_key, sign


@dataclass
class Secrets:
    """One of each."""

    key: str
    ticket: str
    jwt: str


@dataclass
class House:
    """The same keys, tickets and provider behind an open and a closed door."""

    closed: AnyAuthenticator
    without_jwt: AnyAuthenticator
    opened: AnyAuthenticator
    secrets: Secrets


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock, signer = Clock(), make_key()
    async with sqlite(tmp_path) as database:
        keys, tickets = Keys(SqlKeys(database), clock), Tickets(MemoryTickets(clock=clock), clock)
        jwt = JwtAuthenticator(ClaimRules(ISSUER, AUDIENCE), FixedKeys(signer), ["ES256"], clock)
        _, key = await keys.mint("backend", [Scope.DOCUMENTS_READ])
        ticket, _ = await tickets.mint(Principal("k", "key"), "doc", Access.READ, User("user-1"))
        yield House(
            AnyAuthenticator(keys, tickets, jwt),
            AnyAuthenticator(keys, tickets),
            AnyAuthenticator(keys, tickets, openness=Openness(True)),
            Secrets(key, ticket, sign(signer, claims(clock.now))),
        )


async def refused(door: AnyAuthenticator, credentials: Credentials) -> None:
    with pytest.raises(Unauthorized) as caught:
        await door.who(credentials)
    assert caught.value.detail == Unauthorized().detail


async def test_each_secret_is_judged_by_its_own(house: House) -> None:
    kinds = [
        (await house.closed.who(Credentials(token, stream=True))).kind
        for token in (house.secrets.key, house.secrets.ticket, house.secrets.jwt)
    ]
    assert kinds == ["key", "ticket", "jwt"]


async def test_tickets_open_streams_only_and_are_not_used_up_by_trying(house: House) -> None:
    await refused(house.closed, Credentials(house.secrets.ticket))
    assert (await house.closed.who(Credentials(house.secrets.ticket, stream=True, in_url=True))).kind == "ticket"


async def test_keys_are_not_taken_from_addresses(house: House) -> None:
    await refused(house.closed, Credentials(house.secrets.key, stream=True, in_url=True))
    assert (await house.closed.who(Credentials(house.secrets.key, stream=True))).kind == "key"


async def test_tokens_are_taken_from_addresses(house: House) -> None:
    assert (await house.closed.who(Credentials(house.secrets.jwt, stream=True, in_url=True))).kind == "jwt"


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "ck_x", "ct_x", "anything"])
async def test_all_else_is_refused(house: House, token: str | None) -> None:
    for door in (house.closed, house.without_jwt):
        for stream in (False, True):
            await refused(door, Credentials(token, stream=stream))


async def test_without_a_provider_no_token_is_good(house: House) -> None:
    await refused(house.without_jwt, Credentials(house.secrets.jwt))


async def test_open_lets_everybody_in_whatever_they_bring(house: House) -> None:
    for token in (None, "", "x", house.secrets.key, house.secrets.jwt):
        assert await house.opened.who(Credentials(token, stream=True)) is ANONYMOUS


async def test_open_still_knows_whom_a_ticket_speaks_for(house: House) -> None:
    credentials = Credentials(house.secrets.ticket, stream=True)
    assert (await house.opened.who(credentials)).id == "user-1"
    await refused(house.opened, credentials)


async def test_secrets_are_in_no_representation(house: House) -> None:
    assert house.secrets.key not in repr(Credentials(house.secrets.key))
