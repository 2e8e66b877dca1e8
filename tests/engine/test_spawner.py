"""Children are shut in, know no secrets, and do not outlive the server."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from collab.engine.client import Engine
from collab.errors import EngineUnavailable
from tests.engine.processes import about, ended, open_files, status, until

SERVER = """
import asyncio
from collab.engine.client import Engine

async def main():
    engine = Engine(workers=2)
    await engine.start()
    print(engine.spawner.pid, *engine.content.pids(), *engine.folding.pids(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_no_child_outlives_a_killed_server() -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    pids = [int(word) for word in (await server.stdout.readline()).split()]
    assert len(pids) == 4
    server.kill()
    await server.wait()
    for pid in pids:
        await ended(pid)


async def test_a_group_wide_interrupt_does_not_end_them(engine: Engine) -> None:
    pids = [engine.spawner.pid, *engine.content.pids(), *engine.folding.pids()]
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    await engine.ping()
    await engine.fold(None, [])
    assert engine.counters.deaths == 0


async def test_closing_ends_them_all() -> None:
    engine = Engine(workers=2)
    await engine.start()
    pids = [engine.spawner.pid, *engine.content.pids(), *engine.folding.pids()]
    await engine.close()
    for pid in pids:
        assert pid is not None
        await ended(pid)
    await engine.close()


async def test_secrets_and_files_of_the_server_stay_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLLAB_DATABASE_URL", "postgresql://user:secret@host/db")
    held = os.open(tmp_path / "open.db", os.O_CREAT | os.O_WRONLY)
    os.set_inheritable(held, True)
    engine = Engine(workers=1)
    await engine.start()
    await engine.ping()
    [pid] = engine.content.pids()
    environment, files = about(pid, "environ"), open_files(pid)
    await engine.close()
    os.close(held)
    assert "secret" not in environment
    assert files == ["/dev/null", "/dev/null", "pipe", "socket"]


async def test_a_worker_is_shut_in(engine: Engine) -> None:
    await engine.ping()
    await engine.fold(None, [])  # both have done their first call, so they are past their preparations
    [content], [folding] = engine.content.pids(), engine.folding.pids()
    limits = about(content, "limits")
    assert f"Max address space         {2**31}" in limits
    assert "Max core file size        0" in limits
    assert status(content, "NoNewPrivs") == "1"
    assert os.getpriority(os.PRIO_PROCESS, folding) == os.getpriority(os.PRIO_PROCESS, content) + 10


async def test_the_warm_process_buries_only_its_own(engine: Engine) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    child = await engine.spawner.fork(2**31, 0)
    own, child.pid = child.pid, stranger.pid
    assert await engine.spawner.bury(child, "test") is False
    assert stranger.returncode is None
    os.kill(own, signal.SIGKILL)
    stranger.kill()
    assert await stranger.wait() == -signal.SIGKILL


async def test_a_late_answer_of_the_warm_process_is_not_taken_for_the_next_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept, say, while a worker was being buried: the answer comes after it was given up."""
    child = await engine.spawner.fork(2**31, 0)
    warm = engine.spawner.pid
    assert warm is not None
    os.kill(warm, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr("collab.engine.spawner.REPLY_S_MAX", 0.05)
        assert await engine.spawner.bury(child, "test") is False
    with suppress(ProcessLookupError):
        os.kill(warm, signal.SIGCONT)
    next_one = await engine.spawner.fork(2**31, 0)
    assert status(next_one.pid, "PPid") == str(engine.spawner.pid)
    assert await engine.spawner.bury(next_one, "test") is True


async def test_a_caller_who_gives_up_while_a_worker_is_buried_disturbs_nobody(engine: Engine) -> None:
    """The answer to the burial is read all the same, and not taken for that to the next command."""
    (pid,) = engine.content.pids()
    warm = engine.spawner.pid
    assert warm is not None
    os.kill(warm, signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        call = asyncio.ensure_future(engine.ping())
        await until(lambda: engine.counters.deaths == 1)
        await asyncio.sleep(0)  # the burial has been asked for
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    finally:
        os.kill(warm, signal.SIGCONT)
    next_one = await engine.spawner.fork(2**31, 0)
    assert engine.spawner.pid == warm and status(next_one.pid, "PPid") == str(warm)
    assert await engine.spawner.bury(next_one, "test") is True
    await engine.ping()


def files_open() -> int:
    """By this process."""
    return len(os.listdir("/proc/self/fd"))


async def test_what_cannot_be_started_is_told_and_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(workers=1)
    await engine.content.warm()
    await engine.close()  # whatever the loop opens for itself is open now
    gc.collect()
    before = files_open()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(EngineUnavailable):
            await engine.ping()
    assert files_open() <= before
    with monkeypatch.context() as patch:

        def no_more_files(flags: int) -> tuple[int, int]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patch.setattr(os, "pipe2", no_more_files)
        with pytest.raises(EngineUnavailable, match="Too many open files"):
            await engine.ping()
    assert files_open() <= before
    await engine.ping()
    await engine.close()
