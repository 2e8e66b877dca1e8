"""A root's new content, turned into the smallest edits that reach it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from collab.engine.containers import edit
from collab.engine.document import Document
from collab.engine.formats import find
from collab.engine.json_view import TOP, as_delta, as_json
from collab.engine.nodes import FragmentNode, TextNode, Value, as_kept, canonical
from collab.engine.prosemirror import from_prosemirror
from collab.engine.reader import read
from collab.errors import Unprocessable


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
    if isinstance(old, FragmentNode) and isinstance(target, dict | list):
        target = from_prosemirror(target, old)
    if isinstance(target, TextNode) or canonical(as_json(old)) != canonical(as_json(target)):
        edit(live, old, target, as_shown=True)
        if not _is(read(live), target):
            raise NotReached


def _is(now: Value, target: Value) -> bool:
    if not isinstance(target, TextNode):
        return _comparable(now) == _comparable(target) or _comparable(now, _usual) == _comparable(target, _usual)
    if any(run.attributes is None for run in target.runs):
        return isinstance(now, TextNode) and now.plain() == target.plain()
    return canonical(as_kept(as_delta(now))) == canonical(as_kept(as_delta(target)))


def _comparable(value: Value, shape: Callable[[Any], Any] = lambda shown: shown) -> bytes:
    return canonical(as_kept(shape(as_json(value))))


def _usual(shown: Any) -> Any:
    """JSON in which XML within maps and arrays stands as it is read: without empty lists and texts cut in two."""
    if isinstance(shown, dict) and shown.get("type") == TOP:
        with suppress(Unprocessable):
            return as_json(from_prosemirror(shown, FragmentNode([])))
    if isinstance(shown, dict):
        return {key: _usual(item) for key, item in shown.items()}
    return [_usual(item) for item in shown] if isinstance(shown, list) else shown
