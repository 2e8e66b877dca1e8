"""Where in a text: by position, or by a quote of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pycrdt import Text, XmlElement, XmlFragment, XmlText

from collab.engine.texts import LiveText, layout
from collab.errors import Unprocessable


def texts_of(live: Any) -> list[LiveText]:
    """The text itself, or all texts of XML in the order in which they are read. Raises Unprocessable."""
    if not isinstance(live, Text | XmlText | XmlElement | XmlFragment):
        raise Unprocessable("there is no text here; name it by pointer, or set a value")
    return list(_walk(live))


def locate(texts: list[LiveText], where: dict[str, Any]) -> tuple[LiveText, int, int]:
    """The text, and start and end in it, that `index` and `length`, or `find` and `occurrence`, tell.

    An insertion's place is the end; with `where` "before" it is the start of the quote. Raises Unprocessable.
    """
    if ("find" in where) == ("index" in where):
        raise Unprocessable("say where: by index or by find")
    if "index" in where:
        return _position(texts, where)
    text, start, end = _quote(texts, where)
    side = where.get("where", "after")
    if side not in ("before", "after"):
        raise Unprocessable('where is "before" or "after"')
    return (text, start, start) if side == "before" and where["op"] == "insert" else (text, start, end)


def _walk(live: Any) -> Iterator[LiveText]:
    todo = [live]
    while todo:
        node = todo.pop()
        if isinstance(node, Text | XmlText):
            yield node
        else:
            todo += reversed(list(node.children))


def _position(texts: list[LiveText], where: dict[str, Any]) -> tuple[LiveText, int, int]:
    if len(texts) != 1 or not isinstance(texts[0], Text):
        raise Unprocessable("positions are for texts; in XML, quote what you mean with find")
    if where["op"] == "insert" and where.get("length"):
        raise Unprocessable("to insert takes no length; use replace")
    start, length = where["index"], where.get("length", 0 if where["op"] == "insert" else None)
    if type(start) is not int or type(length) is not int or start < 0 or length < 0:
        raise Unprocessable("index and length are whole numbers from 0")
    size = len(layout(texts[0]).plain())
    if start + length > size:
        raise Unprocessable(f"the text has {size} characters")
    return texts[0], start, start + length


def _quote(texts: list[LiveText], where: dict[str, Any]) -> tuple[LiveText, int, int]:
    quote, wanted = where["find"], where.get("occurrence")
    if not isinstance(quote, str) or not quote or (wanted is not None and (type(wanted) is not int or wanted < 1)):
        raise Unprocessable("find is a text that is not empty, occurrence a number from 1")
    found = [(text, at, at + len(quote)) for text in texts for at in _occurrences(layout(text).plain(), quote)]
    if not found or (wanted or 1) > len(found):
        raise Unprocessable(f"{quote!r} occurs {len(found)} times")
    if wanted is None and len(found) > 1:
        raise Unprocessable(f"{quote!r} occurs {len(found)} times: say which occurrence")
    return found[(wanted or 1) - 1]


def _occurrences(text: str, quote: str) -> Iterator[int]:
    at = text.find(quote)
    while at >= 0:
        yield at
        at = text.find(quote, at + len(quote))
