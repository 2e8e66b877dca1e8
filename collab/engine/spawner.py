"""The server's side of the warm process: starts it, has it fork and bury workers, and starts it anew if it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress

import structlog

from collab.engine.child import Child
from collab.engine.counters import EngineCounters
from collab.engine.forker import BURY, FORK, NO_SUCH_WORKER, REPLY
from collab.errors import EngineUnavailable

REPLY_S_MAX = 15.0  # importing everything takes a tenth of a second; a machine may be very busy
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME")  # no secrets

logger = structlog.get_logger("collab.engine")


class Spawner:
    """One warm process and the workers it forked. Commands are sent one at a time and never given up half way."""

    def __init__(self, counters: EngineCounters) -> None:
        self._counters = counters
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stderr_fd = -1
        self._burials: set[asyncio.Task[bool]] = set()

    @property
    def pid(self) -> int | None:
        """The warm process, if one runs."""
        return self._process.pid if self._process else None

    async def fork(self, memory_bytes_max: int, niceness: int) -> Child:
        """A fresh worker. Raises EngineUnavailable."""
        forking = asyncio.get_running_loop().create_task(self._fork(memory_bytes_max, niceness))
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(self._bury_unwanted)
            raise

    def bury(self, child: Child, reason: str) -> asyncio.Task[bool]:
        """Kills the worker if it still runs and logs its end in the background.

        The task's result tells whether the warm process was there to do it; if not, its end was the worker's end.
        """
        burial = asyncio.get_running_loop().create_task(self._bury(child, reason))
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)
        return burial

    async def close(self) -> None:
        """Ends the warm process, and with it every worker that is left."""
        if self._burials:
            await asyncio.wait(self._burials)  # never given up half way: its answer would be taken for another's
        async with self._turn:
            self._abandon()

    def _bury_unwanted(self, forking: asyncio.Task[Child]) -> None:
        if not forking.cancelled() and forking.exception() is None:
            self.bury(forking.result(), "unwanted")

    async def _fork(self, memory_bytes_max: int, niceness: int) -> Child:
        async with self._turn:
            for _ in range(2):  # the warm process may have died since the last command
                with ExitStack() as ours, ExitStack() as theirs:
                    sock, stderr_fd, files = _ends(ours, theirs)
                    try:
                        await self._ensure_started()
                        pid = await self._ask(FORK.pack(b"F", memory_bytes_max, niceness), files)
                    except (OSError, EOFError, TimeoutError) as error:
                        logger.warning("engine_forker_lost", error=repr(error))
                        self._abandon()
                        continue
                    self._counters.children_started += 1
                    ours.pop_all()  # they are the child's from now on
                    return Child(pid, sock, stderr_fd)
        raise EngineUnavailable("no worker could be started")

    async def _bury(self, child: Child, reason: str) -> bool:
        status = None
        async with self._turn:
            try:
                answer = await self._ask(BURY.pack(b"B", child.pid), [])
                status = None if answer == NO_SUCH_WORKER else answer
            except TimeoutError as error:
                logger.warning("engine_forker_lost", error=repr(error))
                self._abandon()  # its answer may still come, and would be taken for that to the next command
            except (OSError, EOFError):
                pass  # it has ended: the next fork starts another
        words = child.last_words()
        child.close()
        log = logger.warning if words or reason != "retired" else logger.debug
        log("engine_child_ended", pid=child.pid, reason=reason, status=_describe(status), stderr=words)
        return status is not None

    async def _ask(self, command: bytes, files: list[int]) -> int:
        """Sends a command and awaits its reply. Raises OSError, EOFError or TimeoutError."""
        if self._control is None:
            raise EOFError
        socket.send_fds(self._control, [command], files)
        return await self._reply(self._control)

    async def _reply(self, control: socket.socket) -> int:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(REPLY_S_MAX):
            reply = await loop.sock_recv(control, REPLY.size)
        if len(reply) < REPLY.size:
            raise EOFError
        value: int = REPLY.unpack(reply)[0]
        return value

    async def _ensure_started(self) -> None:
        if self._process is None:
            await self._reply(self._launch())

    def _launch(self) -> socket.socket:
        """Starts the warm process from this thread, whose end would be its end; returns the control socket."""
        module = [sys.executable, "-P", "-m", "collab.engine.forker"]
        with ExitStack() as ours, ExitStack() as theirs:
            control, stderr_fd, (control_fd, their_stderr_fd) = _ends(ours, theirs)
            self._process = subprocess.Popen(
                [*module, str(os.getpid()), str(control_fd)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=their_stderr_fd,
                pass_fds=[control_fd],
                env=_environment(),
            )
            ours.pop_all()
        self._control, self._stderr_fd = control, stderr_fd
        self._counters.forkers_started += 1
        return control

    def _abandon(self) -> None:
        """Ends what there is of the warm process."""
        if self._process is None or self._control is None:
            return
        self._process.kill()
        status = self._process.wait(REPLY_S_MAX)
        with suppress(OSError):
            words = os.read(self._stderr_fd, 64 * 1024).decode(errors="replace").strip()
            if words:
                logger.warning("engine_forker_ended", status=_describe(-status), stderr=" | ".join(words.split("\n")))
        self._control.close()
        os.close(self._stderr_fd)
        self._process = self._control = None


def _ends(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, int, list[int]]:
    """Our ends of a socket and of a pipe to read from, and the other side's two; each stack closes its own.

    Raises EngineUnavailable if there are no file descriptors left.
    """
    try:
        sock, other = socket.socketpair()
        ours.enter_context(sock)
        theirs.enter_context(other)
        read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise EngineUnavailable(f"no worker could be started: {error.strerror}") from None
    ours.callback(os.close, read_fd)
    theirs.callback(os.close, write_fd)
    sock.setblocking(False)
    return sock, read_fd, [other.fileno(), write_fd]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "1"}


def _describe(status: int | None) -> str:
    """A `waitpid` status in words."""
    if status is None:
        return "unknown"
    code = os.waitstatus_to_exitcode(status) if status >= 0 else status
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
