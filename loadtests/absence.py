"""Whether time tells two tenants apart what is hidden from what is not there: `uv run python -m loadtests.absence`.

One server, 200 documents of somebody else, and a caller who may touch none of them. `--rounds` times each call is made
for a hidden document and for one that does not exist, in an order that a coin decides, over one kept connection. Told
are medians, 90th percentiles, and the Mann-Whitney test's z: how sure one could be, from all these answers together,
that the two differ. Exits with 1 if any |z| is above 4 (one time in 16,000 by chance).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.access.realm import Realm, prepare, realm, token
from tests.backends import embedded

HIDDEN = 200
Z_MAX = 4.0
CALLS: tuple[tuple[str, str, object], ...] = (
    ("GET", "", None), ("GET", "/state", None), ("GET", "/content?root=default&type=text", None),
    ("GET", "/updates", None), ("GET", "/snapshots", None), ("PATCH", "", {"title": "x"}),
    ("POST", "/tickets", {"user": {"id": "u"}}),
)  # fmt: skip


def mann_whitney_z(one: Sequence[float], other: Sequence[float]) -> float:
    """Standard deviations by which pairs in which `other` is larger differ from half of all pairs."""
    ordered = sorted(other)
    larger = sum(len(ordered) - (bisect_left(ordered, x) + bisect_right(ordered, x)) / 2 for x in one)
    pairs = len(one) * len(other)
    return (larger - pairs / 2) / sqrt(pairs * (len(one) + len(other) + 1) / 12)


def measure(
    here: Realm, call: tuple[str, str, object], rounds: int, rng: random.Random
) -> tuple[list[float], list[float]]:
    """Seconds of each answer: (of hidden documents, of absent ones)."""
    method, path, body = call
    took: dict[str, list[float]] = {"hidden": [], "absent": []}
    for _ in range(rounds):
        number = rng.randrange(HIDDEN)
        for kind in rng.sample(["hidden", "absent"], 2):
            started = time.perf_counter()
            answer = here.ask("us", method, f"/api/documents/{kind}-{number:04}{path}", json=body)
            took[kind].append(time.perf_counter() - started)
            assert answer.status_code == 404, answer.text
    return took["hidden"], took["absent"]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng, worst = random.Random(given.seed), 0.0
    table = Table("call", "hidden p50 ms", "absent p50", "hidden p90", "absent p90", "z", box=None)
    with tempfile.TemporaryDirectory() as folder, realm(embedded(Path(folder)), Path(folder)) as here:
        here.tokens["us"] = token("us", ("ours*", "write"), scope="tickets:create")
        for number in range(HIDDEN):
            prepare(here, f"hidden-{number:04}")
        for call in CALLS:
            measure(here, call, 20, rng)
            hidden, absent = measure(here, call, given.rounds, rng)
            z = mann_whitney_z(hidden, absent)
            worst = max(worst, abs(z))
            figures = [1000 * each for took in (hidden, absent) for each in (statistics.median(took), _p90(took))]
            table.add_row(f"{call[0]} {call[1]}", *(f"{figures[at]:.3f}" for at in (0, 2, 1, 3)), f"{z:+.1f}")
    Console().print(table)
    return 0 if worst <= Z_MAX else 1


def _p90(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.9)]


if __name__ == "__main__":
    sys.exit(main())
