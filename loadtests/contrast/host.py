"""The server under study: `collab serve` on a core of its own, which can be killed and come back on the same data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2

from loadtests.contrast import usage
from loadtests.contrast.crowds import REPOSITORY
from loadtests.contrast.origin import Origin
from loadtests.contrast.tls import make_certificate
from loadtests.fanout.cache import cache_folder
from loadtests.fanout.server import DiedAtStart, free_port, pin_here

START_S_MAX = 120.0
STOP_S_MAX = 12.0
ENVIRONMENT = {"COLLAB_LOG_LEVEL": "warning", "COLLAB_LINGER_S": "2"}


class Host:
    """A running server. Use as a context manager; `bounce` kills it and starts it again."""

    def __init__(self, core: int, tls: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._core = core
        self._work = Path(tempfile.mkdtemp(prefix="contrast-", dir=cache_folder()))
        self._port = free_port()
        self._certificate = make_certificate(self._work) if tls else None
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        trusted = str(self._certificate.certificate) if self._certificate else None
        self.origin = Origin(f"{'https' if tls else 'http'}://127.0.0.1:{self._port}", trusted)

    def __enter__(self) -> Host:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._work, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def data(self) -> Path:
        """Where it keeps its database."""
        return self._work / "data"

    def start(self) -> None:
        """Returns when it is ready to work. Raises DiedAtStart."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COLLAB_")}
        with open(self._work / "log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "collab", "serve", *self._flags()],
                cwd=REPOSITORY,
                env={**inherited, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: pin_here(self._core),
            )
        self._wait_until_ready()

    def _flags(self) -> list[str]:
        flags = ["--host", "127.0.0.1", "--port", str(self._port), "--data", str(self.data)]
        if self._certificate is not None:
            flags += ["--ssl-certfile", str(self._certificate.certificate)]
            flags += ["--ssl-keyfile", str(self._certificate.key)]
        return flags

    def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        with client(self.origin) as http:
            while time.monotonic() < deadline_s and self._process is not None and self._process.poll() is None:
                try:
                    if http.get("/readyz").status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                time.sleep(0.01)
        raise DiedAtStart(f"the server does not answer: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it wrote, on one line."""
        return " | ".join((self._work / "log").read_text(errors="replace").strip().splitlines()[-4:])

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        children = list(usage.tree(process.pid))[1:]
        process.send_signal(number)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue


def client(origin: Origin, timeout_s: float = 20.0) -> httpx2.Client:
    """A plain REST client for setting up and checking; never measured."""
    headers = {"authorization": f"Bearer {origin.token}"} if origin.token else {}
    return httpx2.Client(
        base_url=origin.url, headers=headers, timeout=timeout_s, verify=origin.context or True, trust_env=False
    )
