"""People of another node who have left it, though the frame that said so was lost: each node is asked now and then.

Else they would stay in sight here for as long as their node lives, and who came back on a socket of this node would
stay out of sight, since nobody may speak for a client id that another node speaks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import orjson
import structlog

from collab.core.awareness import GONE
from collab.errors import CollabError
from collab.inquiries import Inquiries
from collab.slot import Slot
from collab.types import DocumentId

log = structlog.get_logger(__name__)

EVERY_S = 15.0  # as often as a client renews its own presence
PEOPLE_MAX = 500  # in one question
QUESTION = "ghosts"

Said = tuple[DocumentId, int, int]
"""Document, CRDT client id and the clock of its presence."""


class Ghosts:
    """Both sides of the question."""

    def __init__(self, slots: Mapping[DocumentId, Slot], inquiries: Inquiries, on_gone: Callable[[Slot], None]) -> None:
        """`slots`: the rooms that are open; `on_gone(slot)`: somebody is no longer there."""
        self._slots = slots
        self._inquiries = inquiries
        self._on_gone = on_gone
        inquiries.answer(QUESTION, self._answer)

    async def look(self) -> None:
        """Asks every node about the people whom it is said to have; a silent one is asked again the next time."""
        for node, people in self._elsewhere().items():
            remaining = iter(people)
            while some := list(islice(remaining, PEOPLE_MAX)):
                try:
                    gone = orjson.loads(await self._inquiries.ask(node, QUESTION, orjson.dumps(some)))
                    self._remove(node, [(document, client, clock) for document, client, clock in gone])
                except (CollabError, ValueError, TypeError) as error:  # it is away, or of another version
                    log.debug("a node does not say who is there", node=node, error=repr(error))
                    break

    def _elsewhere(self) -> dict[str, list[Said]]:
        by_node: dict[str, list[Said]] = {}
        for document, slot in self._slots.items():
            for node, client, clock in slot.room.awareness.elsewhere():
                by_node.setdefault(node, []).append((document, client, clock))
        return by_node

    def _remove(self, node: str, gone: list[Said]) -> None:
        for document, client, clock in gone:
            slot = self._slots.get(document)
            if slot is not None:  # and unless there is news of that person since the question was asked
                slot.room.awareness.receive(node, [(client, clock, GONE)])
                self._on_gone(slot)

    async def _answer(self, question: bytes) -> bytes:
        return orjson.dumps(list(self._not_here(orjson.loads(question))))

    def _not_here(self, asked: list[Said]) -> Iterator[Said]:
        for document, client, clock in asked:
            slot = self._slots.get(document)
            if slot is None or slot.room.awareness.owner(client) is None:
                yield document, client, clock
