"""A process full of Locust users, told by its parent what to do: one JSON line in, one out.

`python -m loadtests.contrast.crowd`. Locust is imported first, since it patches sockets; nothing of the parent's side
is imported here. The load and the probe are both such processes: the probe is the one with few, watched people.
"""

from __future__ import annotations

import locust  # isort: split

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.fileobject import FileObject
from locust.env import Environment

from loadtests.contrast.casting import Plan
from loadtests.contrast.crew import Crew
from loadtests.contrast.crud import RestOnlyWriter
from loadtests.contrast.live import SocketEditor
from loadtests.contrast.person import Person
from loadtests.contrast.pollers import DiffPollingEditor, EventReader, LongPollingEditor, PollingEditor

PEOPLE: tuple[type[Person], ...] = (
    SocketEditor,
    EventReader,
    LongPollingEditor,
    DiffPollingEditor,
    PollingEditor,
    RestOnlyWriter,
)
SPAWN_MAX = 400  # people let in at once; Locust lets the next ones in a second later


class Crowd:
    """Answers the parent's questions, one at a time; each public method is one."""

    def __init__(self) -> None:
        self._crew: Crew | None = None
        self._environment: Environment | None = None

    @property
    def crew(self) -> Crew:
        """The people who are here."""
        assert self._crew is not None, "nobody has joined"
        return self._crew

    def join(self, within_s: float, **plan: Any) -> dict[str, Any]:
        """Brings a crew in and waits until each has the document."""
        self._crew = Crew(Plan.of(plan))
        kinds: list[type[locust.User]] = [kind for kind in PEOPLE if kind.kind == self.crew.plan.shape.kind]
        self._environment = Environment(user_classes=kinds, events=locust.events, reset_stats=False)
        self._environment.crew = self._crew  # type: ignore[attr-defined]  # people find their crew there
        self._environment.stats.reset_all()
        seats = len(self.crew.plan.seats)
        began_s = time.monotonic()
        self._environment.create_local_runner().start(seats, spawn_rate=SPAWN_MAX)
        joined = self.crew.wait_joined(within_s)
        return {"joined": joined, "of": seats, "took_s": time.monotonic() - began_s}

    def type(self) -> dict[str, Any]:
        """Lets the writers begin."""
        self.crew.typing.set()
        return {}

    def mark(self) -> dict[str, Any]:
        """Everything counted so far."""
        total = self.crew.traffic.total()
        times = {name: getattr(total, name) for name in ("up", "down", "segments_up", "segments_down")}
        return {
            **self.crew.ledger.counts.as_dict(),
            **times,
            "opened": self.crew.traffic.opened,
            "held": self.crew.traffic.held,
            "faults": sum(self.crew.ledger.faults.values()),
            "cpu_s": time.process_time(),
            "at_s": time.monotonic(),
        }

    def settle(self, within_s: float) -> dict[str, Any]:
        """Stops typing; tells who typed how much, and how much of it is acknowledged."""
        return {"writers": self.crew.settle(within_s)}

    def compare(self, digests: list[str], within_s: float) -> dict[str, Any]:
        """Holds everybody's content against the digests of their documents."""
        return self.crew.compare(digests, within_s)

    def press(self, each: int) -> dict[str, Any]:
        """Every writer makes some edits now, at once."""
        for member in self.crew.members:
            if member.seat.section >= 0:
                for _ in range(each):
                    member.press()
        return {}

    def log(self) -> dict[str, Any]:
        """Stamps, sightings, faults, the typists' lateness, and the times of REST operations."""
        ledger = self.crew.ledger
        return {
            **ledger.log(),
            "late_s": ledger.late_s,
            "took_s": ledger.took_s,
            "faults": dict(ledger.faults.most_common(8)),
        }

    def leave(self) -> dict[str, Any]:
        """Everybody goes home."""
        if self._environment is not None and self._environment.runner is not None:
            self._environment.runner.quit()
        self._crew = self._environment = None
        return {}


def main() -> None:
    """Until the parent closes our standard input."""
    crowd = Crowd()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns of the rate at which people arrive
    gevent.get_hub().exception_stream = None  # a connection that ends is counted, not printed
    for line in FileObject(sys.stdin.fileno(), "rb", close=False):
        told: Mapping[str, Any] = json.loads(line)
        work: Callable[..., dict[str, Any]] = getattr(crowd, told["do"])
        try:
            answer = work(**told["with"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
