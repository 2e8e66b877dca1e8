"""A slice of the crash points; run as a command, since it forks and this process has threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.crashpoints import OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_step_leaves_it_whole_or_not_at_all(operation: str) -> None:
    command = [sys.executable, "-m", "tests.faults.crashpoints", "--rounds", "2", "--seed", "4", "--only", operation]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed at 2 of" in done.stdout
