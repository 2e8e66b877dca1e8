"""People who write while the server is killed, and remember what it had confirmed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from random import Random
from typing import Any

import httpx2
from pycrdt import Doc, Text

from collab.replay.address import Address
from collab.replay.peer import Peer


class Writer(ABC):
    """Types numbered words into a text of its own: `root` in the shared document.

    `confirmed` words were acknowledged as durable; `typed` words were made.
    """

    def __init__(self, name: str, address: Address) -> None:
        self.root = name
        self.address = address
        self.typed = 0
        self.sworn: int | None = None  # words that count as confirmed, if not all that were
        self.doc: Doc[Any] = Doc()
        self._text = self.doc.get(name, type=Text)

    @property
    @abstractmethod
    def confirmed(self) -> int:
        """How many words must survive."""

    @abstractmethod
    async def write(self, random: Random, http: httpx2.AsyncClient) -> None:
        """Writes until it is cancelled."""

    def type_word(self) -> bytes:
        """Types the next word and returns the update."""
        before = self.doc.get_state()
        self._text.insert(len(self._text), f"{self.typed} ")
        self.typed += 1
        return self.doc.get_update(before)

    def lost(self, stored: Doc[Any]) -> str | None:
        """What is wrong with this writer's text in a stored document, or None."""
        text, confirmed = str(stored.get(self.root, type=Text)), self.confirmed if self.sworn is None else self.sworn
        if not text.startswith(words(confirmed)):
            return f"{self.address.document}/{self.root}: {confirmed} words were confirmed, stored is {text[-80:]!r}"
        if not words(self.typed).startswith(text):
            return f"{self.address.document}/{self.root}: stored is what was never typed: {text[-80:]!r}"
        return None


class SocketWriter(Writer):
    """Sends each word over a socket and asks, with message 102, what is durable."""

    def __init__(self, name: str, address: Address) -> None:
        super().__init__(name, address)
        self._news = asyncio.Event()
        self._peer = Peer(address, self.doc, self.doc.apply_update, self._news.set)

    @property
    def confirmed(self) -> int:
        return self._peer.saved

    async def write(self, random: Random, http: httpx2.AsyncClient) -> None:
        patient = random.random() < 0.5  # waits for each answer, or types on
        connection = asyncio.create_task(self._peer.run())
        try:
            while True:
                if not self._peer.live or (patient and self._peer.saved < self.typed):
                    await self._news.wait()
                    self._news.clear()
                    self._peer.ask(self.typed)
                    continue
                self._peer.send(self.type_word())
                self._peer.ask(self.typed)
                await asyncio.sleep(random.random() * 0.004)
        finally:
            connection.cancel()
            await asyncio.gather(connection, return_exceptions=True)


class RestWriter(Writer):
    """Posts words by REST; an answer means durable. What was not answered is posted again: it is idempotent."""

    def __init__(self, name: str, address: Address) -> None:
        super().__init__(name, address)
        self._confirmed = 0
        self._answered = self.doc.get_state()

    @property
    def confirmed(self) -> int:
        return self._confirmed

    async def write(self, random: Random, http: httpx2.AsyncClient) -> None:
        headers = {"content-type": "application/octet-stream"}
        while True:
            self.type_word()
            typed, state = self.typed, self.doc.get_state()
            update = self.doc.get_update(self._answered)
            try:
                answer = await http.post(f"{self.address.rest}/updates", content=update, headers=headers)
            except httpx2.TransportError:
                return  # killed; the next life gets it again
            answer.raise_for_status()
            self._confirmed, self._answered = typed, state
            await asyncio.sleep(random.random() * 0.002)


def words(count: int) -> str:
    """The first words of every writer."""
    return "".join(f"{number} " for number in range(count))
