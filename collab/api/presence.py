"""Who is here: the presence that clients show each other, for those without a socket."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from collab.api.deps import Readable
from collab.api.problems import NAMED, answers
from collab.core.room import Room

router = APIRouter(prefix="/documents/{document}/presence", tags=["live"])


class Person(BaseModel):
    """One client's presence, as it announced itself."""

    client_id: int = Field(description="The Yjs client id.", examples=[1234567890])
    state: dict[str, Any] = Field(examples=[{"user": {"name": "Ada", "color": "#d33"}}])


class Presence(BaseModel):
    """Everybody here. `sockets` counts connections, which may announce nobody or several."""

    people: list[Person]
    sockets: int


@router.get(
    "",
    summary="Read who is here",
    response_model=Presence,
    responses=answers(*NAMED),
)
async def read_presence(target: Readable) -> Response:
    """The people in the document, on this node. Reading does not make one appear."""
    await target.head()
    slot = target.parts.hub.slots.get(target.document)
    return Response(present(slot.room if slot is not None else None), media_type="application/json")


def present(room: Room | None) -> bytes:
    """A Presence as JSON. States are given as the bytes that came: they were checked, and may hold what Python's
    encoders refuse (lone surrogates, large integers)."""
    if room is None:
        return b'{"people":[],"sockets":0}'
    people = [b'{"client_id":%d,"state":%b}' % (client, state) for client, _, state in room.awareness.people()]
    return b'{"people":[%b],"sockets":%d}' % (b",".join(people), len(room.sessions))
