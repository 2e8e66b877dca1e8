"""The contracts of KeyStore, AuditStore and Idempotency, on every database."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils

from collab.auth.base import ApiKey, AuditEvent
from collab.errors import Conflict, NotFound, Unprocessable
from collab.store.base import Answer
from collab.store.idempotency import ABANDONED_AFTER, SqlIdempotency
from collab.store.open import Store
from collab.types import Scope

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def key(name: str, **changes: object) -> ApiKey:
    made = ApiKey(
        id=str(uuid_utils.uuid7()),
        name=name,
        prefix="ck_abc",
        hash=hashlib.sha256(name.encode()).digest(),
        scopes=frozenset({Scope.DOCUMENTS_READ, Scope.ADMIN}),
        documents=("team/*", "a,b"),
        created_at=NOON,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_key_is_found_by_its_hash_and_by_its_id(store: Store) -> None:
    made = key("ci", expires_at=NOON + timedelta(days=1))
    await store.keys.create(made)
    assert await store.keys.find(made.hash) == made
    assert await store.keys.get(made.id) == made
    assert await store.keys.find(b"\0" * 32) is None
    with pytest.raises(NotFound):
        await store.keys.get("nobody")


async def test_a_revoked_key_stays_with_the_time_of_its_end(store: Store) -> None:
    made = key("ci")
    await store.keys.create(made)
    assert (await store.keys.revoke(made.id, NOON)).revoked_at == NOON
    assert (await store.keys.revoke(made.id, NOON + timedelta(hours=1))).revoked_at == NOON
    found = await store.keys.find(made.hash)
    assert found is not None and found.revoked_at == NOON
    with pytest.raises(NotFound):
        await store.keys.revoke("nobody", NOON)


async def test_a_key_remembers_when_it_was_used(store: Store) -> None:
    made = key("ci")
    await store.keys.create(made)
    await store.keys.touch(made.id, NOON)
    await store.keys.touch("nobody", NOON)
    assert (await store.keys.get(made.id)).last_used_at == NOON


async def test_keys_are_listed_oldest_first(store: Store) -> None:
    made = [key(str(n)) for n in range(5)]
    for one in made:
        await store.keys.create(one)
    first = await store.keys.list(3)
    rest = await store.keys.list(3, first.cursor)
    assert [*first.items, *rest.items] == made and rest.cursor is None


def event(action: str, actor: str = "ann", document: str | None = None) -> AuditEvent:
    id = str(uuid_utils.uuid7())
    return AuditEvent(id, NOON, actor, "key", action, document, "ok", {"key": "k1", "note": "ü"})


async def test_the_audit_is_read_newest_first_and_filtered(store: Store) -> None:
    events = [
        event("document.create", document="a"),
        event("key.revoke"),
        event("document.delete", "bob", "a"),
        event("document.delete", "bob", "b"),
    ]
    await store.audit.append(events[:2])
    await store.audit.append(events[2:])
    assert list((await store.audit.list(10)).items) == events[::-1]
    assert [e.id for e in (await store.audit.list(10, document="a")).items] == [events[2].id, events[0].id]
    assert [e.id for e in (await store.audit.list(10, actor="bob", document="b")).items] == [events[3].id]
    assert [e.id for e in (await store.audit.list(10, action="key.revoke")).items] == [events[1].id]
    first = await store.audit.list(3)
    assert list((await store.audit.list(3, first.cursor)).items) == events[:1]


async def test_an_audit_batch_may_be_told_again(store: Store) -> None:
    """As after a commit whose outcome was unknown."""
    known, new = event("x.y"), event("x.z")
    await store.audit.append([known])
    await store.audit.append([known, new])
    assert list((await store.audit.list(10)).items) == [new, known]


ANSWER = Answer(201, {"location": "/api/documents/a"}, b'{"id":"a"}')


async def test_a_repeated_call_gets_the_first_answer(store: Store) -> None:
    assert await store.idempotency.claim("ann", "k", b"hash") is None
    with pytest.raises(Conflict):
        await store.idempotency.claim("ann", "k", b"hash")
    await store.idempotency.settle("ann", "k", ANSWER)
    assert await store.idempotency.claim("ann", "k", b"hash") == ANSWER
    with pytest.raises(Unprocessable):
        await store.idempotency.claim("ann", "k", b"another request")
    assert await store.idempotency.claim("bob", "k", b"another request") is None


async def test_a_released_claim_may_be_made_again_a_settled_one_not(store: Store) -> None:
    await store.idempotency.claim("ann", "k", b"hash")
    await store.idempotency.release("ann", "k")
    assert await store.idempotency.claim("ann", "k", b"hash") is None
    await store.idempotency.settle("ann", "k", ANSWER)
    await store.idempotency.release("ann", "k")
    assert await store.idempotency.claim("ann", "k", b"hash") == ANSWER


async def test_of_many_claims_at_once_one_wins(store: Store) -> None:
    answers = await asyncio.gather(
        *(store.idempotency.claim("ann", "k", b"hash") for _ in range(8)), return_exceptions=True
    )
    assert answers.count(None) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_a_node_whose_clock_is_minutes_ahead_takes_no_living_ones_call_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the call would be done twice. One node alone has one clock."""
    await store.idempotency.claim("ann", "k", b"hash")
    if not store.embedded:
        monkeypatch.setattr("collab.store.idempotency.utc_now", lambda: datetime.now(UTC) + 5 * ABANDONED_AFTER)
    with pytest.raises(Conflict):
        await store.idempotency.claim("ann", "k", b"hash")


async def test_a_dead_nodes_claim_can_be_taken_over_and_old_answers_go(store: Store) -> None:
    now = NOON
    idempotency = SqlIdempotency(store.database, lambda: now)
    await idempotency.claim("ann", "k", b"hash")
    now = NOON + ABANDONED_AFTER
    assert await idempotency.claim("ann", "k", b"hash") is None
    assert await idempotency.forget(NOON) == 0
    assert await idempotency.forget(now + timedelta(seconds=1)) == 1
