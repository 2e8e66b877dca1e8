"""A root's new content, turned into the smallest edits that reach it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collab.engine.containers import edit
from collab.engine.document import Document
from collab.engine.formats import find
from collab.engine.json_view import as_delta, as_json
from collab.engine.nodes import TextNode, Value, as_kept, canonical
from collab.engine.reader import read


class NotReached(Exception):
    """pycrdt did not do what it was told; the edit is dropped and the worker with it."""


def write(
    parts: Sequence[bytes], client_id: int, root: str | None, kind: str | None, form: str | None, body: bytes
) -> bytes | None:
    """The update that makes the root what the body says, in the given format; None if it is that already.

    Raises NotFound, or Unprocessable for what does not fit.
    """
    document = Document(parts, client_id)
    name, kind = document.name_and_kind(root, kind)
    _, format_ = find(kind, form)
    live = document.root(name, kind)
    old = read(live)
    if body != format_.show(old):
        change(live, old, format_.target(body, old))
    return document.take_edit()


def change(live: Any, old: Value, target: Value) -> None:
    """Edits a live root and checks that it reads as wanted. Raises Unprocessable and NotReached."""
    if isinstance(target, TextNode) or canonical(as_json(old)) != canonical(as_json(target)):
        edit(live, old, target, as_shown=True)
        if not _is(read(live), target):
            raise NotReached


def _is(now: Value, target: Value) -> bool:
    if not isinstance(target, TextNode):
        return canonical(as_kept(as_json(now))) == canonical(as_kept(as_json(target)))
    if any(run.attributes is None for run in target.runs):
        return isinstance(now, TextNode) and now.plain() == target.plain()
    return canonical(as_kept(as_delta(now))) == canonical(as_kept(as_delta(target)))
