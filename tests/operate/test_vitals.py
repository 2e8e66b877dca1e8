"""Figures and warnings of a node, on a real store with a faked disk and a stopped journal."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from collab import vitals
from collab.store.open import open_store
from collab.vitals import Vitals
from tests.api.service import running, until
from tests.backends import embedded


@pytest.fixture
def anyio_backend() -> str:
    """The store runs on asyncio only."""
    return "asyncio"


async def test_little_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(embedded(tmp_path)) as service, open_store(f"sqlite:///{tmp_path / 'other.db'}") as store:
        looked = Vitals(service.parts.hub, service.journal, store.database, tmp_path)
        assert looked.warnings() == []
        found = SimpleNamespace(f_bavail=10, f_frsize=2**20, f_blocks=10_000)
        monkeypatch.setattr(os, "statvfs", lambda path: found)
        assert looked.warnings() == ["10 MiB are free on the database's disk"]
        assert looked.figures()["disk_free_bytes"] == 10 * 2**20
        found.f_blocks = 100  # a small volume is not full at a tenth
        assert looked.warnings() == []
        assert "disk_free_bytes" not in Vitals(service.parts.hub, service.journal, store.database, None).figures()


async def test_quarantined_documents_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "SAMPLE_S", 0.001)
    async with running(embedded(tmp_path)) as service, open_store(f"sqlite:///{tmp_path / 'other.db'}") as store:
        await store.catalog.create("good", None, {})
        await store.catalog.create("bad", None, {})
        await store.database.write(lambda c: c.execute(text("UPDATE document SET quarantine = 'x' WHERE id = 'bad'")))
        looked = Vitals(service.parts.hub, service.journal, store.database, None)
        running_task = asyncio.create_task(looked.run())
        await until(lambda: looked.figures()["quarantined_documents"] == 1)
        assert looked.warnings() == ["1 documents are quarantined: run collab doctor"]
        running_task.cancel()


async def test_a_blocked_loop_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "SAMPLE_S", 0.001)
    async with running(embedded(tmp_path)) as service, open_store(f"sqlite:///{tmp_path / 'other.db'}") as store:
        looked = Vitals(service.parts.hub, service.journal, store.database, None)
        running_task = asyncio.create_task(looked.run())
        await asyncio.sleep(0)
        block(0.05)
        await until(lambda: looked.figures()["loop_lag_seconds"] >= 0.04)
        running_task.cancel()


def block(seconds: float) -> None:
    """Keeps the loop busy."""
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
