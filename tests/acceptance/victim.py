"""A server that is killed and started again all the time, as fast as that goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2

START_S = 30.0


class Victim:
    """One data folder, one port, one zygote; at most one living server. Use it as a context manager."""

    def __init__(self, data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """`arguments`: further flags of `collab serve`; `env`: further variables of its environment."""
        self._data = data
        self._arguments = arguments
        self._env = dict(env or {})
        self._log = data.with_name(f"{data.name}.log")
        self._port = free_port()
        self._pid: int | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Victim:
        with self._log.open("ab") as log:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("COLLAB_")} | self._env,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        with self._zygote:  # closes its input, which ends it
            pass

    @property
    def is_running(self) -> bool:
        """Started and not killed since."""
        return self._pid is not None

    async def start(self, http: httpx2.AsyncClient) -> None:
        """Returns when /readyz says yes."""
        serve = ["serve", "--host", "127.0.0.1", "--port", str(self._port), "--data", str(self._data)]
        serve += self._arguments
        self._pid = self._tell(serve)
        try:
            async with asyncio.timeout(START_S):
                while not await self._is_ready(http):  # noqa: ASYNC110  no event tells when another process listens
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"the server does not start:\n{self._log.read_text()[-4000:]}") from None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._pid is not None:
            pid, self._pid = self._pid, None
            os.kill(pid, signal.SIGKILL)
            self._tell(pid)

    def _tell(self, request: list[str] | int) -> int:
        assert self._zygote.stdin is not None and self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(request).encode() + b"\n")
        self._zygote.stdin.flush()
        answer = self._zygote.stdout.readline()
        assert answer, f"the zygote has ended:\n{self._log.read_text()[-4000:]}"
        return int(answer)

    async def _is_ready(self, http: httpx2.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/readyz")).is_success
        except httpx2.TransportError:
            return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
