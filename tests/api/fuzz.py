"""Schemathesis against a real server, all checks on: `python -m tests.api.fuzz --requests 20000`.

What it may call is read from the server's own OpenAPI. Exits with 1 if a check fails, an answer is not documented,
or the server answers 5xx; the output then says which request to repeat.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.server import running_server

FOLDER = Path(__file__).parent
REQUESTS_PER_EXAMPLE = 0.9  # measured over 20,000: many calls have no more different requests than that
FIXED_PER_OPERATION = 25  # examples and coverage


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    passed: bool
    cases: int
    output: str


def operations(url: str) -> list[str]:
    """The ids of all operations of the server at `url`."""
    paths = httpx2.get(f"{url}/api/openapi.json").json()["paths"]
    return sorted(operation["operationId"] for path in paths.values() for operation in path.values())


def fuzz(url: str, requests: int, seed: int | None = None, only: Sequence[str] = ()) -> Outcome:
    """Makes about this many requests to the server at `url`, of some operations if they are named by their ids."""
    count = len(only or operations(url))
    examples = max(1, int((requests / count - FIXED_PER_OPERATION) / REQUESTS_PER_EXAMPLE))
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", FOLDER / "schemathesis.toml", "run"),
        *(f"{url}/api/openapi.json", "--checks", "all", "--max-examples", str(examples), "--no-color"),
        *("--request-timeout", "70", *(["--seed", str(seed)] if seed is not None else [])),
        *(word for id in only for word in ("--include-operation-id", id)),
    ]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.fuzz_hooks", "PYTHONPATH": str(FOLDER.parents[1])}
    with tempfile.TemporaryDirectory() as folder:  # it leaves a cache where it runs
        run = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    counted = re.search(r"(\d+) generated", run.stdout)
    return Outcome(run.returncode == 0, int(counted[1]) if counted else 0, run.stdout)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--only", action="append", metavar="OPERATION", help="its id, as in the OpenAPI; may be repeated"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        outcome = fuzz(server.url, args.requests, args.seed, args.only or ())
    sys.stdout.write(outcome.output)
    sys.exit(0 if outcome.passed else 1)


if __name__ == "__main__":
    main()
