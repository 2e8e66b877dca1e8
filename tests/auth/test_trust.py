"""What the settings say of tokens: all of it, once, or the server does not start."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from collab.auth.signing import import_secret
from collab.auth.trust import Trust
from collab.errors import Unauthorized, UnsafeSettings
from tests.auth.identity_provider import AUDIENCE, ISSUER, claims, running, sign

BASE = Trust(issuer=ISSUER, audience=AUDIENCE)
SECRET = secrets.token_urlsafe(48)


def test_nothing_said_is_no_trust() -> None:
    assert Trust().authenticator() is None


async def test_a_secret() -> None:
    door = replace(BASE, secret=SECRET).authenticator()
    assert door is not None
    key = import_secret(SECRET.encode())
    assert (await door.who(sign(key, claims(time.time()), "HS256"))).id == "user-1"
    with pytest.raises(Unauthorized):
        await door.who(sign(key, claims(time.time()), "HS512"))
    await door.aclose()


async def test_a_public_key_file(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_pem(private=False))
    door = replace(BASE, public_key_file=file).authenticator()
    assert door is not None
    assert (await door.who(sign(key, claims(time.time())))).id == "user-1"
    await door.aclose()


async def test_a_jwks_url() -> None:
    async with running() as provider:
        door = replace(BASE, jwks_url=provider.url).authenticator()
        assert door is not None
        assert (await door.who(sign(provider.keys[0], claims(time.time())))).id == "user-1"
        await door.aclose()


URL = "https://idp.example.com/jwks"


@pytest.mark.parametrize(
    "trust",
    [
        Trust(secret=SECRET),
        Trust(issuer=ISSUER, secret=SECRET),
        Trust(audience=AUDIENCE, jwks_url=URL),
        Trust(issuer="", audience="", jwks_url=URL),
        BASE,
        replace(BASE, secret=""),
        replace(BASE, secret="changeme"),
        replace(BASE, secret=SECRET, jwks_url=URL),
        replace(BASE, secret=SECRET, secret_file=Path("/nowhere")),
        replace(BASE, jwks_url=URL, public_key_file=Path("/nowhere")),
        replace(BASE, public_key_file=Path("/nowhere")),
        replace(BASE, secret=SECRET, algorithms=frozenset({"RS256"})),
        replace(BASE, secret=SECRET, algorithms=frozenset({"none"})),
        replace(BASE, jwks_url=URL, algorithms=frozenset({"HS256"})),
        replace(BASE, jwks_url=URL, algorithms=frozenset({"RS256", "HS256"})),
        replace(BASE, jwks_url="http://idp.example.com/jwks"),
        Trust(scopes_claim="scope"),
    ],
)
def test_what_is_said_by_half_or_twice_stops_the_start(trust: Trust) -> None:
    with pytest.raises(UnsafeSettings) as caught:
        trust.authenticator()
    assert SECRET not in str(caught.value)


def test_the_secret_is_in_no_representation() -> None:
    assert SECRET not in repr(replace(BASE, secret=SECRET))
