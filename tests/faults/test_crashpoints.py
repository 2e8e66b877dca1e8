"""A slice of the crash points; run as a command, since it forks and this process has threads."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.faults.crashpoints import OPERATIONS


def test_a_kill_at_any_step_leaves_every_operation_whole_or_undone() -> None:
    command = [sys.executable, "-m", "tests.faults.crashpoints", "--rounds", "3", "--seed", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    for operation in OPERATIONS:
        assert re.search(
            f"{operation}: killed at [23] of", done.stdout
        )  # a life may end before the last step of another
