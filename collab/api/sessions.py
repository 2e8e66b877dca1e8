"""Taking permissions back while they are in use."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from collab.api.deps import AdminDep, PartsDep
from collab.api.problems import ALWAYS, answers
from collab.core.user import USER_ID_CHARS_MAX
from collab.errors import BadRequest, NotFound, Unprocessable
from collab.types import Access

router = APIRouter(prefix="/sessions", tags=["access"])

Name = Annotated[str, Field(min_length=1, max_length=USER_ID_CHARS_MAX, json_schema_extra={"format": "document-id"})]


class NewRevocation(BaseModel):
    """Whose sessions: everything that is named must match, and something must be named."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[Name | None, Field(examples=["user-1"])] = None
    document: Annotated[Name | None, Field(examples=["notes"])] = None
    key: Annotated[Name | None, Field(description="An API key's id, or a token's `jti`.")] = None
    access: Literal["none", "read", "comment"] = Field(
        "none", description="The most that is left: `none` ends the sessions, `read` makes them read-only."
    )


class Revoked(BaseModel):
    """How many sessions of this node were ended, and how many go on with less; other nodes follow within a second."""

    ended: int = Field(ge=0)
    lowered: int = Field(ge=0)


@router.post("/revoke", summary="End or lower sessions", responses=answers(*ALWAYS, BadRequest, Unprocessable))
async def revoke_sessions(body: NewRevocation, parts: PartsDep, admin: AdminDep) -> Revoked:
    """For admins, when somebody leaves a team or is moved: open sockets and event streams end (close code 4401) or
    lose the right to write, on every node within a second.

    For a day, tickets and tokens that were issued before this moment give no more than `access`; newer ones give what
    they say. A `key` that is an API key is revoked for good, if nothing else is named.
    """
    if body.user is None and body.document is None and body.key is None:
        raise Unprocessable("name a user, a document or a key")
    permissions = parts.permissions
    ended = lowered = 0
    if body.access == "none" and body.user is None and body.document is None:
        try:
            await permissions.keys.revoke(str(body.key))
            ended, lowered = await permissions.vigil.look()
        except NotFound:
            pass  # then it is a token's
    access = Access[body.access.upper()]
    more_ended, more_lowered = await permissions.vigil.revoke(body.user, body.document, body.key, access)
    permissions.audit.tell("session.revoke", admin, body.document, user=body.user, revoked=body.key, access=body.access)
    return Revoked(ended=ended + more_ended, lowered=lowered + more_lowered)
