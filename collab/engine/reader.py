"""Reads shared types of pycrdt into nodes."""

from __future__ import annotations

from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.engine.nodes import (
    ArrayNode,
    Attributes,
    ElementNode,
    FragmentNode,
    MapNode,
    Run,
    SubdocumentNode,
    TextNode,
    Value,
    add_run,
    from_engine,
)
from collab.errors import Unprocessable

DEPTH_MAX = 100  # real documents nest a few dozen deep; as JSON, twice this and a value's 32 levels must be below 250


def read(value: Any, depth: int = 0) -> Value:
    """A shared type as a node, anything else as JSON. Raises Unprocessable if it nests too deeply."""
    if depth > DEPTH_MAX:
        raise Unprocessable(f"the content is nested more than {DEPTH_MAX} deep")
    if isinstance(value, Text):
        return TextNode(_runs(value, depth))
    if isinstance(value, XmlText):
        return TextNode(_runs(value, depth), _attributes(value, depth))
    if isinstance(value, Map):
        return MapNode({key: read(value[key], depth + 1) for key in sorted(value.keys())})
    if isinstance(value, Array):
        return ArrayNode([read(item, depth + 1) for item in value])
    if isinstance(value, XmlElement):
        children = [read(child, depth + 1) for child in value.children]
        return ElementNode(value.tag or "", _attributes(value, depth), children)
    if isinstance(value, XmlFragment):
        return FragmentNode([read(child, depth + 1) for child in value.children])
    if isinstance(value, Doc):
        return SubdocumentNode(value.guid)
    return from_engine(value)


def _runs(text: Text | XmlText, depth: int) -> list[Run]:
    """Its runs; neighbours of equal formatting are one."""
    out: list[Run] = []
    for insert, formatting in text.diff():
        attributes = {key: from_engine(value) for key, value in sorted((formatting or {}).items()) if value is not None}
        add_run(out, Run(read(insert, depth + 1), attributes))
    return out


def _attributes(value: XmlElement | XmlText, depth: int) -> Attributes:
    view: Any = value.attributes
    found: dict[str, Any] = dict(iter(view))  # the view does not make shared types of what it finds
    return {key: read(value._maybe_as_type_or_doc(item), depth + 1) for key, item in sorted(found.items())}
