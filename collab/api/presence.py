"""Who is here: the presence that clients show each other, for those without a socket."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from collab.api.deps import Readable
from collab.api.problems import NAMED, answers
from collab.roster import Present

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
    """The people in the document, on all nodes. Reading does not make one appear."""
    await target.head()
    found = await target.parts.hub.neighbours.roster.ask(target.document)
    return Response(written(found), media_type="application/json")


def written(present: Present) -> bytes:
    """A Presence as JSON. States are given as the bytes that came: they were checked, and may hold what Python's
    encoders refuse (lone surrogates, large integers)."""
    people = [b'{"client_id":%d,"state":%b}' % (client, state) for client, _, state in sorted(present.people.values())]
    return b'{"people":[%b],"sockets":%d}' % (b",".join(people), present.sockets)
