"""What `collab replay` does on a terminal: loads, plays with a progress bar, reports."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine

import httpx2
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from collab.errors import CollabError
from collab.replay.address import Address
from collab.replay.pace import Pace
from collab.replay.rehearsal import prepare
from collab.replay.report import Report
from collab.replay.session import Replay
from collab.replay.trace import Trace, load
from collab.replay.verify import verify


def run(source: str, limit: int | None, address: Address, root: str, pace: Pace | None, as_json: bool) -> bool:
    """Plays the trace, or only compares with its end if `pace` is None. True if everybody holds the end."""
    console = Console(stderr=True)
    try:
        trace = _load(source, limit)
        report = _play(trace, address, root, pace, console) if pace else _finish(verify(trace, address, root))
    except (CollabError, OSError, httpx2.HTTPError) as error:
        console.print(f"[bold red]replay failed:[/] {error}", highlight=False)
        return False
    if as_json:
        sys.stdout.write(json.dumps(report.as_json()) + "\n")
    else:
        report.print(Console())
    return report.ok


def _load(source: str, limit: int | None) -> Trace:
    trace = load(source, limit)
    prepare(trace, limited=limit is not None and len(trace) >= limit)
    return trace


def _play(trace: Trace, address: Address, root: str, pace: Pace, console: Console) -> Report:
    with _bar(console) as bar:
        task = bar.add_task(trace.name, total=len(trace))
        return _finish(Replay(trace, address, root, pace, lambda done: bar.update(task, completed=done)).run())


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=console,
    )


class _Speed(ProgressColumn):
    """Edits per second over the last half minute."""

    def render(self, task: Task) -> Text:
        """Rich's hook."""
        return Text(f"{task.finished_speed or task.speed or 0:,.0f} edits/s")


def _finish(job: Coroutine[None, None, Report]) -> Report:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(job)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
