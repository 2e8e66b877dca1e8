"""Watching real processes without guessing at times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tests.patience import PATIENCE_S


async def ended(pid: int) -> None:
    """Returns when the process is gone or dead; raises TimeoutError."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, gone.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def until(condition: Callable[[], bool]) -> None:
    """Lets others run until the condition holds; raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in other processes
            await asyncio.sleep(0)


def cpu_ticks(pid: int) -> int:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def children(pid: int) -> list[int]:
    """Children of a process, those included that are dead and not yet waited for."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def about(pid: int, name: str) -> str:
    """A file of the process' folder in /proc."""
    return Path(f"/proc/{pid}/{name}").read_text()


def open_files(pid: int) -> list[str]:
    """What kinds of files the process has open, sorted."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return sorted(link.split(":")[0] for link in links)


def status(pid: int, name: str) -> str:
    """One line of the process' status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    raise KeyError(name)
