"""Several nodes on one machine: a parent that serves nothing, and a process per node that it keeps alive.

On Linux each worker has a listening socket of its own on the same port (SO_REUSEPORT), so that the kernel spreads
connections evenly; elsewhere they share one. The parent keeps the sockets open, so that nobody who connects while a
worker is restarted is refused.

Each imports everything anew, which takes 1.3 s of a core and 106 MB: forked from a warm process a worker would cost
next to nothing, but USR2 is how a new version comes in without an end to the service, and a fork would be the old one.

Signals: TERM and INT drain all and end; HUP has every worker read the settings anew, as a node without workers does,
and no socket is closed for it; USR2 replaces one worker after the other; TTIN and TTOU add and remove one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

import structlog
from pydantic import ValidationError

from collab import logs
from collab.settings import Settings, plain

log = structlog.get_logger(__name__)

BEAT_S = 1.0
STUCK_S = 30.0  # a worker whose loop has not turned for so long is killed and replaced
READY_S = 60.0
GRACE_S = 5.0  # beyond `drain_s`, before a worker that was asked to end is killed
RESTART_FIRST_S = 0.1
RESTART_MAX_S = 15.0
HEALTHY_S = 10.0  # a worker that lived so long before it died is replaced at once
LAST = (signal.SIGTERM, signal.SIGINT)

READY, BEAT = "ready", "beat"
Serve = Callable[[Settings, Callable[[int], None], list[socket.socket], Callable[[], None]], int]
"""Serves until told to end: settings, on ready (port), sockets, a beat to call; returns the exit status."""


class Worker:
    """One place in the pool: its socket, and the process that has it now."""

    def __init__(self, number: int, settings: Settings, listening: socket.socket, serve: Serve) -> None:
        self.number = number
        self.listening = listening
        self.settings = settings  # the next process starts with them
        self._begun_with = settings
        self._serve = serve
        self._delay_s = RESTART_FIRST_S
        self.start()

    def start(self) -> None:
        """Starts a fresh process."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._begun_with = self.settings
        arguments = (self._serve, self.settings, self.listening, theirs)
        self.process = context.Process(target=_work, args=arguments, name=f"collab worker {self.number}")
        self.process.start()
        theirs.close()
        self.started_at = self.heard_at = time.monotonic()
        self.restart_at = 0.0
        self.ready = False

    def hear(self) -> None:
        """Reads what it has said."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                if self.pipe.recv() == READY:
                    self.ready = True
                    log.info("worker serves", worker=self.number, pid=self.process.pid)
                    if self._begun_with is not self.settings:
                        self.reload(self.settings)
                self.heard_at = time.monotonic()

    @property
    def stuck(self) -> bool:
        """Its loop does not turn, or it never came to serve."""
        return time.monotonic() - self.heard_at > (STUCK_S if self.ready else READY_S)

    def reload(self, settings: Settings) -> None:
        """Has it read the settings anew: now, or when it has come to serve. Before that the signal would end it."""
        self.settings = settings
        if self.ready and self.process.exitcode is None:
            os.kill(self.process.pid or 0, signal.SIGHUP)

    def ended(self) -> None:
        """It died: decides when to start another."""
        self.pipe.close()
        lived_s = time.monotonic() - self.started_at
        self._delay_s = RESTART_FIRST_S if lived_s > HEALTHY_S else min(2 * self._delay_s, RESTART_MAX_S)
        self.ready = False
        self.restart_at = time.monotonic() + self._delay_s

    def end(self, grace_s: float) -> None:
        """Asks it to drain, waits, and kills it if it does not."""
        self.process.terminate()
        self.process.join(grace_s)
        if self.process.is_alive():
            log.warning("worker killed: it did not end in time", worker=self.number, pid=self.process.pid)
            self.process.kill()
            self.process.join()


class Pool:
    """All workers; `run` returns the exit status of the command."""

    def __init__(self, settings: Settings, on_ready: Callable[[int], None], serve: Serve) -> None:
        """Raises OSError if the port is taken."""
        self._settings = settings
        self._on_ready = on_ready
        self._serve = serve
        self._grace_s = settings.drain_s + GRACE_S
        _listen(settings.host, settings.port, alone=True).close()  # nobody else's, whoever lets others share it
        self._first = _listen(settings.host, settings.port)
        self.port: int = self._first.getsockname()[1]
        self._workers: list[Worker] = []
        self._signals: list[int] = []
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)

    def run(self) -> int:
        """Until a signal ends it, or a worker cannot start at all."""
        for number in (*LAST, *_more_signals()):
            signal.signal(number, self._note)
        try:
            self._add()
            status = self._wait_for_all()  # what one cannot do the others need not try
            if status is None:
                for _ in range(self._settings.workers - 1):
                    self._add()
                status = self._wait_for_all()
            if status is None:
                self._on_ready(self.port)
                self._watch()
            return status or 0
        finally:
            self._end(self._workers)

    def _note(self, number: int, frame: object) -> None:
        self._signals.append(number)
        os.write(self._wake, b"\0")

    def _add(self) -> None:
        listening = self._first
        if self._workers and _balanced():
            listening = _listen(self._settings.host, self.port)
        self._workers.append(Worker(len(self._workers) + 1, self._settings, listening, self._serve))

    def _wait_for_all(self) -> int | None:
        """None once all are ready; a status if one ended, or a signal came, before that."""
        while not all(worker.ready for worker in self._workers):
            self._turn()
            for worker in self._workers:
                status = worker.process.exitcode
                if status is not None:
                    return status if status > 0 else 1
                if worker.stuck:
                    log.error("a worker did not come to serve", worker=worker.number)
                    return 1
            if self._ending:
                return 0
        return None

    @property
    def _ending(self) -> bool:
        return any(number in LAST for number in self._signals)

    def _turn(self) -> None:
        """Waits for something to happen, at most a beat."""
        alive = [worker for worker in self._workers if worker.restart_at == 0.0]
        awaited: list[Any] = [self._woken, *(w.pipe for w in alive), *(w.process.sentinel for w in alive)]
        connection.wait(awaited, BEAT_S / 4)
        for worker in alive:
            worker.hear()
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 64)

    def _watch(self) -> None:
        while not self._ending:
            self._turn()
            for worker in self._workers:
                self._keep_alive(worker)
            pending, self._signals = self._signals, [number for number in self._signals if number in LAST]
            for number in pending:
                self._obey(number)

    def _keep_alive(self, worker: Worker) -> None:
        if worker.restart_at:
            if time.monotonic() >= worker.restart_at:
                worker.start()
        elif worker.process.exitcode is not None:
            worker.ended()
            log.error("worker died: another takes its place", worker=worker.number, exit=worker.process.exitcode)
        elif worker.stuck:
            log.error("worker is stuck: killed", worker=worker.number, pid=worker.process.pid)
            worker.process.kill()
            worker.process.join()

    def _obey(self, number: int) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP":
            self._reload()
        elif name == "SIGUSR2":
            self._renew_all()
        elif name == "SIGTTIN":
            self._add()
        elif name == "SIGTTOU" and len(self._workers) > 1:
            self._end([self._workers.pop()])

    def _reload(self) -> None:
        """What one cannot take the others are not asked to."""
        try:
            self._settings = self._settings.reloaded()
        except (ValidationError, ValueError) as error:  # UnsafeSettings is a ValueError
            log.error("settings were not reloaded", reason=plain(error))
            return
        for worker in self._workers:
            worker.reload(self._settings)

    def _renew_all(self) -> None:
        """One after the other, up to one that does not come to serve: what it cannot do the others need not try."""
        for worker in self._workers:
            self._renew(worker)
            if not worker.ready:
                if not self._ending:
                    log.error("a new worker does not serve: the others stay", worker=worker.number)
                return

    def _renew(self, worker: Worker) -> None:
        """The others serve meanwhile: the next one's turn comes when this one serves again."""
        worker.end(self._grace_s)
        worker.pipe.close()
        worker.start()
        while not (worker.ready or worker.stuck) and worker.process.exitcode is None and not self._ending:
            self._turn()

    def _end(self, workers: list[Worker]) -> None:
        for worker in workers:
            if worker.process.is_alive():
                worker.process.terminate()
        for worker in workers:
            worker.end(self._grace_s)
            if worker.listening is not self._first:
                worker.listening.close()


def _more_signals() -> list[int]:
    return [getattr(signal, name) for name in ("SIGHUP", "SIGUSR2", "SIGTTIN", "SIGTTOU") if hasattr(signal, name)]


def _balanced() -> bool:
    """Elsewhere SO_REUSEPORT gives everything to the newest socket."""
    return sys.platform == "linux"


def _listen(host: str, port: int, alone: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if _balanced() and not alone:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    listening.listen(4096)
    return listening


def _work(serve: Serve, settings: Settings, listening: socket.socket, pipe: Any) -> None:
    """The worker's process. It ends with its parent, even if that is killed: the pipe says so."""
    logs.configure(settings.log_level)
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()

    def say(what: str) -> None:
        with contextlib.suppress(OSError):
            pipe.send(what)

    sys.exit(serve(settings, lambda port: say(READY), [listening], lambda: say(BEAT)))


def _end_with_parent(pipe: Any) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGTERM)
