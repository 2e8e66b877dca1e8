"""The contract of RevocationStore, on every database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import uuid_utils

from collab.auth.base import REMEMBERED_S, ApiKey, Revocation
from collab.store.open import Store
from collab.types import Access, Scope

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def revocation(at: datetime, **about: str) -> Revocation:
    return Revocation(str(uuid_utils.uuid7()), at, **about)  # type: ignore[arg-type]


async def test_what_was_added_is_found_from_its_moment_on(store: Store) -> None:
    first = revocation(NOON, user="ada", document="a*b")
    second = Revocation(str(uuid_utils.uuid7()), NOON + timedelta(seconds=1), key="k", access=Access.READ)
    await store.revocations.add(second)
    await store.revocations.add(first)
    assert await store.revocations.since(NOON) == [first, second]
    assert await store.revocations.since(NOON + timedelta(microseconds=1)) == [second]
    assert await store.revocations.since(NOON + timedelta(seconds=2)) == []


async def test_those_too_old_to_matter_go_when_one_is_added(store: Store) -> None:
    await store.revocations.add(revocation(NOON, user="ada"))
    later = revocation(NOON + timedelta(seconds=REMEMBERED_S + 1), user="bo")
    await store.revocations.add(later)
    assert await store.revocations.since(NOON - timedelta(days=1)) == [later]


async def test_a_revoked_key_is_a_revocation_once(store: Store) -> None:
    made = ApiKey("k1", "ci", "ck_", b"h" * 32, frozenset({Scope.ADMIN}), (), NOON)
    await store.keys.create(made)
    await store.keys.revoke("k1", NOON)
    await store.keys.revoke("k1", NOON + timedelta(hours=1))
    (found,) = await store.revocations.since(NOON)
    assert (found.key, found.at, found.access, found.user) == ("k1", NOON, Access.NONE, None)


async def test_the_time_is_that_of_the_database_unless_that_is_this_machines(store: Store) -> None:
    now = await store.revocations.now()
    assert now is None if store.embedded else abs((now or 0.0) - time.time()) < 60.0
