"""The compiled generator and the core that tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtests.fanout import compiler


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The relay is asyncio's."""
    return "asyncio"


@pytest.fixture(scope="session")
def generator() -> Path:
    """The load generator, compiled on first use."""
    return compiler.generator()


@pytest.fixture(scope="session")
def core() -> int:
    """Any core this process may use; one is enough for a smoke test."""
    return max(os.sched_getaffinity(0))
