"""Content as JSON that people read: shared and plain values look the same, formatting of nested texts is left out.

XML is shown as the JSON of ProseMirror and Tiptap, by the conventions of y-prosemirror: an element is a node, its
attributes are the node's, a run of text is a text node and its formatting are marks.
"""

from __future__ import annotations

from typing import Any

from collab.engine.marks import mark_attributes, mark_name
from collab.engine.nodes import (
    SUBDOCUMENT,
    ArrayNode,
    ElementNode,
    FragmentNode,
    MapNode,
    Run,
    SubdocumentNode,
    TextNode,
    Value,
    add_run,
)

TOP = "doc"
"""The type of ProseMirror's outermost node, which stands for the fragment."""


def as_json(value: Value) -> Any:
    """Any content as JSON; a text is its plain string."""
    if isinstance(value, TextNode):
        return value.plain()
    if isinstance(value, MapNode):
        return {key: as_json(item) for key, item in value.entries.items()}
    if isinstance(value, ArrayNode):
        return [as_json(item) for item in value.items]
    if isinstance(value, FragmentNode):
        return {"type": TOP, "content": _content(value)}
    if isinstance(value, ElementNode):
        return _node(value)
    if isinstance(value, SubdocumentNode):
        return {SUBDOCUMENT: value.guid}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def as_delta(text: TextNode) -> list[dict[str, Any]]:
    """A text as the inserts of a Quill delta."""
    out = []
    for run in text.runs:
        insert: dict[str, Any] = {"insert": as_json(run.insert)}
        if run.attributes:
            insert["attributes"] = run.attributes
        out.append(insert)
    return out


def _content(parent: ElementNode | FragmentNode) -> list[dict[str, Any]]:
    """Its nodes; texts that lie side by side are shown as one, as ProseMirror would have it."""
    out: list[dict[str, Any]] = []
    runs: list[Run] = []
    for child in parent.children:
        if isinstance(child, TextNode):
            for run in child.runs:
                add_run(runs, run)
            continue
        out += map(_text, runs)
        runs.clear()
        out.append(as_json(child))
    return [*out, *map(_text, runs)]


def _node(element: ElementNode) -> dict[str, Any]:
    node: dict[str, Any] = {"type": element.tag}
    if element.attributes:
        node["attrs"] = {name: as_json(value) for name, value in element.attributes.items()}
    content = _content(element)
    if content:
        node["content"] = content
    return node


def _text(run: Run) -> dict[str, Any]:
    """A text node; an embedded value, which ProseMirror has not, is told by its key."""
    if isinstance(run.insert, str):
        node: dict[str, Any] = {"type": "text", "text": run.insert}
    else:
        node = {"type": "embed", "embed": as_json(run.insert)}
    marks = []
    for key, value in (run.attributes or {}).items():
        attributes = mark_attributes(value)
        marks.append({"type": mark_name(key), **({"attrs": attributes} if attributes else {})})
    if marks:
        node["marks"] = marks
    return node
