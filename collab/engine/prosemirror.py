"""ProseMirror's JSON as a target: nodes are elements, text nodes in a row are one text, marks are formatting."""

from __future__ import annotations

from typing import Any

from collab.engine.json_view import TOP
from collab.engine.known import Known
from collab.engine.nodes import Attributes, ElementNode, FragmentNode, Run, TextNode, XmlNode, add_run
from collab.engine.reader import DEPTH_MAX
from collab.errors import Unprocessable


def from_prosemirror(value: Any, current: FragmentNode) -> FragmentNode:
    """The fragment that this JSON describes: a `doc` node, or a list of nodes.

    Raises Unprocessable with a JSON pointer to what is wrong.
    """
    if isinstance(value, dict) and value.get("type") == TOP:
        return FragmentNode(_Reading(current).children(value.get("content", []), "/content"))
    if isinstance(value, list):
        return FragmentNode(_Reading(current).children(value, ""))
    raise Unprocessable(f'XML as JSON is {{"type": "{TOP}", "content": [...]}} or a list of nodes')


class _Reading:
    def __init__(self, current: FragmentNode) -> None:
        self._known = Known(current)

    def children(self, nodes: Any, path: str) -> list[XmlNode]:
        if not isinstance(nodes, list):
            raise Unprocessable(f"no list of nodes at {path or '/'}")
        if path.count("/") > 2 * DEPTH_MAX:
            raise Unprocessable(f"the content is nested more than {DEPTH_MAX} deep")
        out: list[XmlNode] = []
        for number, node in enumerate(nodes):
            at = f"{path}/{number}"
            if not isinstance(node, dict) or not isinstance(node.get("type"), str) or not node["type"]:
                raise Unprocessable(f"no node with a type at {at}")
            if "text" in node or "embed" in node:
                last = out[-1] if out else None
                if not isinstance(last, TextNode):
                    last = TextNode([])
                    out.append(last)
                add_run(last.runs, self._run(node, at))
            else:
                out.append(self._element(node, at))
        return out

    def _element(self, node: dict[str, Any], at: str) -> ElementNode:
        attributes = self._known.attributes(node["type"], _object(node, "attrs", at))
        return ElementNode(node["type"], attributes, self.children(node.get("content", []), f"{at}/content"))

    def _run(self, node: dict[str, Any], at: str) -> Run:
        marks = node.get("marks", [])
        if not isinstance(marks, list) or not all(
            isinstance(m, dict) and isinstance(m.get("type"), str) for m in marks
        ):
            raise Unprocessable(f"no list of marks with types at {at}/marks")
        named = [(mark["type"], _object(mark, "attrs", f"{at}/marks")) for mark in marks]
        formatting = self._known.formatting(named)
        if "embed" in node:
            return Run(self._known.embed(node["embed"]), formatting)
        if not isinstance(node["text"], str):
            raise Unprocessable(f"no string at {at}/text")
        return Run(node["text"], formatting)


def _object(node: dict[str, Any], name: str, at: str) -> Attributes:
    value = node.get(name) or {}
    if not isinstance(value, dict):
        raise Unprocessable(f"no object at {at}/{name}")
    return value
