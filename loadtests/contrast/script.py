"""What people type: the transactions of a recorded session, over and over, and what must stand there after each.

Every writer plays the script into a root text of their own (a section of the shared document), so that positions mean
what they meant when recorded, and so that the content which a run must end with is known without any CRDT.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from collab.errors import BadRequest
from collab.replay.trace import Patch, load

TRANSACTIONS_MAX = 2_000


@dataclass(frozen=True)
class Script:
    """A recorded session by one author. Positions count code points."""

    name: str
    transactions: tuple[tuple[Patch, ...], ...]
    ascii_only: bool

    @classmethod
    def record(cls, source: str) -> Script:
        """From a trace file. Raises BadRequest if several authors typed at once: their edits need each other's."""
        trace = load(source, TRANSACTIONS_MAX)
        if trace.agent_count != 1:
            raise BadRequest(f"{trace.name} has {trace.agent_count} authors; the study takes sequential traces")
        first: Patch = (0, 0, trace.start)
        made = tuple(tuple(trace.patches(index)) for index in range(len(trace)))
        return cls(trace.name, ((first, *made[0]), *made[1:]), trace.ascii_only)

    def save(self, path: Path) -> None:
        """Writes it where the crowds can read it quickly."""
        path.write_text(json.dumps([self.name, self.ascii_only, self.transactions]))

    @classmethod
    def read(cls, path: Path) -> Script:
        """What `save` wrote."""
        name, ascii_only, transactions = json.loads(path.read_text())
        made = tuple(tuple((at, gone, text) for at, gone, text in patches) for patches in transactions)
        return cls(name, made, ascii_only)

    def edits(self) -> Iterator[tuple[Patch, ...]]:
        """For ever; after the last transaction everything is struck out and typed again."""
        length = 0
        for number in cycle(range(len(self.transactions))):
            patches = self.transactions[number]
            if number == 0 and length:
                patches = ((0, length, ""), *patches)
                length = 0
            length += sum(len(text) - gone for _, gone, text in self.transactions[number])
            yield patches

    def after(self, count: int) -> str:
        """What a writer's text holds after `count` edits."""
        laps, rest = divmod(count, len(self.transactions))
        played = self.transactions[:rest] if rest or not laps else self.transactions
        text = ""
        for patches in played:
            for at, gone, inserted in patches:
                text = text[:at] + inserted + text[at + gone :]
        return text
