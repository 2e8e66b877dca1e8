"""Every figure that the dashboard and the alarms name is one that a real node tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Service

DOCS = Path(__file__).parents[2] / "docs"
METRIC = re.compile(r"\b(?:collab|process)_[a-z0-9_]+")


@pytest.fixture
def told(service: Service) -> dict[str, float]:
    """Names of a running node's samples to values."""
    text = httpx2.get(f"{service.url}/metrics").text
    families = text_string_to_metric_families(text)
    found = {sample.name: sample.value for family in families for sample in family.samples}
    return {**found, "collab_refusals_total": 0.0}  # which has no sample before the first refusal


def test_the_dashboard_asks_for_what_there_is(told: dict[str, float]) -> None:
    board = json.loads((DOCS / "grafana.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) >= 15
    assert {name for expr in asked for name in METRIC.findall(expr)} <= told.keys()
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_the_alarms_ask_for_what_there_is_and_are_explained(told: dict[str, float]) -> None:
    rules = (DOCS / "alerts.yaml").read_text()
    exprs = re.findall(r"expr: (.*)", rules)
    assert {name for expr in exprs for name in METRIC.findall(expr)} <= told.keys()
    manual = (DOCS / "operations.md").read_text()
    alarms = re.findall(r"alert: (\w+)", rules)
    assert len(alarms) == len(exprs) and all(f"| {alarm} |" in manual for alarm in alarms)


def test_a_node_at_rest_is_well(told: dict[str, float]) -> None:
    assert told["collab_durable_lag_seconds"] == told["collab_quarantined_documents"] == 0.0
    assert told["collab_journal_healthy"] == 1.0
    assert 0 < told["collab_disk_free_bytes"] <= told["collab_disk_bytes"]
    assert 0 <= told["collab_loop_lag_seconds"] < 60
    assert 0 < told["process_open_fds"] < told["process_max_fds"] and told["process_resident_memory_bytes"] > 0
