"""Content as plain values: what was read from a document, or what a document shall become.

A Value is JSON, or one of the nodes below where the document holds a shared type. JSON values are in the form that
`orjson` takes: integers where a number is whole, and what JSON has not as an object with one key that begins with `$`.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from typing import Any

import orjson

from collab.errors import Unprocessable

Value = Any
"""JSON or a node."""

Attributes = dict[str, Any]

BINARY, SUBDOCUMENT = "$binary", "$document"
WHOLE_MAX = 2.0**53


@dataclass(slots=True)
class Run:
    """A stretch of text, or one embedded value, with its formatting.

    As a target, `attributes` None means: formatted as what it is inserted next to.
    """

    insert: Value
    attributes: Attributes | None


def add_run(runs: list[Run], run: Run) -> None:
    """Appends a run; text of equal formatting is one run, and no run is empty."""
    last = runs[-1] if runs else None
    if not isinstance(run.insert, str):
        runs.append(run)
    elif last is not None and isinstance(last.insert, str) and last.attributes == run.attributes:
        runs[-1] = Run(last.insert + run.insert, run.attributes)
    elif run.insert:
        runs.append(run)


@dataclass(slots=True)
class TextNode:
    """A text. `attributes` are those of the type itself, which only XML texts have; as a target None keeps them."""

    runs: list[Run]
    attributes: Attributes | None = None

    def plain(self) -> str:
        """Without formatting and embedded values."""
        return "".join(run.insert for run in self.runs if isinstance(run.insert, str))


@dataclass(slots=True)
class MapNode:
    """A shared map."""

    entries: dict[str, Value]


@dataclass(slots=True)
class ArrayNode:
    """A shared array."""

    items: list[Value]


@dataclass(slots=True)
class ElementNode:
    """An XML element."""

    tag: str
    attributes: Attributes
    children: list[ElementNode | TextNode | FragmentNode]


@dataclass(slots=True)
class FragmentNode:
    """An XML fragment."""

    children: list[ElementNode | TextNode | FragmentNode]


@dataclass(slots=True)
class SubdocumentNode:
    """A reference to another document."""

    guid: str


NODES = (TextNode, MapNode, ArrayNode, ElementNode, FragmentNode, SubdocumentNode)
XmlNode = ElementNode | TextNode | FragmentNode


def from_engine(value: Any) -> Any:
    """A plain value as pycrdt gives it, as JSON."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None  # as JSON.stringify does
        return int(value) if value.is_integer() and abs(value) <= WHOLE_MAX else value
    if isinstance(value, bytes | bytearray):
        return {BINARY: base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [from_engine(item) for item in value]
    if isinstance(value, dict):
        return {key: from_engine(value[key]) for key in sorted(value)}  # pycrdt's order changes from run to run
    return value


def to_engine(value: Any, as_json: bool = False) -> Any:
    """A JSON value as pycrdt takes it; a JavaScript number for each number, as JSON.parse would make.

    `as_json`: it is kept as JSON, as formatting and what is embedded in a text are, which has no binary values.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > WHOLE_MAX:
        return float(value)
    if isinstance(value, list):
        return [to_engine(item, as_json) for item in value]
    if isinstance(value, dict):
        binary = None if as_json else _binary(value)
        return {key: to_engine(item, as_json) for key, item in value.items()} if binary is None else binary
    return value


def as_kept(value: Any) -> Any:
    """A JSON value as it is read back once a document holds it."""
    return from_engine(to_engine(value))


def _binary(value: dict[str, Any]) -> bytes | None:
    encoded = value.get(BINARY) if len(value) == 1 else None
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None


def dumps(value: Any, option: int = 0) -> bytes:
    """As JSON. Raises Unprocessable for what nests deeper than orjson goes, which is some 250 levels."""
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        if "Recursion" not in str(error):
            raise
        raise Unprocessable("the content is nested too deeply") from None


def canonical(value: Any) -> bytes:
    """JSON that is equal for equal JSON values. Raises Unprocessable as `dumps`."""
    return dumps(value, orjson.OPT_SORT_KEYS)


def exact(value: Value) -> Any:
    """JSON that is equal for equal content, kinds and formatting included."""
    if isinstance(value, TextNode):
        runs = [[exact(run.insert), run.attributes or {}] for run in value.runs]
        return ["text", runs, value.attributes or {}]
    if isinstance(value, MapNode):
        return ["map", {key: exact(item) for key, item in value.entries.items()}]
    if isinstance(value, ArrayNode):
        return ["array", [exact(item) for item in value.items]]
    if isinstance(value, ElementNode):
        attributes = {key: exact(item) for key, item in value.attributes.items()}
        return ["element", value.tag, attributes, [exact(child) for child in value.children]]
    if isinstance(value, FragmentNode):
        return ["fragment", [exact(child) for child in value.children]]
    if isinstance(value, SubdocumentNode):
        return ["document", value.guid]
    return ["value", value]
