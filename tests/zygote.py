"""Starts `collab` processes in milliseconds: one process imports everything once, then forks a child per start.

A third of the suite's processor time went into imports before. The child runs what `python -m collab` runs. Run as
a module it is that process: its standard input is a socket, on which each request is one message.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

MESSAGE_BYTES_MAX = 100_000  # arguments and environment
EARLY = ("LD_", "PYTHON", "GLIBC_", "MALLOC_")  # variables that act before a program's first line


class Forked:
    """A child of the zygote, with as much of Popen's face as tests need."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._zygote = zygote
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit status, negative for a signal, or None while it lives."""
        return self._look(0.0)

    def wait(self, timeout_s: float | None = None) -> int:
        """The same once it has ended. Raises TimeoutExpired."""
        status = self._look(timeout_s)
        if status is None:
            raise subprocess.TimeoutExpired("collab", timeout_s or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Does nothing to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], timeout_s)[0]:
            self.returncode = self._zygote.reap(self.pid)
            os.close(self._handle)
        return self.returncode


class Zygote:
    """The process that forks, with this environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It ends when our end of the socket does: with this process, however that ends.
            self._process = subprocess.Popen([sys.executable, "-m", "tests.zygote"], stdin=theirs, env=env)
        atexit.register(self._end)

    def start(self, arguments: Sequence[str], env: Mapping[str, str], output: int) -> Forked:
        """`collab` with these arguments and this whole environment; what it prints goes to the descriptor."""
        request = json.dumps({"arguments": list(arguments), "env": dict(env), "folder": os.getcwd()}).encode()
        with self._lock:
            socket.send_fds(self._socket, [request], [output])
            return Forked(self, self._answer())

    def reap(self, pid: int) -> int:
        """The exit status of a child that has ended."""
        with self._lock:
            self._socket.send(json.dumps({"ended": pid}).encode())
            return self._answer()

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def _answer(self) -> int:
        answer = self._socket.recv(100)
        assert answer, "the zygote has ended"
        return int(answer)


def start(arguments: Sequence[str], env: Mapping[str, str], output: int) -> Forked | subprocess.Popen[bytes]:
    """See Zygote.start. What a fork would miss has a process of its own, as everything has elsewhere than on Linux."""
    if not hasattr(os, "pidfd_open") or _early(env) != _early(os.environ):
        command = [sys.executable, "-m", "collab", *arguments]
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return _zygote().start(arguments, env, output)


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(EARLY)}


@functools.cache
def _zygote() -> Zygote:
    return Zygote({name: value for name, value in os.environ.items() if not name.startswith("COLLAB_")})


def _become(request: dict[str, object], output: int) -> None:
    """The child: takes its place and runs."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(output)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    sys.argv = ["collab", *request["arguments"]]  # type: ignore[misc]


LATER = (  # what `collab serve` imports while it starts: a migration's libraries are half of that
    *("alembic.command", "alembic.context", "mako.template", "sqlalchemy.ext.compiler", "uvloop"),
    *("uvicorn.lifespan.off", "uvicorn.protocols.http.auto", "encodings.idna"),
)


def main() -> None:
    """Serves requests until the socket ends."""
    import collab.api.app
    import collab.cli
    import collab.main
    import collab.serve

    for name in LATER:
        importlib.import_module(name)

    requests = socket.socket(fileno=os.dup(0))
    collab.api.app.routes()
    gc.freeze()  # so that a child's collector need not look at what was imported
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE_BYTES_MAX, 1)
        if not message:
            return
        request = json.loads(message)
        if "ended" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["ended"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                _become(request, descriptors[0])
                return collab.main.main()
            os.close(descriptors[0])
        requests.send(str(answer).encode())


if __name__ == "__main__":
    main()
