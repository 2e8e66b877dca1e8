"""`Idempotency-Key`: a repeated POST is answered as the first one was, and does nothing again.

What is kept of an answer is a short reference (an id, a version) from which the handler shapes it anew: a copy of
the answer would outlive a purge of what it tells.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

from fastapi import Depends, Header, Request

from collab.api.deps import Caller, PartsDep
from collab.api.parts import Parts
from collab.errors import StorageUnavailable
from collab.store.base import Answer

KEY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A call that may have been made before, under the same key by the same caller; without a key it never was."""

    parts: Parts
    caller: str
    key: str | None
    request: Request

    async def once(self, work: Callable[[], Awaitable[str]]) -> str:
        """Runs `work` and keeps the reference it returns, or returns the one that was kept.

        Raises Conflict while the same call is under way, Unprocessable if the key was used for another request.
        """
        if self.key is None:
            return await work()
        idempotency = self.parts.idempotency
        known = await idempotency.claim(self.caller, self.key, await self._digest())
        if known is not None:
            return known.body.decode()
        try:
            reference = await work()
        except (StorageUnavailable, CancelledError):
            raise  # it may have been done: the claim stays until it is too old
        except BaseException:
            await idempotency.release(self.caller, self.key)
            raise
        await idempotency.settle(self.caller, self.key, Answer(200, {}, reference.encode()))
        return reference

    async def _digest(self) -> bytes:
        """What makes two requests the same: method, target, content type, body."""
        request = self.request
        digest = blake2b(digest_size=16)
        query, media_type = request.scope["query_string"], request.headers.get("content-type", "")
        for part in (request.method.encode(), request.scope["path"].encode(), query, media_type.encode()):
            digest.update(len(part).to_bytes(8, "little") + part)
        digest.update(await request.body())
        return digest.digest()


async def repeatable(
    request: Request,
    parts: PartsDep,
    principal: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=KEY_CHARS_MAX,
            pattern=r"^[!-~]+$",
            description="Any unique string: a repeated call with it is answered as the first, and does nothing again.",
            examples=["5b0c1a52-0d6c-4f3f-8d7e-2f6f3a1c9e11"],
        ),
    ] = None,
) -> Repeatable:
    """Reads the header."""
    return Repeatable(parts, f"{principal.kind}:{principal.id}", idempotency_key, request)


RepeatableDep = Annotated[Repeatable, Depends(repeatable)]
