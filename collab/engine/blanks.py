"""Empty shared types, to be put into a document and filled there.

pycrdt can fill a type while it inserts it, but does so in one transaction, which takes memory quadratic in its items.
"""

from __future__ import annotations

from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.engine.nodes import (
    ArrayNode,
    ElementNode,
    FragmentNode,
    MapNode,
    SubdocumentNode,
    TextNode,
    Value,
)
from collab.errors import Unprocessable

Blank = tuple[Any, Value]
"""A live, empty shared type and the node that it shall become."""


def blank(node: Value) -> Any:
    """An empty type of the node's kind, for a map or an array. Raises Unprocessable if pycrdt has none."""
    if isinstance(node, MapNode):
        return Map()
    if isinstance(node, ArrayNode):
        return Array()
    if isinstance(node, TextNode):
        return Text()
    if isinstance(node, FragmentNode):
        return XmlFragment()
    if isinstance(node, SubdocumentNode):
        return Doc(guid=node.guid)
    raise Unprocessable("an XML element can lie only in XML")


def blank_in_xml(node: Value) -> Any:
    """An empty element or text, for a fragment or an element."""
    if isinstance(node, TextNode):
        return XmlText()
    if isinstance(node, ElementNode):
        return XmlElement(node.tag)
    raise Unprocessable("only elements and texts can lie in XML")


def blank_in_text(text: Text | XmlText, node: Value) -> Any:
    """An empty type to be embedded in a text."""
    if isinstance(text, XmlText) and isinstance(node, TextNode | ElementNode):
        return blank_in_xml(node)
    if isinstance(node, MapNode | ArrayNode | TextNode):
        return blank(node)
    raise Unprocessable("this kind of shared type cannot be put into a text")
