"""One server process tree pinned to one core, with its own data folder; measured from outside through /proc."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from loadtests.fanout.cache import cache_folder
from loadtests.fanout.peers import Peer, environment_of

START_S_MAX = 120.0
STOP_S_MAX = 10.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class DiedAtStart(Exception):
    """The server ended, or did not listen, before the first client came; the message holds its last words."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pin_here(core: int) -> None:
    """Keeps this process, and all it starts, on one core; if its parent is killed it ends as well.

    Where Linux shares the processor between sessions first (autogroups), niceness counts for nothing against others:
    the session gets what this process has.
    """
    os.sched_setaffinity(0, {core})
    if (niceness := os.nice(0)) < 0:
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """A running peer. Use as a context manager, or `start` and `stop`; `restart` gives it an empty data folder."""

    def __init__(self, peer: Peer, core: int) -> None:
        self.peer = peer
        self.core = core
        self.port = 0
        self._folder = peer.prepare()
        self._process: subprocess.Popen[bytes] | None = None
        self._work = Path()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts and waits until it listens. Raises DiedAtStart."""
        self.port = free_port()
        self._work = Path(tempfile.mkdtemp(prefix=f"{self.peer.name}-", dir=_scratch()))
        (self._work / "data").mkdir()
        with open(self._work / "log", "wb") as log:
            self._process = subprocess.Popen(
                self.peer.command(self._folder, self.port, self._work / "data"),
                cwd=self._folder,
                env=environment_of(self.peer, self.port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: pin_here(self.core),
            )
        self._wait_until_listening()

    def _wait_until_listening(self) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline_s and self.alive():
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        words = self.last_words()
        self.stop()
        raise DiedAtStart(f"{self.peer.name} does not listen: {words}")

    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def last_words(self, lines: int = 3) -> str:
        """The end of what it wrote, on one line."""
        try:
            return " | ".join((self._work / "log").read_text(errors="replace").strip().splitlines()[-lines:])
        except OSError:
            return ""

    def stop(self) -> None:
        """Asks it to end, then makes it; its data is deleted."""
        process, self._process = self._process, None
        if process is not None:
            tree = _tree(process.pid)
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _kill_what_is_left(tree)
            shutil.rmtree(self._work, ignore_errors=True)

    def restart(self) -> None:
        """A fresh process with no documents."""
        self.stop()
        self.start()

    def pids(self) -> list[int]:
        """The process and all its descendants."""
        return _tree(self._process.pid) if self._process is not None else []

    def memory_bytes(self) -> int:
        """Proportional set size of the whole tree: pages shared between its processes count once."""
        return sum(_pss_bytes(pid) for pid in self.pids())


def _scratch() -> Path:
    folder = cache_folder() / "data"
    folder.mkdir(exist_ok=True)
    return folder


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # the thread ended while we looked
    return found


def _kill_what_is_left(tree: list[int]) -> None:
    for pid in tree:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
