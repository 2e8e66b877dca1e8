"""A slice of `python -m tests.cluster.faults`: twenty faults, up to four at a time, nothing acked is lost."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.faults.stage import stage
from tests.cluster.faults.trial import course, run, together


def test_twenty_faults(node: Path, tmp_path: Path) -> None:
    with stage(node, tmp_path, seed=7) as made:
        findings = run(made, together(course(made, 20)), (0.1, 0.4))
    assert findings.lost == set()
    assert findings.acked > 50
    assert findings.faults.total() == 20
