"""The audit, for admins: who did what to which document, and who was refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from collab.api.deps import AdminDep, PartsDep
from collab.api.models import Cursor
from collab.api.problems import ALWAYS, answers
from collab.auth.base import AuditEvent
from collab.errors import BadRequest, Unprocessable
from collab.limits import DEFAULT

router = APIRouter(prefix="/audit", tags=["access"])


class AuditEntry(BaseModel):
    """One event. `outcome` is "ok" or an error's code; `detail` holds address, request, key, user and the like."""

    id: str
    at: datetime
    actor: str = Field(examples=["user-1"])
    actor_kind: str = Field(examples=["jwt"])
    action: str = Field(examples=["document.purge"])
    document: str | None
    outcome: str = Field(examples=["ok"])
    detail: dict[str, str]


class AuditPage(BaseModel):
    """One page, newest first; `cursor` fetches the next one."""

    items: list[AuditEntry]
    cursor: str | None = None


Word = Annotated[str | None, Query(max_length=DEFAULT.document_id_chars_max, json_schema_extra={"format": "text"})]


@router.get("", summary="Read the audit", responses=answers(*ALWAYS, BadRequest, Unprocessable))
async def read_audit(
    parts: PartsDep,
    admin: AdminDep,
    limit: Annotated[int, Query(ge=1, le=DEFAULT.page_size_max, description="Most items in a page.")] = 100,
    cursor: Cursor = None,
    actor: Word = None,
    action: Word = None,
    document: Word = None,
) -> AuditPage:
    """For admins: created, deleted, purged, restored, minted, revoked, refused. Each filter by equality."""
    page = await parts.permissions.audit_store.list(limit, cursor, actor, action, document)
    return AuditPage(items=[_entry(event) for event in page.items], cursor=page.cursor)


def _entry(event: AuditEvent) -> AuditEntry:
    return AuditEntry(
        id=event.id,
        at=event.at,
        actor=event.actor,
        actor_kind=event.actor_kind,
        action=event.action,
        document=event.document,
        outcome=event.outcome,
        detail=dict(event.detail),
    )
