"""The people of the contrast study in Locust's own page, against any running server.

    uv run locust -f loadtests/locustfile.py --class-picker --host http://127.0.0.1:8000
    uv run locust -f loadtests/locustfile.py --headless -u 100 -r 50 -t 30s --host URL SocketEditor DiffPollingEditor

Edits appear as `EDIT ...: from key press to another screen` (the first reader of each document is watched), requests
under what they ask for. When the test stops, everybody's content is held against the server's: `CHECK` tells.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from locust import events  # isort: split

import httpx2
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.contrast.casting import Plan, Seat
from loadtests.contrast.crew import Crew
from loadtests.contrast.crud import RestOnlyWriter
from loadtests.contrast.live import SocketEditor
from loadtests.contrast.origin import Origin
from loadtests.contrast.pollers import DiffPollingEditor, EventReader, LongPollingEditor, PollingEditor
from loadtests.contrast.script import Script
from loadtests.contrast.shape import Shape
from loadtests.contrast.stage import Stage, digests, lost

TRACE = Path(__file__).parents[1] / "tests" / "data" / "traces" / "tale.json"
SETTLE_S_MAX = 10.0

__all__ = [
    "DiffPollingEditor", "EventReader", "LongPollingEditor", "PollingEditor", "RestOnlyWriter", "SocketEditor",
]  # fmt: skip
for person in (SocketEditor, EventReader, LongPollingEditor, DiffPollingEditor, PollingEditor, RestOnlyWriter):
    person.host = "http://127.0.0.1:8000"
logging.getLogger("httpx2").setLevel(logging.WARNING)  # setting up and checking are not the show
del person  # Locust takes every user class that it finds here, under whatever name


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    """What the page asks for as well."""
    parser.add_argument("--documents", type=int, default=5, help="documents to spread people over")
    parser.add_argument("--writers", type=int, default=4, help="of each document; everybody else reads")
    parser.add_argument("--edits", type=float, default=0.5, help="a second and writer; rounds of RestOnlyWriter")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between polls")
    parser.add_argument("--document-bytes", type=int, default=8_192, help="of each document at the start")
    parser.add_argument("--prefix", default="locust", help="of the documents' ids; they must not exist yet")
    parser.add_argument("--token", default="", is_secret=True, help="bearer token, if the server asks for one")
    parser.add_argument("--trace", default=str(TRACE), help="recorded typing: editing-traces format, one author")


class Show:
    """What one process plays between start and stop."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        runner: Any = environment.runner
        script = Script.record(options.trace)
        self._folder = tempfile.TemporaryDirectory(prefix="locust-script-")
        path = Path(self._folder.name) / "script.json"
        script.save(path)
        # Each worker process has documents of its own: two writers must not play in one section.
        prefix = f"{options.prefix}-{getattr(runner, 'worker_index', 0)}-{runner.start_count}"
        documents = [f"{prefix}-{number}" for number in range(options.documents)]
        members = options.writers + 1
        shape = replace(
            Shape("socket", users=members, members=members, writers=options.writers),
            edits_s=options.edits,
            interval_s=options.interval,
        )
        seats = [Seat(number, section) for section in range(options.writers) for number in range(options.documents)]
        seats += [Seat(number, -1, watched=True) for number in range(options.documents)]
        origin = Origin((environment.host or SocketEditor.host or "").rstrip("/"), token=options.token or None)
        self.stage = Stage(origin, documents, script, options.writers)
        self.stage.set(options.document_bytes)
        self.crew = Crew(Plan(shape, documents, seats, origin, str(path)))
        self.crew.typing.set()

    def verdict(self) -> str:
        """Empty, or what is wrong: lost edits, or somebody's other content."""
        writers = self.crew.settle(SETTLE_S_MAX)
        try:
            texts = self.stage.read()
        except httpx2.HTTPError as error:
            return f"the server does not tell its state: {error}"
        gone = lost(self.crew.script, texts, writers)
        waits_s = SETTLE_S_MAX + 3 * self.crew.plan.shape.interval_s
        differ = self.crew.compare(digests(texts), waits_s)["differ"]
        return "; ".join([*gone[:3], *([f"{differ} people differ from the server"] if differ else [])])


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Makes the documents; people arrive after."""
    runner: Any = environment.runner
    if isinstance(runner, MasterRunner):
        return
    runner.start_count = getattr(runner, "start_count", 0) + 1
    environment.show = Show(environment)  # type: ignore[attr-defined]
    environment.crew = environment.show.crew  # type: ignore[attr-defined]


@events.test_stopping.add_listener
def conclude(environment: Environment, **_: Any) -> None:
    """Typing stops, everybody catches up, and all must hold the same; a run that does not is void."""
    show: Show | None = getattr(environment, "show", None)
    if show is None:
        return
    wrong = show.verdict()
    environment.events.request.fire(
        request_type="CHECK",
        name="everybody's content is the server's, and that what was typed",
        response_time=0,
        response_length=0,
        exception=AssertionError(wrong) if wrong else None,
        context={},
    )
    if wrong:
        environment.process_exit_code = 1
