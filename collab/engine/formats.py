"""Formats in which content comes in and goes out: one entry for each, by type of root and name.

A further one (Markdown, HTML) is a module with two functions and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from collab.engine.json_view import as_delta, as_json
from collab.engine.known import Known
from collab.engine.nodes import (
    ElementNode,
    FragmentNode,
    Run,
    TextNode,
    Value,
    XmlNode,
    add_run,
    dumps,
    from_engine,
)
from collab.engine.prosemirror import from_prosemirror
from collab.engine.xml_text import as_xml, from_xml
from collab.errors import Unprocessable


class Format(NamedTuple):
    """How a root is shown, and what is made of a caller's bytes, given the root as it is; None if it is only shown."""

    media_type: str
    show: Callable[[Any], bytes]
    take: Callable[[bytes, Any], Value] | None

    def target(self, body: bytes, current: Value) -> Value:
        """What the root shall become. Raises Unprocessable."""
        if self.take is None:
            raise Unprocessable("content cannot be written in this format")
        return self.take(body, current)


def find(kind: str, name: str | None) -> tuple[str, Format]:
    """The name and format; a text's own is plain text, that of everything else JSON. Raises Unprocessable."""
    name = name or ("text" if kind == "text" else "json")
    found = FORMATS.get((kind, name))
    if found is None:
        others = ", ".join(sorted(other for of, other in FORMATS if of == kind))
        raise Unprocessable(f"no format {name!r} for a root of type {kind}; there are {others}")
    return name, found


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unprocessable(f"the text is not UTF-8: {error.reason} at byte {error.start}") from None


def loads(body: bytes) -> Any:
    """JSON of a caller, whole numbers as integers. Raises Unprocessable."""
    try:
        return from_engine(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise Unprocessable(f"no JSON: {error}") from None
    except RecursionError:
        raise Unprocessable("the content is nested too deeply") from None


def _take_text(body: bytes, current: TextNode) -> TextNode:
    return TextNode([Run(_decoded(body), None)])


def _take_delta(body: bytes, current: TextNode) -> TextNode:
    """A Quill delta of inserts, or an object with such `ops`."""
    value = loads(body)
    ops = value.get("ops") if isinstance(value, dict) else value
    known = Known(FragmentNode([current]))
    runs: list[Run] = []
    if not isinstance(ops, list):
        raise Unprocessable("a text as JSON is a list of inserts")
    for number, op in enumerate(ops):
        attributes = op.get("attributes") or {} if isinstance(op, dict) else None
        if not isinstance(attributes, dict) or op.keys() - {"insert", "attributes"} or op.get("insert") is None:
            raise Unprocessable(f"no insert at /{number}")
        insert = op["insert"] if isinstance(op["insert"], str) else known.embed(op["insert"])
        add_run(runs, Run(insert, {key: value for key, value in attributes.items() if value is not None}))
    return TextNode(runs)


def _take_map(body: bytes, current: Value) -> Value:
    value = loads(body)
    if not isinstance(value, dict):
        raise Unprocessable("a map is a JSON object")
    return value


def _take_array(body: bytes, current: Value) -> Value:
    value = loads(body)
    if not isinstance(value, list):
        raise Unprocessable("an array is a JSON array")
    return value


def _lines(node: XmlNode) -> str:
    """The text of XML, each element that is not within a line of text on a line of its own."""
    if isinstance(node, TextNode):
        return node.plain()
    inline = isinstance(node, ElementNode) and any(isinstance(child, TextNode) for child in node.children)
    return ("" if inline else "\n").join(map(_lines, node.children))


def _show_json(value: Any) -> bytes:
    return dumps(as_json(value))


FORMATS: dict[tuple[str, str], Format] = {
    ("text", "text"): Format("text/plain", lambda node: node.plain().encode(), _take_text),
    ("text", "json"): Format("application/json", lambda node: dumps(as_delta(node)), _take_delta),
    ("map", "json"): Format("application/json", _show_json, _take_map),
    ("array", "json"): Format("application/json", _show_json, _take_array),
    ("xml", "json"): Format("application/json", _show_json, lambda body, old: from_prosemirror(loads(body), old)),
    ("xml", "xml"): Format(
        "application/xml", lambda node: as_xml(node).encode(), lambda body, old: from_xml(_decoded(body), old)
    ),
    ("xml", "text"): Format("text/plain", lambda node: _lines(node).encode(), None),
}
