"""`collab docs restore`: a document as it was at any moment, from its log."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from collab.remote import show
from collab.remote.content import with_engine
from collab.remote.options import HERE, AsJson, Id, Key, Url
from collab.remote.service import NOT_FOUND, Refusal, Service, calling, document_path

PAGE = 500


def restore(
    document: Id,
    at: Annotated[str, typer.Option("--at", help="Moment, e.g. 2026-11-20T10:00Z; without a zone it is UTC.")],
    new: Annotated[str, typer.Option("--as", help="Id of the new document that it goes into.")],
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Makes a new document of what another one was at a moment, from its log; the other one stays as it is.

    Where old history was squashed, what is restored is the end of the last step before the moment: it says of when.

    Fails with 5 if the new id is taken. To go back in place, use [bold]collab snapshots restore[/bold].

    [bold]collab docs restore minutes --at 2026-11-20T10:00Z --as minutes-before[/bold]
    """
    moment = _moment(at)
    with calling(url, key) as service:
        about = service.json("GET", document_path(document))
        with show.working(f"reading the log of {document}"):
            updates = _until(service, document, moment)
        if not updates:
            raise Refusal(f"{document} has no update from before {moment.isoformat()}", NOT_FOUND)
        with show.working("putting it together"):
            state, _ = with_engine(
                lambda engine: engine.fold(None, [base64.b64decode(one["update"]) for one in updates])
            )
        body = {"id": new, "title": about["title"], "metadata": about["metadata"]}
        service.json("POST", "documents", json={name: value for name, value in body.items() if value is not None})
        headers = {"Content-Type": "application/octet-stream"}
        done = service.json("POST", document_path(new, "updates"), content=state, headers=headers)
        last = updates[-1]
        told = {"id": new, "of": document, "at": moment.isoformat(), "restored_seq": last["seq"], **done}
        told["restored_to"] = last["created_at"]
        of_when = f", at {last['created_at']}: history this old is kept in steps" if last["squashed"] else ""
        show.done(f"{new} is {document} as it was after {last['seq']} updates{of_when}", told, as_json)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment; write it like 2026-11-20T10:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _until(service: Service, document: str, moment: datetime) -> list[dict[str, Any]]:
    """Its updates that were committed at the moment or before, in order; squashed ones whose last one was."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        params: dict[str, Any] = {"after": after, "limit": PAGE, "squashed": "true"}
        page = service.json("GET", document_path(document, "updates"), params=params)
        for update in page["items"]:
            if datetime.fromisoformat(update["created_at"]) > moment:
                return found
            found.append(update)
        after = page["next_after"]
    return found
