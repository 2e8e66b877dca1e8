"""Calls that look at a document."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from collab.engine.document import EMPTY, Document
from collab.engine.formats import find
from collab.engine.json_view import as_json
from collab.engine.nodes import as_kept, canonical, dumps, exact
from collab.engine.reader import read


def roots(parts: Sequence[bytes]) -> dict[str, str]:
    """Names of roots to their types."""
    return Document(parts).kinds()


def show(parts: Sequence[bytes], root: str | None, kind: str | None, form: str | None) -> tuple[dict[str, str], bytes]:
    """One root in a format: what it is, and its bytes. A root that is not there yet is empty, if its type is given.

    Raises NotFound, or Unprocessable for what does not fit.
    """
    document = Document(parts)
    name, kind = document.name_and_kind(root, kind)
    form, format_ = find(kind, form)
    body = format_.show(read(document.root(name, kind)))
    return {"root": name, "type": kind, "format": form, "media_type": format_.media_type}, body


def show_all(parts: Sequence[bytes]) -> bytes:
    """All roots that hold something, as one JSON object: name to type and content."""
    document = Document(parts)
    kinds = document.kinds()
    content: dict[str, Any] = {}
    for name, node in document.content().items():
        content[name] = {"type": kinds[name], "content": as_json(node)}
    return dumps(content)


def content_hash(parts: Sequence[bytes]) -> str:
    """SHA-256 of all that can be read, formatting and kinds of types included; equal content has an equal hash."""
    return hashed(Document(parts))


def hashed(document: Document) -> str:
    """`content_hash` of a document that is live."""
    empty = {kind: exact(node) for kind, node in EMPTY.items()}
    kinds = document.kinds()
    content = {name: exact(node) for name, node in document.content().items()}
    told = {name: value for name, value in content.items() if value != empty[kinds[name]]}
    return hashlib.sha256(canonical(as_kept(told))).hexdigest()
