"""Users of REST: they ask for news on a timer, or wait in a long poll, or are told by an event stream; all POST."""

from __future__ import annotations

import base64
from typing import Any

import gevent
from gevent.event import Event
from pycrdt import merge_updates

from loadtests.contrast.ledger import now_s
from loadtests.contrast.origin import document_path
from loadtests.contrast.person import FAILURES, RETRY_S, Person
from loadtests.contrast.rest import Answer, HttpError, Rest

OCTETS = "Content-Type: application/octet-stream\r\n"
WAIT_S = 25  # of a long poll; most proxies cut silent connections after 30 or 60 s


class RestEditor(Person):
    """Reads with GET and writes with POST, each on a connection of its own, as a browser would.

    While a POST is on its way what is typed gathers, and goes out together with the next one.
    """

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._path = document_path(self.document)
        kept = self.crew.plan.shape.kept
        self._reading = Rest(self.crew.origin, self.crew.traffic, kept)
        self._writing = Rest(self.crew.origin, self.crew.traffic, kept)
        self._etag = ""
        self._outgoing: list[bytes] = []
        self._typed = Event()
        self._saved = 0

    def on_start(self) -> None:
        """Writers get a postman as well."""
        super().on_start()
        if self.seat.section >= 0:
            self.help(self._post)

    def send(self, update: bytes) -> None:
        """Into the postman's bag."""
        self._outgoing.append(update)
        self._typed.set()

    @property
    def saved(self) -> int:
        """A POST is answered after its commit."""
        return self._saved

    def leave(self) -> None:
        """Closes the reading side; the postman closes his own."""
        self._reading.close()

    def on_stop(self) -> None:
        """Closes both."""
        super().on_stop()
        self._writing.close()

    def _post(self) -> None:
        while True:
            self._typed.wait()
            self._typed.clear()
            if not self._outgoing:
                continue
            bag, self._outgoing = self._outgoing, []
            edits = self.replica.edits
            try:
                self._post_one(bag[0] if len(bag) == 1 else merge_updates(*bag))
                self._saved = edits
            except FAILURES as error:
                self.crew.ledger.fault(error)
                self._writing.close()
                self._outgoing = bag + self._outgoing
                self._typed.set()
                gevent.sleep(self.chance.uniform(1, 3) * RETRY_S)

    def _post_one(self, update: bytes) -> None:
        began_s = now_s()
        self.crew.ledger.counts.posts += 1
        answer = self._writing.call("POST", f"{self._path}/updates", OCTETS, update)
        self.tell("POST", f"{self.kind}: an update, answered when durable", now_s() - began_s, len(answer.body))
        if answer.status != 200:
            raise HttpError(f"POST was answered with {answer.status}: {answer.body[:80]!r}")

    # --- reading

    def ask(self, query: str, name: str) -> bool:
        """GET of the state with the ETag; merges what comes. True if there was news. Raises one of FAILURES."""
        began_s = now_s()
        headers = f"If-None-Match: {self._etag}\r\n" if self._etag else ""
        self.crew.ledger.counts.polls += 1
        answer = self._reading.call("GET", f"{self._path}/state{query}", headers)
        found = self._take(answer)
        what = "news" if found else "304, nothing new"
        self.tell("GET", f"{self.kind}: {name}, {what}", now_s() - began_s, len(answer.body))
        return found

    def _take(self, answer: Answer) -> bool:
        if answer.status == 304:
            self.crew.ledger.counts.polls_empty += 1
            return False
        if answer.status != 200:
            raise HttpError(f"GET was answered with {answer.status}: {answer.body[:80]!r}")
        self._etag = answer.headers.get("etag", "")
        self.merge(answer.body)
        self.arrived()
        return True

    def since(self) -> str:
        """The query that asks for the difference only."""
        vector = base64.urlsafe_b64encode(self.replica.vector()).decode().rstrip("=")
        return f"?since={vector}"


class PollingEditor(RestEditor):
    """Fetches the whole state every interval, unless the ETag says that nothing changed."""

    kind = "poll"

    def query(self) -> str:
        """What is asked for."""
        return ""

    def stay(self) -> None:
        """On a timer that keeps its pace however long an answer takes; people start it at different times."""
        interval_s = self.crew.plan.shape.interval_s
        if not self.current:
            self.ask(self.query(), "the first state")
            gevent.sleep(self.chance.uniform(0, interval_s))
        due_s = now_s()
        while True:
            self.ask(self.query(), "poll")
            due_s = max(due_s + interval_s, now_s())
            gevent.sleep(due_s - now_s())


class DiffPollingEditor(PollingEditor):
    """Sends its state vector and gets only what it lacks."""

    kind = "diff"

    def query(self) -> str:
        """What is asked for."""
        return self.since()


class LongPollingEditor(RestEditor):
    """Asks for the difference and lets the server answer when there is one."""

    kind = "longpoll"

    def stay(self) -> None:
        """One question after the other."""
        if not self.current:
            self.ask(self.since(), "the first state")
        while True:
            self.ask(f"{self.since()}&wait={WAIT_S}", "long poll")


class EventReader(RestEditor):
    """Is told by Server-Sent Events that there is something new, and fetches the difference."""

    kind = "events"

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._stream = Rest(self.crew.origin, self.crew.traffic)
        self._news = Event()

    def on_start(self) -> None:
        """A fetcher works beside the stream, so that several events in one moment cost one fetch."""
        super().on_start()
        self.help(self._fetch)

    def stay(self) -> None:
        """Until the stream ends."""
        self._news.set()  # whatever happened while there was no stream
        for event in self._stream.stream(f"{self._path}/events", "Accept: text/event-stream\r\n"):
            self.crew.ledger.counts.frames_in += 1
            if b"event: update" in event:
                self._news.set()

    def _fetch(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            try:
                self.ask(self.since(), "after an event")
            except FAILURES as error:
                self.crew.ledger.fault(error)
                self._reading.close()
                self._news.set()
                gevent.sleep(self.chance.uniform(1, 3) * RETRY_S)

    def leave(self) -> None:
        """The stream is over; the fetcher closes its own connection when it must."""
        self._stream.close()

    def on_stop(self) -> None:
        """Closes all."""
        super().on_stop()
        self._reading.close()
