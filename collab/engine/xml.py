"""Edits of XML: nodes that stay are kept as they are, nodes that changed are edited in place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pycrdt import XmlElement, XmlFragment, XmlText

from collab.engine.alignment import likeness, steps
from collab.engine.blanks import Blank, blank_in_xml
from collab.engine.nodes import (
    NODES,
    Attributes,
    ElementNode,
    FragmentNode,
    Run,
    TextNode,
    XmlNode,
    add_run,
    canonical,
    exact,
    to_engine,
)
from collab.engine.texts import edit_text
from collab.errors import Unprocessable

SAME_TAG, SAME_ATTRIBUTES = 0.1, 0.1  # how much these count beside the share of common words


def edit_children(
    parent: XmlFragment | XmlElement, old: list[XmlNode], new: list[XmlNode], as_shown: bool
) -> list[Blank]:
    """Makes the children, which are `old`, equal to `new`; `as_shown`, as far as formats show it.

    No format shows an empty text, but editors leave one where all was deleted, since somebody may be typing into it
    (y-prosemirror, issue 108): those that are there stay, and of an element's only text the characters go.
    Returns the empty shared types that it had to embed in texts, for the caller to fill.
    """
    if as_shown and not new and len(old) == 1 and isinstance(old[0], TextNode):
        new = [TextNode([])]
    blanks: list[Blank] = []
    new = _split_as(old, new)
    words = [*map(_words, old)], [*map(_words, new)]
    todo = steps([*map(_key, old)], [*map(_key, new)], lambda i, j: _score(old[i], new[j], words[0][i], words[1][j]))
    for start, end, new_start, new_end, paired in reversed(todo):
        if paired:
            blanks += edit_node(parent.children[start], old[start], new[new_start], as_shown)
            continue
        for first, last in reversed(list(_shown(old, start, end) if as_shown else [(start, end)])):
            if last > first:
                del parent.children[first:last]
        for at, node in enumerate(new[new_start:new_end], start):
            blanks += fill_xml(parent.children.insert(at, blank_in_xml(node)), node)
    return blanks


def fill_xml(live: XmlElement | XmlFragment | XmlText, node: XmlNode) -> list[Blank]:
    """Makes an empty element or text what it shall be."""
    nothing = TextNode([], {}) if isinstance(node, TextNode) else ElementNode("", {}, [])
    return edit_node(live, nothing, node, False)


def edit_node(live: XmlElement | XmlFragment | XmlText, old: XmlNode, new: XmlNode, as_shown: bool) -> list[Blank]:
    """Makes a node what it shall be; see `edit_children`."""
    if isinstance(live, XmlText) and isinstance(old, TextNode) and isinstance(new, TextNode):
        if new.attributes is not None:
            _edit_attributes(live, old.attributes or {}, new.attributes)
        return edit_text(live, new)
    if isinstance(live, XmlElement) and isinstance(old, ElementNode) and isinstance(new, ElementNode):
        _edit_attributes(live, old.attributes, new.attributes)
        return edit_children(live, old.children, new.children, as_shown)
    if isinstance(live, XmlFragment) and isinstance(old, FragmentNode) and isinstance(new, FragmentNode):
        return edit_children(live, old.children, new.children, as_shown)
    raise Unprocessable("only elements and texts can lie in XML")


def _shown(nodes: list[XmlNode], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches between two places in which there is no empty text."""
    for at in range(start, end):
        node = nodes[at]
        if isinstance(node, TextNode) and not node.runs:
            yield start, at
            start = at + 1
    yield start, end


def _split_as(old: list[XmlNode], new: list[XmlNode]) -> list[XmlNode]:
    """`new`, with each text that is several side by side in `old` as those: no format tells where one ends."""
    rows: dict[bytes, list[XmlNode]] = {}
    for is_text, group in groupby(old, lambda node: isinstance(node, TextNode)):
        row = [*group]
        if is_text and len(row) > 1:
            rows[_key(_joined(row))] = row
    return [node for wanted in new for node in (rows.get(_key(wanted)) or [wanted])] if rows else new


def _joined(texts: list[XmlNode]) -> TextNode:
    runs: list[Run] = []
    for text in texts:
        for run in text.runs if isinstance(text, TextNode) else ():
            add_run(runs, run)
    return TextNode(runs)


def _edit_attributes(live: XmlElement | XmlText, old: Attributes, new: Attributes) -> None:
    for name in sorted(old.keys() - new.keys()):
        del live.attributes[name]
    for name, value in new.items():
        if name not in old or _key(old[name]) != _key(value):
            if isinstance(value, NODES):
                raise Unprocessable("an attribute cannot be made to hold a shared type")
            live.attributes[name] = to_engine(value)


def _key(value: object) -> bytes:
    """Equal for equal nodes; a text whose own attributes are to be kept is taken to have none."""
    return canonical(exact(value))


def _words(node: XmlNode) -> str:
    """All text in the node."""
    if isinstance(node, TextNode):
        return node.plain()
    return " ".join(map(_words, node.children))


def _score(old: XmlNode, new: XmlNode, words: str, new_words: str) -> float:
    """How well an old node can be edited into a new one; 0 if it cannot."""
    if isinstance(old, TextNode) and isinstance(new, TextNode):
        return SAME_TAG + likeness(words, new_words)
    if not isinstance(old, ElementNode) or not isinstance(new, ElementNode) or old.tag != new.tag:
        return 0.0
    same = SAME_ATTRIBUTES if _key(old.attributes) == _key(new.attributes) else 0.0
    return SAME_TAG + same + likeness(words, new_words)
