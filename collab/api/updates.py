"""Updates: sending one, and reading the log of all."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from collab.api import etags
from collab.api.bodies import BINARY, UPDATE_BODY, UpdateBody, binary_answer
from collab.api.deps import Readable, Target, Writable
from collab.api.idempotency import RepeatableDep
from collab.api.problems import LOADED, NAMED, answers
from collab.errors import (
    BadUpdate,
    Conflict,
    DocumentFull,
    HistorySquashed,
    LineageRetired,
    Quarantined,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from collab.limits import DEFAULT, MIB
from collab.protocol.varint import write_varbytes
from collab.store.base import LogRow

router = APIRouter(prefix="/documents/{document}/updates", tags=["updates"])

PAGE_BYTES_MAX = 8 * MIB  # a page ends early rather than grow beyond it; one update is always given
ROWS_FIRST, GROWTH = 8, 8  # rows of the log read at once, and how many times more if those were small


class Committed(BaseModel):
    """Where an update ended up: it is on disk."""

    seq: int = Field(ge=0, examples=[43])
    version: str = Field(description="In quotes: the ETag of a state that holds it.", examples=["9f86d081884c7d65.43"])


class Squashed(BaseModel):
    """What a squashed update stands for: all from `first_seq` to its own seq, which are no longer kept one by one."""

    first_seq: int = Field(ge=1, examples=[1])
    first_at: datetime = Field(description="When the first of them was committed; `created_at` is that of the last.")
    authors: list[str] = Field(description="Everybody who wrote one of them.")


class LoggedUpdate(BaseModel):
    """One update as its author sent it; or, where history was squashed, what many amount to."""

    seq: int = Field(ge=1, examples=[43])
    author: str = Field(description="Who the authenticated caller was.", examples=["anonymous"])
    created_at: datetime
    update: str = Field(description="Yjs V1 update, base64.", examples=["AAA="])
    squashed: Squashed | None = None


class UpdatePage(BaseModel):
    """Consecutive updates; `next_after` is the `after` of the next page, null at the end of the log."""

    items: list[LoggedUpdate]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the log with its number and time."""

    seq: int
    row: LogRow
    author: str
    update: bytes


@router.post(
    "",
    summary="Send an update",
    openapi_extra=UPDATE_BODY,
    responses=answers(
        *LOADED, Conflict, LineageRetired, DocumentFull, TooLarge, UnsupportedMediaType, BadUpdate, Unprocessable
    ),
)
async def post_update(target: Writable, update: UpdateBody, repeatable: RepeatableDep) -> Committed:
    """Answered after the commit; open editors have it before. One that adds nothing new is answered the same way."""

    async def work() -> str:
        async with target.room() as slot:
            seq = await target.parts.hub.submit(slot, update, target.principal.id)
            return etags.version(slot.room.lineage, seq)

    return committed(await repeatable.once(work))


def committed(version: str) -> Committed:
    """Shapes a version."""
    return Committed(seq=int(version.rpartition(".")[2]), version=version)


@router.get(
    "",
    summary="Read the log of updates",
    responses={
        200: binary_answer("JSON; or, on `Accept: application/octet-stream`, each update with its length in front.")
        | {"headers": {"Next-After": {"schema": {"type": "string"}, "description": "As `next_after` in JSON."}}},
        **answers(*NAMED, HistorySquashed, Quarantined, Unprocessable),
    },
)
async def read_updates(
    request: Request,
    target: Readable,
    after: Annotated[int, Query(ge=0, le=2**53 - 1, description="Updates with a larger seq.")] = 0,
    limit: Annotated[int, Query(ge=1, le=DEFAULT.page_size_max, description="Most updates in a page.")] = 100,
    squashed: Annotated[bool, Query(description="Take what old updates amount to where they were squashed.")] = False,
) -> UpdatePage:
    """Oldest first, without gaps: the first has seq `after` + 1. What was accepted is what is given, byte for byte.

    Where history was squashed, old updates are no longer there one by one: 410 `history_squashed` says after which seq
    (`exact_after`) they are; with `squashed=true` those before come as few, each for a stretch of them.

    With `Accept: application/octet-stream` the answer is, for each update, its length (lib0 varUint) and its bytes.
    """
    head = await target.head()
    rows = await _rows(target, after, limit)
    if not squashed and any(row.squashed for row in rows):
        exact_after = (await target.parts.catalog.get(target.document)).squashed_seq
        raise HistorySquashed(exact_after=exact_after)
    found = page_of(rows, after, limit)
    next_after = found[-1].seq if found and found[-1].seq < head.seq else None
    if request.headers.get("accept", "").startswith(BINARY):
        headers = {"Next-After": str(next_after)} if next_after is not None else None
        body = b"".join(write_varbytes(logged.update) for logged in found)
        return Response(body, media_type=BINARY, headers=headers)  # type: ignore[return-value]
    return UpdatePage(items=[_shown(logged) for logged in found], next_after=next_after)


async def _rows(target: Target, after: int, limit: int) -> list[LogRow]:
    """As many as fill a page, and not many more: few at first, since nobody knows how large they are."""
    rows: list[LogRow] = []
    asked, size, entries = min(limit, ROWS_FIRST), 0, 0
    while True:
        more = await target.parts.log.read(target.document, rows[-1].last_seq if rows else after, asked)
        rows += more
        size += sum(len(entry.update) for row in more for entry in row.entries)
        entries += sum(seq > after for row in more for seq, _ in row.numbered())
        if len(more) < asked or entries >= limit or size > PAGE_BYTES_MAX:
            return rows
        fit = (PAGE_BYTES_MAX - size) * len(rows) // max(1, size) + 1
        asked = min(limit - entries, GROWTH * asked, fit)


def page_of(rows: Sequence[LogRow], after: int, limit: int) -> list[Logged]:
    """The entries with seq > after, at most `limit` and, but for the first, at most PAGE_BYTES_MAX of them."""
    found: list[Logged] = []
    size = 0
    for row in rows:
        for seq, entry in row.numbered():
            if seq > after:
                size += len(entry.update)
                if len(found) == limit or (found and size > PAGE_BYTES_MAX):
                    return found
                found.append(Logged(seq, row, entry.author, entry.update))
    return found


def _shown(logged: Logged) -> LoggedUpdate:
    update = base64.b64encode(logged.update).decode()
    row, squashed = logged.row, None
    if row.squashed_from is not None:
        squashed = Squashed(first_seq=row.first_seq, first_at=row.squashed_from, authors=list(row.authors))
    return LoggedUpdate(
        seq=logged.seq, author=logged.author, created_at=row.created_at, update=update, squashed=squashed
    )
