"""API keys: shown once, kept as a hash, dead within a second of being revoked, on every node."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uuid_utils

from collab.auth import opaque
from collab.auth.base import ApiKey
from collab.auth.keys import CACHED_S, LIFE_S_MAX, PATTERNS_MAX, TOUCH_S, Keys, principal_of
from collab.auth.policy import GrantPolicy
from collab.errors import NotFound, StorageUnavailable, Unauthorized, Unprocessable
from collab.store.keys import SqlKeys
from collab.types import Access, Scope
from tests.auth.clock import Clock
from tests.auth.database import sqlite

READ, WRITE = Scope.DOCUMENTS_READ, Scope.DOCUMENTS_WRITE
POLICY = GrantPolicy()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlKeys]:
    async with sqlite(tmp_path) as database:
        yield SqlKeys(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(store: SqlKeys, clock: Clock) -> Keys:
    return Keys(store, clock)


async def refused(keys: Keys, secret: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        await keys.who(secret)
    assert caught.value.detail == Unauthorized().detail


async def test_a_minted_key_opens_the_door(keys: Keys) -> None:
    key, secret = await keys.mint("backend", [READ, Scope.TICKETS_CREATE], ["team-a/*"])
    principal = await keys.who(secret)
    assert (principal.id, principal.kind, principal.name, principal.key_id) == (key.id, "key", "backend", key.id)
    assert POLICY.may(principal, "team-a/x") is Access.READ
    assert POLICY.may(principal, "team-b/x") is Access.NONE
    assert POLICY.has(principal, Scope.TICKETS_CREATE) and not POLICY.has(principal, Scope.ADMIN)


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_secrets_are_256_bits_and_only_their_hash_is_kept(store: SqlKeys, keys: Keys, tmp_path: Path) -> None:
    key, secret = await keys.mint("backend", [READ])
    assert opaque.is_shaped(secret, "ck_") and len(opaque.ALPHABET) ** opaque.SECRET_CHARS > 2**256
    assert key.hash == hashlib.sha256(secret.encode()).digest()
    assert secret.startswith(key.prefix) and len(key.prefix) < 12
    assert secret not in repr(key) and key.hash not in repr(key).encode()
    stored = bytes_in(tmp_path)
    assert key.id.encode() in stored and key.hash in stored and secret.encode() not in stored


async def test_no_two_secrets_are_alike(keys: Keys) -> None:
    assert len({opaque.mint("ck_")[:20] for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("scopes", "access"),
    [([READ], Access.READ), ([WRITE], Access.WRITE), ([READ, WRITE], Access.WRITE),
     ([Scope.TICKETS_CREATE], Access.NONE), ([Scope.ADMIN], Access.WRITE)],
)  # fmt: skip
async def test_scopes_become_access_to_every_document_unless_there_are_patterns(
    keys: Keys, scopes: list[Scope], access: Access
) -> None:
    key, _ = await keys.mint("k", scopes)
    assert POLICY.may(principal_of(key), "any") is access


@pytest.mark.parametrize(
    "secret",
    ["", "ck_", "ck_" + "a" * 42, "ck_" + "a" * 44, "ck_" + "\u00e9" * 43, "ct_" + "a" * 43, "ck_" + "a" * 42 + "-",
     "CK_" + "a" * 43, "ck_" + "a" * 43],
)  # fmt: skip
async def test_what_was_never_minted_is_refused(keys: Keys, secret: str) -> None:
    await refused(keys, secret)


async def test_a_secret_with_one_character_changed_is_refused(keys: Keys) -> None:
    _, secret = await keys.mint("k", [READ])
    for at in (0, 3, 20, len(secret) - 1):
        other = "x" if secret[at] != "x" else "y"
        await refused(keys, secret[:at] + other + secret[at + 1 :])


async def test_a_revoked_key_is_dead_here_at_once(keys: Keys) -> None:
    key, secret = await keys.mint("k", [READ])
    await keys.who(secret)
    assert (await keys.revoke(key.id)).revoked_at is not None
    await refused(keys, secret)


async def test_a_revoked_key_is_dead_on_other_nodes_within_a_second(store: SqlKeys, keys: Keys, clock: Clock) -> None:
    other = Keys(store, clock)
    key, secret = await keys.mint("k", [READ])
    await other.who(secret)
    await keys.revoke(key.id)
    clock.pass_s(CACHED_S)
    assert CACHED_S < 1.0
    await refused(other, secret)


async def test_a_clock_set_back_does_not_bring_a_revoked_key_to_life(store: SqlKeys, keys: Keys, clock: Clock) -> None:
    other = Keys(store, clock)
    key, secret = await keys.mint("k", [READ])
    await other.who(secret)
    await keys.revoke(key.id)
    clock.pass_s(-3600.0)
    await refused(other, secret)


async def test_a_key_ends_when_it_was_said_to(keys: Keys, clock: Clock) -> None:
    _, secret = await keys.mint("k", [READ], expires_in_s=60.0)
    principal = await keys.who(secret)
    assert principal.expires_at == clock.now + 60.0
    clock.pass_s(60.0)
    await refused(keys, secret)


async def test_the_last_use_is_kept_once_a_minute(store: SqlKeys, keys: Keys, clock: Clock) -> None:
    key, secret = await keys.mint("k", [READ])
    first = datetime.fromtimestamp(clock.now, UTC)
    await keys.who(secret)
    clock.pass_s(TOUCH_S - 1.0)
    await keys.who(secret)
    assert (await store.get(key.id)).last_used_at == first
    clock.pass_s(1.0)
    await keys.who(secret)
    assert (await store.get(key.id)).last_used_at == datetime.fromtimestamp(clock.now, UTC)


async def test_a_database_that_is_away_is_told_and_not_taken_for_a_wrong_key(tmp_path: Path, clock: Clock) -> None:
    async with sqlite(tmp_path) as database:
        keys = Keys(SqlKeys(database), clock)
        _, secret = await keys.mint("k", [READ])
        await keys.who(secret)
    clock.pass_s(CACHED_S / 2)
    await keys.who(secret)  # still known
    clock.pass_s(CACHED_S)
    with pytest.raises(StorageUnavailable):
        await keys.who(secret)


async def test_many_at_once_are_all_right(keys: Keys) -> None:
    minted = [await keys.mint(f"k{number}", [READ]) for number in range(20)]
    found = await asyncio.gather(*(keys.who(secret) for _, secret in minted * 5))
    assert [principal.key_id for principal in found] == [key.id for key, _ in minted * 5]


@pytest.mark.parametrize(
    ("name", "scopes", "documents", "expires_in_s"),
    [
        ("", [READ], [], None), ("a\n", [READ], [], None), ("a" * 101, [READ], [], None), ("k", [], [], None),
        ("k", ["documents"], [], None), ("k", ["ADMIN"], [], None), ("k", [READ], [""], None),
        ("k", [READ], ["a\x00"], None),
        ("k", [READ], ["x"] * (PATTERNS_MAX + 1), None), ("k", [Scope.ADMIN], ["a/*"], None), ("k", [READ], [], 0.0),
        ("k", [READ], [], -1.0), ("k", [READ], [], float("nan")), ("k", [READ], [], LIFE_S_MAX * 2),
    ],
)  # fmt: skip
async def test_keys_that_make_no_sense_are_not_minted(
    store: SqlKeys, keys: Keys, name: str, scopes: list[str], documents: Iterable[str], expires_in_s: float | None
) -> None:
    with pytest.raises(Unprocessable):
        await keys.mint(name, scopes, documents, expires_in_s)
    assert (await store.list(10)).items == []


def make(number: int) -> ApiKey:
    at = datetime(2026, 1, 1, second=number, tzinfo=UTC)
    return ApiKey(str(uuid_utils.uuid7()), f"k{number}", "ck_x", bytes([number]) * 32, frozenset({READ}), ("a/*",), at)


async def test_the_store_gives_back_what_it_was_given(store: SqlKeys) -> None:
    key = replace(make(1), expires_at=datetime(2030, 1, 1, tzinfo=UTC), scopes=frozenset(Scope), documents=("a", "b/*"))
    await store.create(key)
    assert await store.find(key.hash) == await store.get(key.id) == key
    assert await store.find(b"\0" * 32) is None


async def test_the_store_lists_in_pages_oldest_first(store: SqlKeys) -> None:
    made = [make(number) for number in range(7)]
    for key in made:
        await store.create(key)
    listed: list[ApiKey] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await store.list(3, cursor)
        listed, cursor, pages = [*listed, *page.items], page.cursor, pages + 1
    assert (listed, pages) == (made, 3)
    assert (await store.list(7)).cursor is None


async def test_the_store_revokes_once_and_remembers_when(store: SqlKeys) -> None:
    key = make(1)
    await store.create(key)
    first, second = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    assert (await store.revoke(key.id, first)).revoked_at == first
    assert (await store.revoke(key.id, second)).revoked_at == first
    for missing in (store.revoke("none", first), store.get("none")):
        with pytest.raises(NotFound):
            await missing
