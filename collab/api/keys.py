"""API keys, for admins: the same that `collab keys` does, while the service runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from collab.api.deps import AdminDep, PartsDep
from collab.api.models import Cursor
from collab.api.problems import ALWAYS, answers
from collab.auth.base import ApiKey
from collab.auth.keys import LIFE_S_MAX, NAME_CHARS_MAX, PATTERNS_MAX
from collab.auth.patterns import PATTERN_CHARS_MAX
from collab.errors import BadRequest, Forbidden, NotFound, Unprocessable
from collab.limits import DEFAULT
from collab.types import Scope

router = APIRouter(prefix="/keys", tags=["access"])

EXAMPLE_KEY = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c"
KeyId = Annotated[
    str, Path(alias="key", description="The key's id.", examples=[EXAMPLE_KEY], json_schema_extra={"format": "key-id"})
]
Pattern = Annotated[str, Field(min_length=1, max_length=PATTERN_CHARS_MAX, json_schema_extra={"format": "text"})]


class NewKey(BaseModel):
    """What a key may do. `documents` are patterns in which `*` is any run of characters; none means all."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str,
        Field(
            min_length=1, max_length=NAME_CHARS_MAX, examples=["backend"], json_schema_extra={"format": "document-id"}
        ),
    ]
    scopes: Annotated[list[Scope], Field(min_length=1, examples=[["documents:read", "tickets:create"]])]
    documents: Annotated[list[Pattern], Field(max_length=PATTERNS_MAX, examples=[["team-a/*"]])] = []
    expires_in_s: Annotated[float | None, Field(gt=0, le=LIFE_S_MAX, examples=[2592000])] = None


class KeyDetails(BaseModel):
    """A key without its secret; `prefix` is how the secret begins."""

    id: str = Field(examples=[EXAMPLE_KEY])
    name: str
    prefix: str = Field(examples=["ck_4fzzzxjy"])
    scopes: list[Scope]
    documents: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class MintedKey(KeyDetails):
    """The secret is shown this once: only a hash of it is kept."""

    key: str = Field(examples=["ck_…"])


class KeyPage(BaseModel):
    """One page, oldest first, revoked ones too; `cursor` fetches the next one."""

    items: list[KeyDetails]
    cursor: str | None = None


def key_details(key: ApiKey) -> KeyDetails:
    """Shapes a key of the store."""
    return KeyDetails(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        documents=list(key.documents),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


@router.post("", status_code=201, summary="Make an API key", responses=answers(*ALWAYS, BadRequest, Unprocessable))
async def create_key(body: NewKey, parts: PartsDep, admin: AdminDep, response: Response) -> MintedKey:
    """For admins. An open service makes none over the network, so that nobody plants a key that outlives its openness:
    make the first one with `collab keys create` on its machine."""
    if admin.kind == "open":
        raise Forbidden("an open service makes no keys over the network: run `collab keys create` on its machine")
    permissions = parts.permissions
    key, secret = await permissions.keys.mint(body.name, body.scopes, body.documents, body.expires_in_s)
    permissions.audit.tell("key.create", admin, None, made=key.id, name=key.name, scopes=" ".join(sorted(key.scopes)))
    await permissions.vigil.look()  # the first key closes an open service at once
    response.headers["Cache-Control"] = "no-store"
    return MintedKey(**key_details(key).model_dump(), key=secret)


@router.get("", summary="List API keys", responses=answers(*ALWAYS, Unprocessable))
async def list_keys(
    parts: PartsDep,
    admin: AdminDep,
    limit: Annotated[int, Query(ge=1, le=DEFAULT.page_size_max, description="Most items in a page.")] = 100,
    cursor: Cursor = None,
) -> KeyPage:
    """For admins."""
    page = await parts.permissions.key_store.list(limit, cursor)
    return KeyPage(items=[key_details(key) for key in page.items], cursor=page.cursor)


@router.get("/{key}", summary="Read an API key's details", responses=answers(*ALWAYS, BadRequest, NotFound))
async def read_key(key: KeyId, parts: PartsDep, admin: AdminDep) -> KeyDetails:
    """For admins."""
    return key_details(await parts.permissions.key_store.get(key))


@router.delete("/{key}", status_code=204, summary="Revoke an API key", responses=answers(*ALWAYS, BadRequest, NotFound))
async def revoke_key(key: KeyId, parts: PartsDep, admin: AdminDep) -> None:
    """For admins. It and every socket that it or its tickets opened are dead within a second, on every node."""
    permissions = parts.permissions
    revoked = await permissions.keys.revoke(key)
    await permissions.vigil.look()
    permissions.audit.tell("key.revoke", admin, None, revoked=revoked.id, name=revoked.name)
