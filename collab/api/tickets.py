"""Tickets: how a backend lets one of its users open one socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from collab.api.deps import Caller, EncodedId, PartsDep, Target
from collab.api.problems import NAMED, answers
from collab.auth.tickets import SESSION_S, SESSION_S_MAX, User
from collab.core.user import USER_ID_CHARS_MAX, USER_NAME_CHARS_MAX
from collab.errors import Forbidden, Overloaded, Unprocessable
from collab.sockets.admission import document_id
from collab.types import Access, Principal, Scope

router = APIRouter(prefix="/documents/{document}/tickets", tags=["access"])

AccessName = Literal["read", "comment", "write"]


class Person(BaseModel):
    """Whom the socket speaks for, as others will see them."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=USER_ID_CHARS_MAX, examples=["user-1"])]
    name: Annotated[str | None, Field(max_length=USER_NAME_CHARS_MAX, examples=["Ada"])] = None
    color: Annotated[str | None, Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#dd3333"])] = None


class NewTicket(BaseModel):
    """What a ticket is good for. `user` may be left out by callers with a token of their own: it is they."""

    model_config = ConfigDict(extra="forbid")

    access: AccessName = "write"
    user: Person | None = None
    expires_in_s: float = Field(
        SESSION_S, gt=0, le=SESSION_S_MAX, description="How long the session that it opens may last."
    )


class MintedTicket(BaseModel):
    """The secret is shown this once. Open the socket before `opens_until`; the session ends at `ends_at`."""

    ticket: str = Field(examples=["ct_…"])
    document: str
    access: AccessName
    user: Person
    opens_until: datetime
    ends_at: datetime


@router.post(
    "",
    status_code=201,
    summary="Mint a ticket for a socket",
    responses=answers(*NAMED, Overloaded, Unprocessable),
)
async def create_ticket(
    document: EncodedId, body: NewTicket, parts: PartsDep, principal: Caller, response: Response
) -> MintedTicket:
    """One use, within a minute, for this document, access and user: `ws://…/sync/{document}?ticket=…`, or the
    subprotocol `collab.ticket.…`.

    Needs the scope `tickets:create` and at least this access; or a JSON web token, which may speak for its own user
    under its own name only.
    """
    target = Target(parts, document_id(document, parts.limits), principal)
    access = Access[body.access.upper()]
    parts.door.require(principal, target.document, access)
    user = _speaks_for(principal, body.user, parts.door.policy.has(principal, Scope.TICKETS_CREATE))
    secret, ticket = await parts.permissions.tickets.mint(
        principal, target.document, access, User(user.id, user.name, user.color), body.expires_in_s
    )
    target.tell("ticket.mint", user=user.id, access=body.access)
    response.headers["Cache-Control"] = "no-store"
    return MintedTicket(
        ticket=secret,
        document=target.document,
        access=body.access,
        user=user,
        opens_until=_moment(ticket.opens_until),
        ends_at=_moment(ticket.ends_at),
    )


def _speaks_for(principal: Principal, user: Person | None, for_all: bool) -> Person:
    """Raises Forbidden, or Unprocessable if nobody is named who must be."""
    if for_all:
        if user is None:
            raise Unprocessable("say whom the ticket is for: user.id")
        return user
    if principal.kind != "jwt":
        raise Forbidden(f"this needs the scope {Scope.TICKETS_CREATE.value}")
    own = Person(id=principal.id, name=principal.name)
    if user is None:
        return own
    if user.id != own.id or user.name not in (None, own.name):
        raise Forbidden("this token may speak for its own user only, under the name that the token gives")
    return own.model_copy(update={"color": user.color})


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
