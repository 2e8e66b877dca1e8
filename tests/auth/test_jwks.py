"""Keys over HTTP: rotation is followed, floods fetch nothing, an outage is survived for a while and then told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from joserfc.jwk import Key, OctKey, RSAKey

from collab.auth.claims import ClaimRules
from collab.auth.jwks import KEYS_MAX, RESPONSE_BYTES_MAX, Jwks, JwksTimes, read_keys
from collab.auth.jwt import JwtAuthenticator
from collab.errors import IdentityUnavailable, Unauthorized, UnsafeSettings
from tests.auth.clock import Clock
from tests.auth.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    answer,
    claims,
    make_key,
    running,
    sign,
    unreachable,
)
from tests.patience import PATIENCE_S

TIMES = JwksTimes(timeout_s=PATIENCE_S)
pytestmark = pytest.mark.anyio


class Relying:
    """Our side: an authenticator on a provider's JWKS, with a clock of its own."""

    def __init__(self, url: str, times: JwksTimes = TIMES) -> None:
        self.clock = Clock()
        self.jwks = Jwks(url, times, self.clock)
        self._door = JwtAuthenticator(ClaimRules(ISSUER, AUDIENCE), self.jwks, ["ES256", "RS256"], self.clock)

    async def accepts(self, key: Key, **header: Any) -> bool:
        """False if the token is refused; IdentityUnavailable passes."""
        try:
            return (await self._door.who(sign(key, claims(self.clock.now), **header))).id == "user-1"
        except Unauthorized:
            return False

    async def settled(self) -> None:
        """Waits for a fetch that goes on behind."""
        while self.jwks._fetching is not None:
            await asyncio.wait([self.jwks._fetching])


@asynccontextmanager
async def relying(url: str, times: JwksTimes = TIMES) -> AsyncIterator[Relying]:
    made = Relying(url, times)
    try:
        yield made
    finally:
        await made.jwks.aclose()


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running() as made:
        yield made


@pytest.fixture
async def here(provider: IdentityProvider) -> AsyncIterator[Relying]:
    async with relying(provider.url) as made:
        yield made


async def test_keys_are_fetched_once_and_kept(provider: IdentityProvider, here: Relying) -> None:
    for _ in range(5):
        assert await here.accepts(provider.keys[0])
    assert provider.requests == 1


async def test_many_callers_wait_for_one_fetch(provider: IdentityProvider, here: Relying) -> None:
    provider.hang = asyncio.Event()
    callers = [asyncio.ensure_future(here.accepts(provider.keys[0])) for _ in range(50)]
    await provider.asked.wait()
    provider.hang.set()
    assert all(await asyncio.gather(*callers))
    assert provider.requests == 1


async def test_a_rotated_key_is_found_at_its_first_use(provider: IdentityProvider, here: Relying) -> None:
    old = provider.keys[0]
    assert await here.accepts(old)
    new = provider.rotate("second")
    here.clock.pass_s(TIMES.floor_s)
    assert await here.accepts(new)
    assert not await here.accepts(old)
    assert provider.requests == 2


async def test_a_withdrawn_key_is_forgotten_once_it_is_no_longer_fresh(
    provider: IdentityProvider, here: Relying
) -> None:
    old = provider.keys[0]
    assert await here.accepts(old)
    provider.rotate("second")
    here.clock.pass_s(TIMES.fresh_s)
    assert await here.accepts(old)  # nobody waits: this one starts the refresh behind
    await here.settled()
    assert not await here.accepts(old)


async def test_made_up_key_ids_fetch_nothing_within_the_floor(provider: IdentityProvider, here: Relying) -> None:
    assert await here.accepts(provider.keys[0])
    for number in range(100):
        assert not await here.accepts(provider.keys[0], kid=f"made-up-{number}")
    assert provider.requests == 1
    here.clock.pass_s(TIMES.floor_s)
    for number in range(100):
        assert not await here.accepts(provider.keys[0], kid=f"made-up-{number}")
    assert provider.requests == 2


async def test_old_keys_survive_an_outage_for_a_bounded_time(provider: IdentityProvider, here: Relying) -> None:
    key = provider.keys[0]
    assert await here.accepts(key)
    provider.answer = answer(b"", "500 Internal Server Error")
    for _ in range(5):
        here.clock.pass_s(TIMES.stale_s / 6)
        assert await here.accepts(key)
        await here.settled()
    here.clock.pass_s(TIMES.stale_s / 6)
    with pytest.raises(IdentityUnavailable):
        await here.accepts(key)
    provider.answer = None
    here.clock.pass_s(TIMES.floor_s)
    assert await here.accepts(key)


async def test_nobody_waits_for_a_provider_that_hangs_if_the_key_is_known(
    provider: IdentityProvider, here: Relying
) -> None:
    key = provider.keys[0]
    assert await here.accepts(key)
    provider.hang = asyncio.Event()
    here.clock.pass_s(TIMES.fresh_s)
    assert await here.accepts(key)
    assert here.jwks._fetching is not None


async def test_without_any_keys_tokens_are_not_judged() -> None:
    async with unreachable() as url, relying(url) as here:
        with pytest.raises(IdentityUnavailable):
            await here.accepts(make_key("first"))
        with pytest.raises(IdentityUnavailable):
            await here.accepts(make_key("first"))


@pytest.mark.parametrize(
    "bad",
    [
        answer(b"", "302 Found", "Location: /elsewhere"),
        answer(b"not json"),
        answer(b"[]"),
        answer(b'{"keys": {}}'),
        answer(b'{"keys": []}'),
        answer(b"[" * 100_000),
        answer(b'{"keys": [' + b" " * RESPONSE_BYTES_MAX + b"]}"),
        answer(b"\x1f\x8b\x08\x00", "200 OK", "Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
    ids=["redirect", "text", "list", "keys-object", "no-keys", "nested", "huge", "gzip", "short", "not-http", "empty"],
)
async def test_bad_answers_are_an_outage(provider: IdentityProvider, here: Relying, bad: bytes) -> None:
    provider.answer = bad
    with pytest.raises(IdentityUnavailable):
        await here.accepts(provider.keys[0])
    assert provider.requests == 1


async def test_an_answer_that_never_comes_is_an_outage(provider: IdentityProvider) -> None:
    provider.hang = asyncio.Event()
    async with relying(provider.url, JwksTimes(timeout_s=0.05)) as here:
        with pytest.raises(IdentityUnavailable):
            await here.accepts(provider.keys[0])


async def test_a_token_without_a_key_id_is_taken_only_if_there_is_no_choice(
    provider: IdentityProvider, here: Relying
) -> None:
    key = provider.keys[0]
    assert await here.accepts(key, kid=None)
    provider.keys.append(make_key("second"))
    here.clock.pass_s(TIMES.fresh_s)
    await here.accepts(key)
    await here.settled()
    assert await here.accepts(key)
    assert not await here.accepts(key, kid=None)


async def test_a_key_id_of_two_kinds_is_told_apart_by_the_algorithm(provider: IdentityProvider, here: Relying) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "first"})
    provider.keys.append(rsa)
    assert await here.accepts(provider.keys[0])
    assert await here.accepts(rsa, algorithm="RS256")


@pytest.mark.parametrize("url", ["", "idp", "http://idp.example.com/jwks", "ftp://127.0.0.1/", "file:///etc/passwd",
                                 "https://", "http://127.0.0.1.evil.com/", "http://[::1"])  # fmt: skip
def test_an_address_that_anybody_could_answer_stops_the_start(url: str) -> None:
    with pytest.raises(UnsafeSettings):
        Jwks(url)


GOOD = make_key("good").as_dict(private=False)
SHORT = {
    "kty": "RSA", "kid": "short", "e": "AQAB",
    "n": RSAKey.generate_key(2048).as_dict(private=False)["n"][:170],
}  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        {**GOOD, "use": "enc"}, {**GOOD, "kty": "oct"}, {**GOOD, "kty": "AKP"}, {**GOOD, "x": "AAAA"},
        {**GOOD, "kid": 1}, {**GOOD, "kid": "k" * 300}, {**GOOD, "crv": "P-256K"}, {**GOOD, "y": 1}, {"kty": "EC"},
        OctKey.generate_key(256).as_dict(private=True), SHORT, [], 1, None, "key", {},
    ],
)  # fmt: skip
def test_keys_that_cannot_be_trusted_are_left_out(entry: object) -> None:
    assert [key.kid for key in read_keys(json.dumps({"keys": [entry, GOOD]}).encode())] == ["good"]
    with pytest.raises(ValueError):
        read_keys(json.dumps({"keys": [entry]}).encode())


def test_more_keys_than_anybody_has_are_no_jwks() -> None:
    with pytest.raises(ValueError):
        read_keys(json.dumps({"keys": [GOOD] * (KEYS_MAX + 1)}).encode())
