"""A slice of `python -m tests.cluster.faults`: twenty faults, nothing acked is lost, everyone ends up equal."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.faults.stage import stage
from tests.cluster.faults.trial import course, run


def test_twenty_faults(node: Path, tmp_path: Path) -> None:
    with stage(node, tmp_path, seed=7) as made:
        findings = run(made, course(made, 20), (0.1, 0.4))
    assert findings.lost == set()
    assert findings.acked > 100
    assert len(findings.seconds) == 20
