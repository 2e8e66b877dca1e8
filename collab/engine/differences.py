"""What changed between two states: hunks for programs, and a unified diff of text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import unified_diff
from typing import Any

import orjson

from collab.engine.alignment import likeness, steps, text_hunks
from collab.engine.document import EMPTY, UNKNOWN, Document
from collab.engine.json_view import as_delta, as_json
from collab.engine.nodes import ElementNode, FragmentNode, TextNode, Value, XmlNode, canonical, dumps
from collab.engine.xml_text import as_xml, element_start
from collab.errors import NotFound, Unprocessable

Hunks = Iterator[dict[str, Any]]


def diff(before: Sequence[bytes], after: Sequence[bytes], root: str | None) -> dict[str, Any]:
    """Per root that differs, or for the one named: type, hunks, and a unified diff.

    A text's hunk has an index and length in code points, what was there and what is now; each counts in the text as it
    was. Any other has a JSON pointer, an op (add, remove, replace), and the values from and to; done one after the
    other they lead from what was to what is. They are also told of a text of which only formatting has changed: its
    JSON is the list of its runs. Raises NotFound.
    """
    old, new = Document(before), Document(after)
    kinds = {name: kind for name, kind in [*old.kinds().items(), *new.kinds().items()] if kind != UNKNOWN}
    if root is not None and root not in kinds:
        raise NotFound(f"there is no root {root!r}")
    contents = old.content(), new.content()
    out: dict[str, Any] = {}
    for name in sorted(kinds) if root is None else [root]:
        one, other = (content.get(name, EMPTY[kinds[name]]) for content in contents)
        hunks = list(_hunks(one, other))
        if hunks or root is not None:
            unified = unified_diff(list(_lines(one)), list(_lines(other)), "before", "after", lineterm="")
            out[name] = {"type": kinds[name], "hunks": hunks, "unified": "".join(line + "\n" for line in unified)}
    return out


def _hunks(old: Value, new: Value) -> Hunks:
    if not isinstance(old, TextNode) or not isinstance(new, TextNode):
        return json_hunks("", as_json(old), as_json(new))
    was, now = old.plain(), new.plain()
    return text_changes(was, now) if was != now else json_hunks("", as_delta(old), as_delta(new))


def text_changes(old: str, new: str) -> Hunks:
    """What was replaced in a text."""
    for start, end, new_start, new_end in text_hunks(old, new):
        yield {"index": start, "length": end - start, "from": old[start:end], "to": new[new_start:new_end]}


def json_hunks(pointer: str, old: Any, new: Any) -> Hunks:
    """The changes that lead from one JSON value to another."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _object_hunks(pointer, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _array_hunks(pointer, old, new)
    elif canonical(old) != canonical(new):
        yield {"op": "replace", "pointer": pointer, "from": old, "to": new}


def _object_hunks(pointer: str, old: dict[str, Any], new: dict[str, Any]) -> Hunks:
    for key in sorted(old.keys() | new.keys()):
        to = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in new:
            yield {"op": "remove", "pointer": to, "from": old[key]}
        elif key not in old:
            yield {"op": "add", "pointer": to, "to": new[key]}
        else:
            yield from json_hunks(to, old[key], new[key])


def _array_hunks(pointer: str, old: list[Any], new: list[Any]) -> Hunks:
    """From the end, so that the places before stay what they are."""
    words = [*map(str, old)], [*map(str, new)]
    todo = steps(
        [*map(canonical, old)], [*map(canonical, new)], lambda i, j: _score(old[i], new[j], words[0][i], words[1][j])
    )
    for start, end, new_start, new_end, paired in reversed(todo):
        if paired:
            yield from json_hunks(f"{pointer}/{start}", old[start], new[new_start])
            continue
        for at in reversed(range(start, end)):
            yield {"op": "remove", "pointer": f"{pointer}/{at}", "from": old[at]}
        for at, value in enumerate(new[new_start:new_end], start):
            yield {"op": "add", "pointer": f"{pointer}/{at}", "to": value}


def _score(old: Any, new: Any, words: str, new_words: str) -> float:
    """Items of one kind are compared; the more they share, the rather."""
    if type(old) is not type(new) or not isinstance(old, dict | list | str):
        return 0.0
    if isinstance(old, dict) and old.get("type") != new.get("type"):
        return 0.0
    return 0.1 + likeness(words, new_words)


def _lines(value: Value) -> Iterator[str]:
    """Content as lines to be compared by people."""
    if isinstance(value, TextNode):
        yield from value.plain().split("\n")
        return
    if isinstance(value, FragmentNode):
        with suppress(Unprocessable):  # names that XML cannot have
            yield from [line for child in value.children for line in _xml_lines(child, "")]
            return
    yield from dumps(as_json(value), orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode().split("\n")


def _xml_lines(node: XmlNode, indent: str) -> Iterator[str]:
    """An element with text in it is one line, one with elements has a line for each."""
    if not isinstance(node, ElementNode) or not node.children or any(isinstance(c, TextNode) for c in node.children):
        yield from (indent + as_xml(node)).split("\n")
        return
    yield indent + element_start(node)
    for child in node.children:
        yield from _xml_lines(child, indent + "  ")
    yield f"{indent}</{node.tag}>"
