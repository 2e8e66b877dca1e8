"""Names and kinds of root types, as pycrdt writes them and as hostile bytes might."""

from __future__ import annotations

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment

from collab.crdt.fold import fold
from collab.crdt.merge import merge
from collab.crdt.roots import roots
from tests.crdt.grammar import Made, MadeUpdate
from tests.updates import deleted, typed


def test_all_kinds() -> None:
    """Each root by what a client put into it."""
    doc: Doc = Doc()  # type: ignore[type-arg]
    doc.get("title", type=Text).insert(0, "hi")
    doc.get("settings", type=Map)["dark"] = True
    doc.get("tags", type=Array).append("x")
    doc.get("body", type=XmlFragment).children.append(XmlElement("p"))
    doc.get("later", type=Array).append(Map({"k": 1}))
    found = {"body": "xml", "later": "array", "settings": "map", "tags": "array", "title": "text"}
    assert roots(doc.get_update()) == roots(fold(None, [doc.get_update()])) == found


def test_what_is_deleted_tells_nothing_but_its_name() -> None:
    """The content is gone; a key is still one."""
    state = fold(None, [typed(1, 0, "abc"), deleted(1, 0, 3)])
    assert roots(state) == {"t": "unknown"}
    entry = MadeUpdate({1: (0, [Made(8, 1, b"\x01\x78", parent=b"m", key=b"k")])}, {1: [(0, 1)]})
    assert roots(fold(None, [entry.encode()])) == {"m": "map"}


def test_the_stronger_sign_counts() -> None:
    """A text with attributes and embedded types is a text; an array that holds an element is an array."""
    text = MadeUpdate(
        {
            1: (
                0,
                [
                    Made(8, 1, b"\x01\x78", parent=b"t", key=b"lang"),
                    Made(7, 1, b"\x01", parent=b"t"),
                    Made(4, 1, b"\x01a", origin=(1, 1)),
                    Made(7, 1, b"\x03\x01p", parent=b"a"),
                    Made(8, 1, b"\x01\x78", origin=(1, 3)),
                ],
            )
        }
    )
    assert roots(text.encode()) == {"a": "array", "t": "text"}


def test_pending_structs_and_inner_types_are_no_roots() -> None:
    """What cannot be integrated is not there."""
    inner = MadeUpdate({1: (0, [Made(7, 1, b"\x01", parent=b"a"), Made(8, 1, b"\x01\x78", parent=(1, 0), key=b"k")])})
    pending = MadeUpdate({2: (0, [Made(4, 1, b"\x01x", origin=(7, 0))]), 3: (2, [Made(4, 1, b"\x01x", parent=b"z")])})
    assert roots(merge([inner.encode(), pending.encode()])) == {"a": "array"}


def test_an_empty_state_has_none() -> None:
    """Two zero bytes."""
    assert roots(b"\0\0") == {}
