"""Signs of life: the process, what it needs, its figures."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collab.errors import StorageUnavailable
from tests.api.service import Service
from tests.updates import typed

pytestmark = pytest.mark.one_node


async def test_healthz_needs_nothing(api: Service) -> None:
    """Not even the database: a restart would not bring it back."""

    async def refuses() -> None:
        raise StorageUnavailable()

    api.app.state.parts = replace(api.parts, probes={"database": refuses})
    assert (await api.client.get("/readyz")).status_code == 503
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}


async def test_readyz_asks_the_database(api: Service) -> None:
    """A real write and a real read."""
    answer = await api.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "node": "n", "open": True, "probes": {"database": "ok"}, "warnings": []},
    )


async def test_readyz_says_what_does_not_work(api: Service) -> None:
    """A database that refuses, a bus that hangs, a node that goes down."""

    async def refuses() -> None:
        raise StorageUnavailable("the disk is full")

    async def hangs() -> None:
        await asyncio.get_running_loop().create_future()

    api.app.state.parts = replace(api.parts, probes={"database": refuses, "bus": hangs}, probe_s=0.01)
    api.parts.hub.draining = True
    answer = await api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "node": "n",
        "open": True,
        "probes": {"database": "the disk is full", "bus": "no answer in 0.01 s", "node": "draining"},
        "warnings": [],
    }


async def test_metrics_are_prometheus_text(api: Service) -> None:
    """Counters, refusals by code, rooms, and the gauges that were given."""
    await api.create()
    await api.post(typed(1, 0, "hello"))
    await api.post(b"\xff")
    api.app.state.parts = replace(api.parts, gauges=lambda: {"journal_waiting_bytes": 7.0})
    answer = await api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["collab_updates_in_total",] == 1
    assert samples["collab_rooms",] == 1
    assert samples["collab_resident_bytes",] == len(typed(1, 0, "hello"))
    assert samples["collab_refusals_total", "bad_update", "rest"] == 1
    assert samples["collab_journal_waiting_bytes",] == 7
