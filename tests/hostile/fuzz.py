"""The fuzzers: `python -m tests.hostile.fuzz --cases 1000000 --seed 7` throws that many cases at every target.

A finding is printed with its seed, target and number; `--show SEED/TARGET/NUMBER` prints the bytes of that case.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.cases import liar_of, make
from tests.hostile.targets import TARGETS

ROOT = Path(__file__).parent.parent.parent
BATCH = 20_000  # cases in one process
SHOWN = 5  # findings per target; the rest is only counted
BATCH_S = 900.0  # wall time for one; its cases are bounded in CPU time by themselves


@dataclass
class Report:
    """What came of all cases of one target."""

    target: str
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    slowest: int = -1
    peak_mib: int = 0

    def line(self) -> str:
        """One line for people."""
        outcomes = ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        return (
            f"{self.target:9} {self.cases:>9} cases: {outcomes}; slowest {self.slowest_ms:.1f} ms CPU"
            f" (case {self.slowest}), peak {self.peak_mib} MiB"
        )


def data_of(seed: int, target: str, number: int) -> bytes:
    """The bytes of a case."""
    return make(liar_of(seed, target, number), TARGETS[target][1])


def fuzz(target: str, seed: int, cases: int, processes: int) -> Report:
    """Runs that many cases in worker processes and adds up what they tell."""
    report = Report(target, cases)
    batches = [(first, min(BATCH, cases - first)) for first in range(0, cases, BATCH)]
    with ThreadPoolExecutor(processes) as threads:
        for batch in threads.map(lambda span: list(_batch(target, seed, *span)), batches):
            for told in batch:
                _add(report, seed, told)
    return report


def _batch(target: str, seed: int, first: int, count: int) -> Iterator[dict[str, object]]:
    """Runs a batch; after a death it goes on behind the case that killed the worker."""
    with tempfile.NamedTemporaryFile() as record:
        while count > 0:
            record.truncate(8)
            words = [
                sys.executable,
                "-m",
                "tests.hostile.worker",
                target,
                str(seed),
                str(first),
                str(count),
                record.name,
            ]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=BATCH_S, check=False)
            if done.returncode == 0:
                yield json.loads(done.stdout)
                return
            number = int.from_bytes(Path(record.name).read_bytes(), "little")
            what = f"the worker died with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}"
            yield {"findings": [{"number": number, "what": what, "where": []}], "outcomes": {"found": 1}}
            count -= number + 1 - first
            first = number + 1


def _add(report: Report, seed: int, told: dict[str, object]) -> None:
    outcomes, findings = told["outcomes"], told["findings"]
    assert isinstance(outcomes, dict) and isinstance(findings, list)
    report.outcomes.update(outcomes)
    for found in findings:
        report.findings.append(f"{seed}/{report.target}/{found['number']}: {found['what']}\n{''.join(found['where'])}")
    slowest_ms, peak_mib = told.get("slowest_ms", 0.0), told.get("peak_mib", 0)
    assert isinstance(slowest_ms, float) and isinstance(peak_mib, int)
    if slowest_ms > report.slowest_ms:
        report.slowest_ms, report.slowest = slowest_ms, int(str(told["slowest"]))
    report.peak_mib = max(report.peak_mib, peak_mib)


def main(words: Sequence[str] | None = None) -> int:
    """The command line. Returns 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", metavar="SEED/TARGET/NUMBER", help="print the bytes of one case as hex")
    given = parser.parse_args(words)
    if given.show:
        seed, target, number = given.show.split("/")
        print(data_of(int(seed), target, int(number)).hex())
        return 0
    found = 0
    for target in given.targets:
        report = fuzz(target, given.seed, given.cases, given.processes)
        print(report.line())
        print(*report.findings[:SHOWN], sep="\n")
        found += len(report.findings)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
