"""What all kinds of users share: a seat, a replica, fingers on a timer, and patience with a server that goes away."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import gevent
from locust import User, task

from loadtests.contrast.crew import Crew
from loadtests.contrast.ledger import Sighting, now_s
from loadtests.contrast.replica import Replica

# y-websocket's: 100 ms, doubled with each failure in a row, at most 2.5 s; with jitter, since real people's differ.
RETRY_S, RETRY_S_MAX = 0.1, 2.5
ARRIVE_S = 0.5  # Locust lets people in once a second, many at a time: spread over some of it
FAILURES = (OSError, ValueError)  # what a connection that ends, or ends in the middle of an answer, raises


class Person(User):
    """One user. Subclasses say how they read (`stay`), write (`send`), and what is saved."""

    abstract = True
    kind: ClassVar[str] = ""
    reads: ClassVar[bool] = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.crew: Crew = environment.crew
        self.seat = self.crew.take(self)
        self.document = self.crew.plan.documents[self.seat.document]
        self.replica = Replica(self.crew.script, max(self.seat.section, 0))
        self.current = False
        self.chance = random.Random()
        self._sighting = Sighting(self.seat.document) if self.seat.watched else None
        self._helpers: list[gevent.Greenlet] = []
        if self._sighting is not None:
            self.crew.ledger.sightings.append(self._sighting)

    # --- what kinds say

    def stay(self) -> None:
        """Connects, gets the document, reads until the connection ends. Raises one of FAILURES."""
        raise NotImplementedError

    def send(self, update: bytes) -> None:
        """An edit of this person is on its way. Must not wait for the server: people go on typing."""
        raise NotImplementedError

    @property
    def saved(self) -> int:
        """How many of this person's edits are known to be durable."""
        raise NotImplementedError

    def confirm(self) -> None:
        """Asks for that, if it is not told anyway."""

    def leave(self) -> None:
        """Hangs up."""

    # --- Locust's side

    def on_start(self) -> None:
        """Writers get fingers."""
        if self.seat.section >= 0:
            self.help(self._type)

    @task
    def live(self) -> None:
        """Stays for good; a connection that ends is made again."""
        failures = 0
        gevent.sleep(self.chance.uniform(0, ARRIVE_S))
        while True:
            began_s = now_s()
            try:
                self.stay()
            except FAILURES as error:
                self.crew.ledger.fault(error)
            finally:
                self.leave()
            failures = failures + 1 if now_s() - began_s < RETRY_S_MAX else 0
            gevent.sleep(self.chance.uniform(0.5, 1.0) * min(RETRY_S * 2**failures, RETRY_S_MAX))

    def on_stop(self) -> None:
        """The test is over."""
        gevent.killall(self._helpers, block=False)
        self.leave()

    def help(self, work: Any) -> None:
        """Runs something beside, for as long as this person stays."""
        self._helpers.append(gevent.spawn(work))

    # --- typing

    def _type(self) -> None:
        """Key presses at random, on average `edits_s` a second: an open loop, whatever the server does."""
        rate = self.crew.plan.shape.edits_s
        while True:
            if not self.crew.typing.is_set():
                self.crew.typing.wait()
            due_s = now_s() + self.chance.expovariate(rate)
            gevent.sleep(due_s - now_s())
            if self.crew.typing.is_set():
                self.crew.ledger.late_s.append(now_s() - due_s)
                self.press()

    def press(self) -> None:
        """One edit: made, stamped, sent."""
        update = self.replica.press()
        self.crew.ledger.counts.edits += 1
        self.crew.ledger.stamps.made(self.replica.client, self.replica.clock)
        self.send(update)

    # --- reading

    def merge(self, update: bytes) -> None:
        """What others did arrives on this person's screen."""
        self.replica.merge(update)
        if self._sighting is not None:
            self._look(self._sighting)

    def _look(self, sighting: Sighting) -> None:
        stamps, at_s = self.crew.ledger.stamps, now_s()
        for client, clock, then in sighting.look(self.replica.clocks()):
            for made_s in stamps.since(client, clock, then):
                self.tell("EDIT", f"{self.kind}: from key press to another screen", at_s - made_s)

    def arrived(self) -> None:
        """The whole document is here."""
        if not self.current:
            self.current = True
            self.crew.ledger.counts.joins += 1

    def tell(self, verb: str, name: str, took_s: float, size: int = 0, error: BaseException | None = None) -> None:
        """To Locust's statistics: page, CSV and report show it under this name."""
        self.environment.events.request.fire(
            request_type=verb,
            name=name,
            response_time=took_s * 1000,
            response_length=size,
            exception=error,
            context={},
        )
