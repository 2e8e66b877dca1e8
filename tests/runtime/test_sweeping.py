"""Old answers to repeated calls are forgotten, whatever the database does in between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from collab.errors import StorageUnavailable
from collab.store.base import Answer
from collab.store.idempotency import SqlIdempotency
from collab.sweeping import ANSWERS_KEPT, sweep
from tests.patience import PATIENCE_S
from tests.runtime.conftest import Bench


async def test_old_answers_go_and_young_ones_stay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    old = SqlIdempotency(bench.store.database, now=lambda: now - ANSWERS_KEPT - timedelta(minutes=1))
    young = bench.store.idempotency
    for kept in (old, young):
        assert await kept.claim("me", str(id(kept)), b"hash") is None
        await kept.settle("me", str(id(kept)), Answer(200, {}, b"v"))
    swept = asyncio.Event()
    real, calls = young.forget, 0

    async def forget(before: datetime) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StorageUnavailable
        found = await real(before)
        swept.set()
        return found

    monkeypatch.setattr(young, "forget", forget)
    sweeping = asyncio.create_task(sweep(young, every_s=0.0))
    await asyncio.wait_for(swept.wait(), PATIENCE_S)
    sweeping.cancel()
    assert await young.claim("me", str(id(young)), b"hash") == Answer(200, {}, b"v")
    assert await young.claim("me", str(id(old)), b"another") is None
