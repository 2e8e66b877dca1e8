"""A real log whose commits can be made to wait, to fail before they happen, or to happen and lose their answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from collab.store.base import Append, Appended
from collab.store.log import SqlLog


class FlakyLog(SqlLog):
    """Each commit takes the next thing to go wrong, if any is planned."""

    def __init__(self, log: SqlLog) -> None:
        super().__init__(log._database)
        self.before: deque[Exception] = deque()  # raised instead of committing
        self.after: deque[Exception] = deque()  # raised after committing: the outcome is unknown to the caller
        self.open = asyncio.Event()  # commits wait while it is clear
        self.open.set()
        self.begun = asyncio.Event()
        self.tried: list[Sequence[Append]] = []

    async def append(self, batch: Sequence[Append]) -> Sequence[Appended]:
        self.tried.append(batch)
        self.begun.set()
        await self.open.wait()
        if self.before:
            raise self.before.popleft()
        answers = await super().append(batch)
        if self.after:
            raise self.after.popleft()
        return answers
