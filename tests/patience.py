"""How long a test waits for what should come: one generous bound for all, since a wait that succeeds costs nothing.

A test that waits for something *not* to come moves a clock, or has a bound of its own.
"""

from __future__ import annotations

from typing import Any

import httpx2._config
import websockets.asyncio.client
import websockets.sync.client

PATIENCE_S = 60.0  # a virtual machine, or its disk, pauses for seconds; a whole test may take 480 s


class Elapsed(AssertionError):
    """What was waited for did not come in this time. The checks of a clean checkout try such a test once more."""


def be_patient() -> None:
    """The clients that tests use wait as long by themselves: their own defaults are 5 to 20 s."""
    timeout = httpx2._config.DEFAULT_TIMEOUT_CONFIG  # the object that is every function's default
    timeout.connect = timeout.read = timeout.write = timeout.pool = PATIENCE_S
    _wait_longer(websockets.sync.client.connect)
    _wait_longer(websockets.asyncio.client.connect.__init__)


def _wait_longer(function: Any) -> None:
    for name in ("open_timeout", "ping_timeout"):
        assert name in function.__kwdefaults__
        function.__kwdefaults__[name] = PATIENCE_S
