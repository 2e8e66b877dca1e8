"""Fixtures that every test folder shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import node_tools


@pytest.fixture(scope="session")
def node() -> Path:
    """The node binary; `tests/node/node_modules` holds the real Yjs packages when a test asks for this."""
    node_tools.node_modules()
    return node_tools.node_executable()
