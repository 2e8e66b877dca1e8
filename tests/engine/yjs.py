"""What real yjs says of the same bytes, in the shape that the engine's nodes have."""

from __future__ import annotations

import base64
import json
from typing import Any

from collab.engine.document import Document
from collab.engine.nodes import NODES, ArrayNode, ElementNode, FragmentNode, MapNode, SubdocumentNode, TextNode
from collab.engine.reader import read

ROOTS = {"t": "text", "m": "map", "a": "array", "x": "xml"}
"""Names and types of the roots in the random histories of `tests/node/history.cjs`."""


def content_of_engine(parts: list[bytes]) -> list[Any]:
    """The four roots as the engine reads them."""
    document = Document(parts)
    return [_shown(read(document.root(name, kind))) for name, kind in ROOTS.items()]


def content_of_yjs(content: str) -> list[Any]:
    """The four roots as yjs reads them (`shown` in `tests/node/oracle.cjs`), in the engine's words for plain values."""
    roots: list[Any] = json.loads(content)
    return [_normal(root) for root in roots]


def _shown(value: Any) -> Any:
    if isinstance(value, TextNode):
        delta = []
        for run in value.runs:
            part = {"insert": _shown(run.insert)}
            delta.append({**part, "attributes": run.attributes} if run.attributes else part)
        return {"delta": delta, "attributes": value.attributes or {}}
    if isinstance(value, MapNode):
        return {"map": {key: _shown(item) for key, item in value.entries.items()}}
    if isinstance(value, ArrayNode):
        return {"array": [_shown(item) for item in value.items]}
    if isinstance(value, ElementNode):
        attributes = {key: _shown(item) for key, item in value.attributes.items()}
        return {"tag": value.tag, "attributes": attributes, "inside": [_shown(child) for child in value.children]}
    if isinstance(value, FragmentNode):
        return {"inside": [_shown(child) for child in value.children]}
    assert not isinstance(value, NODES) or isinstance(value, SubdocumentNode)
    return {"doc": value.guid} if isinstance(value, SubdocumentNode) else value


def _normal(value: Any) -> Any:
    """yjs has undefined, big integers and byte arrays, the engine null, numbers and base64."""
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if not isinstance(value, dict):
        return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value
    if value == {"undefined": True}:
        return None
    if "$bigint" in value:
        number = int(value["$bigint"])
        return number if abs(number) < 2**63 else float(number)
    if value.keys() == {"bytes"}:
        return {"$binary": base64.b64encode(base64.b64decode(value["bytes"])).decode()}
    if "delta" in value:
        return {"delta": _delta(value["delta"]), "attributes": _normal(value["attributes"])}
    return {key: _normal(item) for key, item in value.items()}


def _delta(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without null formats, which say that there is none, and with text of equal formatting in one piece."""
    out: list[dict[str, Any]] = []
    for part in parts:
        formats = {key: _normal(item) for key, item in part.get("attributes", {}).items() if item is not None}
        made = {"insert": _normal(part["insert"]), **({"attributes": formats} if formats else {})}
        if out and isinstance(made["insert"], str) and isinstance(out[-1]["insert"], str):
            if out[-1].get("attributes") == made.get("attributes"):
                out[-1]["insert"] += made["insert"]
                continue
        out.append(made)
    return out
