"""A running engine with real child processes, on both event loops that the service may run on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from collab.engine.client import Engine


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The loops of `collab serve` and of embedders."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine of one worker for content and one for folding, with short limits."""
    made = Engine(workers=1, call_s_max=5.0, fold_s_max=30.0, waiting_max=2)
    await made.start()
    yield made
    await made.close()
