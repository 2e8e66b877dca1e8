"""How a document writes what looks the same in JSON or XML, so that writing back what was read changes nothing."""

from __future__ import annotations

from typing import Any

import orjson

from collab.engine.json_view import as_json
from collab.engine.marks import mark_attributes, mark_name, overlapping
from collab.engine.nodes import Attributes, ElementNode, FragmentNode, Run, TextNode, Value, XmlNode, canonical, dumps


def shown(value: Value) -> str:
    """A value as an XML attribute shows it: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else dumps(as_json(value)).decode()


class Known:
    """Values that occur in the XML that is there."""

    def __init__(self, current: FragmentNode) -> None:
        self.tags: set[str] = set()
        self.marks: set[str] = set()
        self._formats: dict[tuple[str, bytes], tuple[str, Any]] = {}
        self._embeds: dict[bytes, Value] = {}
        self._values: dict[tuple[str, str], dict[str, Value]] = {}
        todo: list[XmlNode] = [current]
        while todo:
            node = todo.pop()
            if isinstance(node, TextNode):
                for run in node.runs:
                    self._learn_run(run)
                continue
            if isinstance(node, ElementNode):
                self.tags.add(node.tag)
                self._learn_attributes(node.tag, node.attributes)
            todo += node.children

    def formatting(self, marks: list[tuple[str, Attributes]]) -> Attributes:
        """The formatting that stands for these marks: as the document has it, else as y-prosemirror would write it."""
        out: Attributes = {}
        for name, attributes in marks:
            key, value = self._formats.get((name, canonical(attributes)), (name, attributes))
            if key in out:  # a second mark of one name
                key = overlapping(name, attributes)
            out[key] = value
        return dict(sorted(out.items()))  # as it is read: which mark is named first says nothing

    def embed(self, value: Any) -> Value:
        """The embedded value that JSON shows like this."""
        return self._embeds.get(canonical(value), value)

    def attributes(self, owner: str, given: Attributes) -> Attributes:
        """JSON attributes of an element or mark as the document would hold them.

        A shared type is shown as JSON, and null stands for an attribute that is left out.
        """
        out: Attributes = {}
        for name, value in given.items():
            held = self._values.get((owner, name), {})
            if value is not None or shown(None) in held:
                out[name] = held.get(shown(value), value)
        return out

    def attribute(self, owner: str, name: str, text: str) -> Value:
        """The value of an attribute that XML shows like this.

        If the document has no such value: JSON, if that attribute has values and none of them is a string; else text.
        """
        held = self._values.get((owner, name), {})
        if text in held:
            return held[text]
        if held and not any(isinstance(value, str) for value in held.values()):
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError:
                return text
        return text

    def _learn_run(self, run: Run) -> None:
        if not isinstance(run.insert, str):
            self._embeds[canonical(as_json(run.insert))] = run.insert
        for key, value in (run.attributes or {}).items():
            name, attributes = mark_name(key), mark_attributes(value)
            self.marks.add(name)
            self._formats.setdefault((name, canonical(attributes)), (key, value))
            self._learn_attributes(name, attributes)

    def _learn_attributes(self, owner: str, attributes: Attributes) -> None:
        for name, value in attributes.items():
            self._values.setdefault((owner, name), {}).setdefault(shown(value), value)
