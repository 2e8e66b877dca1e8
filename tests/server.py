"""A real server process for tests: started on a free port, stopped or killed by its id, restarted on the same data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests import zygote
from tests.patience import PATIENCE_S, Elapsed
from tests.zygote import Forked

START_S = 2 * PATIENCE_S  # a worker of a pool imports everything by itself
READY = re.compile(r"(https?://[^/\s]+:\d+)/docs")


def wait_until(holds: Callable[[], object], timeout_s: float = PATIENCE_S, what: str = "the condition") -> None:
    """Returns soon after the condition holds; Elapsed after the timeout. What takes longer is asked for less often:
    each look may take time of the server that is waited for.
    """
    began = time.monotonic()
    while not holds():
        waited_s = time.monotonic() - began
        if waited_s > timeout_s:
            raise Elapsed(f"{what} did not come true within {timeout_s:.0f} s")
        time.sleep(min(max(0.005, waited_s / 10), 0.05))


def command(*words: str, env: Mapping[str, str] | None = None, timeout_s: float = PATIENCE_S, expected: int = 0) -> str:
    """What `collab` with these words prints, both its outputs, once it has ended as expected; forked, so without
    imports."""
    with tempfile.TemporaryFile() as output:
        usual = {k: v for k, v in os.environ.items() if not k.startswith("COLLAB_")}
        status = zygote.start(words, usual | dict(env or {}), output.fileno()).wait(timeout_s)
        output.seek(0)
        printed = output.read().decode()
    assert status == expected, printed
    return printed


class Server:
    """`collab serve` on `data`. `output` is what it has printed so far, over all its lives."""

    def __init__(self, data: Path, args: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.url = ""
        self.output: list[str] = []
        self._port = 0
        self._args = args
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("COLLAB_")} | dict(env or {})
        self._process: Forked | subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def socket_url(self) -> str:
        """Base of the sockets of the plain dialect: append a slash and the document."""
        return f"ws{self.url[4:]}/sync"

    @property
    def hocuspocus_url(self) -> str:
        """Where providers connect."""
        return f"ws{self.url[4:]}/hocuspocus"

    def start(self) -> None:
        """Starts it, on the port it had before if it had one, and returns when /readyz says yes."""
        told = threading.Event()
        serve = ["serve", "--host", "127.0.0.1", "--port", str(self._port), "--data", str(self.data)]
        ours, theirs = os.pipe()
        try:
            self._process = zygote.start([*serve, *self._args], self._env, theirs)
        finally:
            os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours, told), daemon=True)
        self._reader.start()
        if not told.wait(START_S):
            raise Elapsed(self._text("the server did not say where it listens"))
        assert self.url, self._text("the server ended at once")
        self._port = int(self.url.rsplit(":", 1)[1])
        wait_until(self._is_ready, START_S, "readiness")

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self._end(signal.SIGKILL)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """SIGTERM; returns the exit status, or kills it after the timeout and raises."""
        return self._end(signal.SIGTERM, timeout_s)

    def _end(self, number: int, timeout_s: float = PATIENCE_S) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(timeout_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if self._reader is not None:
                self._reader.join(5.0)

    def _read(self, ours: int, told: threading.Event) -> None:
        with open(ours, errors="replace") as output:
            for line in output:
                self.output.append(line)
                if found := READY.search(line):
                    self.url = found[1]
                    told.set()
        told.set()  # it has ended

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        except httpx2.TransportError:
            assert self._process is not None and self._process.poll() is None, self._text("the server ended")
            return False

    def _text(self, what: str) -> str:
        return f"{what}:\n{''.join(self.output[-60:])}"


@contextmanager
def running_server(data: Path, *args: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server on a free port until the block ends; `args` are further flags of `collab serve`."""
    server = Server(data, args, env)
    try:
        server.start()
        yield server
    finally:
        server.kill()
