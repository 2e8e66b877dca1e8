"""A tireless typist: a long history behind a text that stays short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from collab.replay.address import Address
from collab.replay.peer import Peer

WINDOW = 8192  # updates sent and not yet durable
TURN = 128  # updates between two looks at what came in


class Typist:
    """Types at the end of a text and deletes at its front, one key press per update, until `edits` are durable."""

    def __init__(self, address: Address, text_length: int) -> None:
        self._doc: Doc[Any] = Doc()
        self._text = self._doc.get("text", type=Text)
        self._length_max = text_length
        self._length = 0
        self._typed = 0
        self._news = asyncio.Event()
        self._update = b""
        self._watch = self._doc.observe(self._keep)
        self._peer = Peer(address, self._doc, lambda update: None, self._news.set)

    async def type(self, edits: int, progress: Callable[[int], None] = lambda done: None) -> None:
        """Connects, types, waits until everything is durable, and leaves."""
        connection = asyncio.create_task(self._peer.run())
        try:
            while self._peer.saved < edits:
                if self._typed < edits and self._peer.live and self._typed - self._peer.saved < WINDOW:
                    for _ in range(min(TURN, edits - self._typed)):
                        self._press()
                    progress(self._typed)
                    await asyncio.sleep(0)
                else:
                    await self._news.wait()
                    self._news.clear()
                if self._typed - self._peer.saved > WINDOW // 4 or self._typed == edits:
                    self._peer.ask(self._typed)
                if connection.done():
                    connection.result()
        finally:
            connection.cancel()
            await asyncio.gather(connection, return_exceptions=True)

    def _keep(self, event: TransactionEvent) -> None:
        self._update = event.update

    def _press(self) -> None:
        if self._length < self._length_max:
            self._text.insert(self._length, "abcdefghij klmno\n"[self._typed % 17])
            self._length += 1
        else:
            del self._text[0]
            self._length -= 1
        self._typed += 1
        self._peer.send(self._update)
