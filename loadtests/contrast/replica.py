"""One person's copy of a document: their section to type in, everybody's to read, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from pycrdt import Doc, Text

from collab.replay.arrivals import read_vector
from collab.replay.screen import Screen
from loadtests.contrast.script import Script

BACKDROP = "backdrop"  # the root that holds what was written before the run


def section(number: int) -> str:
    """The root text of a document's writer `number`."""
    return f"section-{number}"


def roots(writers: int) -> list[str]:
    """All root texts of a document with so many writers."""
    return [BACKDROP, *map(section, range(writers))]


class Replica:
    """Types with `press`, takes in what others did with `merge`."""

    def __init__(self, script: Script, number: int) -> None:
        self._screen = Screen(section(number), script.ascii_only)
        self._edits = script.edits()
        self.doc: Doc[Any] = self._screen.doc
        self.client = self.doc.client_id
        self.clock = 0  # of this person's last keystroke
        self.edits = 0

    def press(self) -> bytes:
        """The next edit of the script as an update. What it inserts is stamped: (client, clock) names it for ever."""
        typed = None
        while typed is None:  # a recorded transaction may change nothing
            typed = self._screen.type(next(self._edits))
            self.edits += 1
        self.clock = read_vector(typed.vector).get(self.client, 0)
        return typed.update

    def merge(self, update: bytes) -> None:
        """Takes in an update of others."""
        self._screen.merge(update)

    def vector(self) -> bytes:
        """What is here, encoded."""
        return self.doc.get_state()

    def clocks(self) -> dict[int, int]:
        """What is here: client id and the clock that comes next for it."""
        return read_vector(self.vector())

    def lacking(self, vector: bytes) -> bytes:
        """The update that a replica with this state vector lacks."""
        return self.doc.get_update(vector)

    def digest(self, names: Sequence[str]) -> str:
        """Of the content: equal digests, equal texts."""
        return digest_of((name, str(self.doc.get(name, type=Text))) for name in names)


def digest_of(texts: Iterable[tuple[str, str]]) -> str:
    """Of root texts by name."""
    found = hashlib.sha256()
    for name, text in texts:
        found.update(f"{name}\0{len(text)}\0{text}\0".encode())
    return found.hexdigest()
