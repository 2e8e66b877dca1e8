"""Who is on the sockets of all nodes: asked when somebody wants to know by REST, known to nobody meanwhile.

Questions that come while one is under way share the next one, however many they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from collab.core.awareness import Entry, decode_entries, encode_entries
from collab.core.elsewhere import EVERYONE
from collab.errors import CollabError
from collab.inquiries import Inquiries
from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint
from collab.types import DocumentId

if TYPE_CHECKING:
    from collab.hub import Hub

log = structlog.get_logger(__name__)

PRESENT = "present"
ANSWER_S = 0.25  # how long other nodes are waited for; one that is silent is left out
ASKED_MAX = 500  # documents in one question: a page of them


@dataclass(slots=True)
class Present:
    """Who is in one document: open sockets, and presence by client id."""

    sockets: int = 0
    people: dict[int, Entry] = field(default_factory=dict)

    def add(self, sockets: int, people: Iterable[Entry]) -> None:
        """What one node says; of two states of one person the newer counts."""
        self.sockets += sockets
        for entry in people:
            known = self.people.get(entry[0])
            if known is None or known[1] < entry[1]:
                self.people[entry[0]] = entry


Found = dict[DocumentId, Present]
Said = tuple[int, list[Entry]]
"""Of one node about one document: open sockets, and who is on them."""


class Roster:
    """Asks, and answers."""

    def __init__(self, hub: Hub, inquiries: Inquiries, living: Callable[[], Iterable[str]]) -> None:
        """`living()`: the other nodes that are heard."""
        self._hub = hub
        self._inquiries = inquiries
        self._living = living
        self._next: set[DocumentId] = set()
        self._running: asyncio.Task[Found] | None = None
        self._following: asyncio.Task[Found] | None = None
        inquiries.answer(PRESENT, self._answer)

    async def ask(self, document: DocumentId) -> Present:
        """Who is in the document, on all nodes that are heard."""
        return (await self.ask_all([document]))[document]

    async def ask_all(self, documents: Collection[DocumentId]) -> Mapping[DocumentId, Present]:
        """The same of several."""
        if not any(self._living()):
            return self._here(documents)
        if self._following is None:
            self._following = asyncio.create_task(self._ask(self._running), name="roster")
        self._next.update(documents)
        return await asyncio.shield(self._following)

    async def _ask(self, before: asyncio.Task[Found] | None) -> Found:
        if before is not None:
            await asyncio.wait({before})
        self._running, self._following = self._following, None
        documents, self._next = list(self._next), set()
        found = self._here(documents)
        for start in range(0, len(documents), ASKED_MAX):
            chunk = documents[start : start + ASKED_MAX]
            for answer in await asyncio.gather(*(self._elsewhere(node, chunk) for node in self._living())):
                for document, (sockets, people) in zip(chunk, answer, strict=False):
                    found[document].add(sockets, people)
        return found

    def _here(self, documents: Iterable[DocumentId]) -> Found:
        found = {}
        for document in documents:
            found[document] = Present()
            slot = self._hub.slots.get(document)
            if slot is not None:
                found[document].add(len(slot.room.sessions), slot.room.awareness.people())
        return found

    async def _elsewhere(self, node: str, documents: list[DocumentId]) -> list[Said]:
        """What that node says of each; nothing if it says nothing, or what cannot be read."""
        question = b"".join(write_varbytes(document.encode()) for document in documents)
        try:
            answer = await self._inquiries.ask(node, PRESENT, question, ANSWER_S)
            return [_said(body) for body in _parts(answer)]
        except CollabError as error:
            log.debug("who is on a node is not known", node=node, error=error.detail)
            return []

    async def _answer(self, question: bytes) -> bytes:
        return b"".join(write_varbytes(self._say(name.decode())) for name in _parts(question))

    def _say(self, document: DocumentId) -> bytes:
        slot = self._hub.slots.get(document)
        if slot is None:
            return b""
        return write_varuint(len(slot.room.sessions)) + (slot.room.awareness.present_own() or encode_entries(()))


def _parts(body: bytes) -> Iterator[bytes]:
    """Raises BadFrame."""
    offset = 0
    while offset < len(body):
        part, offset = read_varbytes(body, offset)
        yield part


def _said(body: bytes) -> Said:
    """Raises BadFrame."""
    if not body:
        return 0, []
    sockets, offset = read_varuint(body, 0)
    return sockets, decode_entries(body[offset:], EVERYONE)
