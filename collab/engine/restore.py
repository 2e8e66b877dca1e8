"""Back to a snapshot, by an edit that goes forward."""

from __future__ import annotations

from collections.abc import Sequence

from pycrdt import UndoManager

from collab.crdt.decode import decode
from collab.crdt.fold import squash
from collab.crdt.gate import check_state_vector
from collab.crdt.merge import merge
from collab.engine.containers import edit
from collab.engine.document import UNKNOWN, Document
from collab.engine.reader import read
from collab.engine.surrogates import mend
from collab.engine.views import hashed
from collab.errors import Unprocessable

FOREVER_MS = 10**12  # all that is applied is one thing to undo


def restore(parts: Sequence[bytes], client_id: int, snapshot: bytes) -> bytes | None:
    """The update that makes the content of all roots what it was in the snapshot; None if it is that already.

    What came after the snapshot is undone, which brings back every kind of type as it was. What then still differs is
    edited: all of it if the snapshot is no state of this document but, say, an upload. Raises Unprocessable if that
    would need a kind of type that cannot be made anew.
    """
    wanted = Document([snapshot])
    goal = hashed(wanted)
    edits: list[bytes] = []
    for step in (_undo, _edit):
        if hashed(Document([*parts, *edits])) == goal:
            break
        update = step([*parts, *edits], client_id, snapshot, wanted)
        edits += [] if update is None else [update]
    update = edits[0] if len(edits) == 1 else squash(decode(merge(edits))) if edits else None
    if hashed(Document([*parts, *([] if update is None else [update])])) != goal:
        raise Unprocessable("the state holds types that cannot be made anew where they are")
    return update


def _undo(parts: Sequence[bytes], client_id: int, snapshot: bytes, wanted: Document) -> bytes | None:
    """The update that undoes what came after the snapshot; None if that is no state of this document."""
    now = Document(parts)
    first, *rest = mend([snapshot, *parts])  # halves of what was split since are lost to this step
    then = Document([first], client_id)
    scopes = [then.root(name, kind) for name, kind in _kinds(wanted, now).items()]
    undo = UndoManager(scopes=scopes, capture_timeout_millis=FOREVER_MS)
    for part in rest:
        then.doc.apply_update(part)
    if _vector(then) != _vector(now):
        return None
    then.forget_edits()
    while undo.can_undo():
        undo.undo()
    return then.take_edit()


def _edit(parts: Sequence[bytes], client_id: int, snapshot: bytes, wanted: Document) -> bytes | None:
    """The update that edits each root into what it was."""
    now = Document(parts, client_id)
    for name, kind in _kinds(wanted, now).items():
        live = now.root(name, kind)
        edit(live, read(live), read(wanted.root(name, kind)))
    return now.take_edit()


def _vector(document: Document) -> dict[int, int]:
    return check_state_vector(document.doc.get_state())


def _kinds(wanted: Document, now: Document) -> dict[str, str]:
    """All roots that hold something then or now. Raises Unprocessable if one has become another type."""
    kinds: dict[str, str] = {}
    for name in sorted({*wanted.kinds(), *now.kinds()}):
        was, is_now = wanted.possible(name), now.possible(name)
        if UNKNOWN in was and UNKNOWN in is_now:
            continue
        both = [kind for kind in is_now if kind in was and kind != UNKNOWN]
        if not both:
            raise Unprocessable(f"the root {name!r} was of type {was[0]} and is of type {is_now[0]}")
        kinds[name] = both[0]
    return kinds
