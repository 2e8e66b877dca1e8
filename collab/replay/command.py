"""`collab replay`: the command."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

import httpx2
import typer
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
from collab.replay.rehearsal import expected_end
from collab.replay.report import Report
from collab.replay.session import Pace, Replay
from collab.replay.trace import Trace, load
from collab.replay.verify import verify

DEFAULT = Pace()


def replay(
    trace: Annotated[str, typer.Argument(help="A trace as a file or URL, gzipped or not.", metavar="TRACE")],
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
    document: Annotated[str | None, typer.Option(help="A new document's id; made up if not given.")] = None,
    root: Annotated[str, typer.Option(help="The name of the shared text.")] = "text",
    speed: Annotated[float, typer.Option(min=0, help="Edits per second; 0 is as fast as it goes.")] = 0.0,
    per_frame: Annotated[
        int, typer.Option(min=1, help="Edits typed in one turn of the loop that may share a frame; 1 is key by key.")
    ] = DEFAULT.per_frame,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N edits.")] = None,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between the REST client's polls.")] = DEFAULT.poll_s,
    token: Annotated[str | None, typer.Option(envvar="COLLAB_TOKEN", help="An API key or token.")] = None,
    ticket: Annotated[str | None, typer.Option(help="A ticket for the sockets.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Type nothing: only compare DOCUMENT with the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")] = False,
) -> None:
    """Play a recorded editing session against a running server, and check that everyone ends with the same text.

    Each author of TRACE types on an own WebSocket, having seen exactly what the original author had seen; another
    client watches over a socket and one more polls by REST. At the end all must hold the trace's last text, and a
    snapshot of it is stored. Exit status 0 if they do, 1 if not. Traces: https://github.com/josephg/editing-traces
    """
    console = Console(stderr=True)
    try:
        script = _load(trace, limit)
        address = Address(url, document or f"{script.name}-{uuid4().hex[:8]}", token, ticket)
        pace = replace(DEFAULT, edits_per_s=speed, per_frame=per_frame, poll_s=poll)
        report = _run(verify(script, address, root)) if check else _play(script, address, root, pace, console)
    except (CollabError, OSError, httpx2.HTTPError) as error:
        console.print(f"[bold red]replay failed:[/] {error}", highlight=False)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps(report.as_json()) + "\n")
    else:
        report.print(Console())
    raise typer.Exit(0 if report.ok else 1)


def _load(source: str, limit: int | None) -> Trace:
    trace = load(source, limit)
    if limit is not None and len(trace) >= limit:
        trace.end = expected_end(trace)
    return trace


def _play(trace: Trace, address: Address, root: str, pace: Pace, console: Console) -> Report:
    with _bar(console) as bar:
        task = bar.add_task(trace.name, total=len(trace))
        return _run(Replay(trace, address, root, pace, lambda done: bar.update(task, completed=done)).run())


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


def _run(job: Coroutine[None, None, Report]) -> Report:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(job)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
