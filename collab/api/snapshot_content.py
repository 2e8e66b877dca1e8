"""What is in a snapshot, what changed since, and the way back to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from collab.api import etags
from collab.api.content import EDIT, SHOWN, WORK, Edited, Form, Root, RootType, edit, show
from collab.api.deps import Readable, Target, Writable
from collab.api.idempotency import RepeatableDep
from collab.api.problems import LOADED, answers
from collab.api.snapshots import SnapshotId, take
from collab.api.updates import committed

router = APIRouter(prefix="/documents/{document}/snapshots/{snapshot}", tags=["snapshots"])

NOW = "now"
LABEL = "before going back"


class Restored(Edited):
    """Where the way back ended up; `before` is the snapshot of what was there."""

    before: str = Field(description="Id of the snapshot that was taken first.")


class RootDifference(BaseModel):
    """What changed in one root."""

    type: str = Field(examples=["text"])
    hunks: list[dict[str, Any]] = Field(description="For programs: where, what was there, what is now.")
    unified: str = Field(description="For people: a unified diff.", examples=["@@ -1 +1 @@\n-hello\n+hello world\n"])


class Difference(BaseModel):
    """What changed from one state to another, per root; roots that did not change are left out."""

    roots: dict[str, RootDifference]


@router.get(
    "/content",
    summary="Read a snapshot's content",
    response_class=Response,
    responses={200: SHOWN, **answers(*LOADED, *WORK)},
)
async def read_snapshot_content(
    target: Readable,
    snapshot: SnapshotId,
    root: Root = None,
    type: RootType = None,
    format: Annotated[Form | None, Query(description="`text` of a text, else `json`, if not given.")] = None,
) -> Response:
    """As the content of the document is read."""
    found = await target.parts.snapshots.get(target.document, snapshot)
    return await show(target, found.state, root, type, format, {"ETag": etags.quoted(found.id)})


@router.get("/diff", summary="Compare a snapshot", responses=answers(*LOADED, *WORK))
async def diff_snapshot(
    target: Readable,
    snapshot: SnapshotId,
    to: Annotated[str, Query(description=f"Another snapshot's id, or `{NOW}`.", max_length=200)] = NOW,
    root: Root = None,
) -> Difference:
    """What changed from the snapshot up to another one, or until now: hunks for programs, a unified diff for people."""
    before = (await target.parts.snapshots.get(target.document, snapshot)).state
    after = await _state(target, to)
    return Difference(roots=orjson.loads(await target.parts.engine.diff([before], [after], root)))


async def _state(target: Target, to: str) -> bytes:
    if to != NOW:
        return (await target.parts.snapshots.get(target.document, to)).state
    async with target.room() as slot:
        return (await target.parts.hub.reception.inspection.state(slot.room))[0]


@router.post("/restore", summary="Go back to a snapshot", responses=answers(*EDIT))
async def restore_snapshot(target: Writable, snapshot: SnapshotId, repeatable: RepeatableDep) -> Restored:
    """By an edit that goes forward, over all roots: open editors see it like any other, and nothing is lost.

    What was there is kept as a snapshot first. What people type meanwhile stays.
    """

    async def work() -> str:
        state = (await target.parts.snapshots.get(target.document, snapshot)).state
        kept: list[str] = []

        async def make(parts: Sequence[bytes], client: int) -> bytes | None:
            update = await target.parts.engine.restore(parts, client, state)
            # taken after the parts were, so that it holds all that the update undoes; a refused call takes none
            kept.append((await take(target, LABEL, {"restored": snapshot})).id)
            return update

        done = await edit(target, None, make)
        target.tell("snapshot.restore", snapshot=snapshot, before=kept[0])
        return f"{int(done.changed)} {kept[0]} {done.version}"

    changed, before, version = (await repeatable.once(work)).split(" ")
    return Restored(**committed(version).model_dump(), changed=changed == "1", before=before)
