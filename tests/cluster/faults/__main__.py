"""`python -m tests.cluster.faults --rounds 500 --seed 1`: exit status 1 if anything acked was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests import node_tools
from tests.cluster.faults.stage import stage
from tests.cluster.faults.trial import PROMISED_S, Findings, course, run, thorough, with_stops


def main() -> int:
    """Runs the trial and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spell", type=float, default=1.0, help="longest a fault lasts, in seconds")
    parser.add_argument("--thorough", action="store_true", help="node kills and Postgres restarts as often as others")
    parser.add_argument("--stops", type=int, help="rounds that stop a node for 30 s; default: one in 25")
    given = parser.parse_args()
    node_tools.node_modules()
    with tempfile.TemporaryDirectory() as folder, stage(node_tools.node_executable(), Path(folder), given.seed) as made:
        faults = (thorough if given.thorough else course)(made, given.rounds)
        stops = given.rounds // 25 if given.stops is None else given.stops
        rounds = [[fault] for fault in with_stops(made, faults, stops)]
        findings = run(made, rounds, (0.2, given.spell), lambda line: print(line, flush=True))
    print(summary(findings))
    return 1 if findings.lost or findings.late else 0


def summary(findings: Findings) -> str:
    """A few lines."""
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(findings.faults.items()))
    slowest, fault = findings.slowest
    return (
        f"{sum(findings.faults.values())} faults ({kinds})\n"
        f"{findings.edits} edits by sockets, {findings.acked} acked, {len(findings.lost)} of them lost\n"
        f"equal after healing: p50 {findings.quantile(0.5):.2f} s, p99 {findings.quantile(0.99):.2f} s, "
        f"longest {slowest:.2f} s ({fault}), {findings.late} over {PROMISED_S:.0f} s"
    )


sys.exit(main())
