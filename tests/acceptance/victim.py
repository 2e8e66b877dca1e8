"""A server that is killed and started again all the time, as fast as that goes."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx2

from tests import zygote
from tests.patience import PATIENCE_S
from tests.realservers import free_port
from tests.zygote import Forked


class Victim:
    """One data folder, one port; at most one living server. Use it as a context manager."""

    def __init__(self, data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """`arguments`: further flags of `collab serve`; `env`: further variables of its environment."""
        self._data = data
        self._arguments = arguments
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("COLLAB_")} | dict(env or {})
        self._log = data.with_name(f"{data.name}.log")
        self._port = free_port()
        self._process: Forked | subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def is_running(self) -> bool:
        """Started and not killed since."""
        return self._process is not None

    async def start(self, http: httpx2.AsyncClient) -> None:
        """Returns when /readyz says yes."""
        serve = ["serve", "--host", "127.0.0.1", "--port", str(self._port), "--data", str(self._data)]
        serve += self._arguments
        with self._log.open("ab") as log:
            self._process = zygote.start(serve, self._env, log.fileno())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._is_ready(http):  # noqa: ASYNC110  no event tells when another process listens
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"the server does not start:\n{self._log.read_text()[-4000:]}") from None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()

    async def _is_ready(self, http: httpx2.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/readyz")).is_success
        except httpx2.TransportError:
            return False
