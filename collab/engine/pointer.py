"""JSON pointers (RFC 6901) into content, and the changes that they can make.

Content is JSON in which unchanged parts may still be nodes; on the way to what is changed nodes are opened, so that it
becomes the JSON that `format=json` shows.
"""

from __future__ import annotations

import re
from typing import Any

from collab.engine.json_view import as_json
from collab.engine.nodes import ArrayNode, FragmentNode, MapNode, Value
from collab.errors import Unprocessable

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
END = "-"


def tokens(pointer: object) -> list[str]:
    """The names and numbers that a pointer is made of. Raises Unprocessable."""
    if not isinstance(pointer, str) or (pointer and pointer[0] != "/") or re.search("~(?![01])", pointer):
        raise Unprocessable(f"{pointer!r} is no JSON pointer")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def opened(value: Value) -> Value:
    """A node as the object or list that it is in JSON, one level deep; always a copy."""
    if isinstance(value, MapNode):
        return dict(value.entries)
    if isinstance(value, ArrayNode):
        return list(value.items)
    if isinstance(value, FragmentNode):
        return as_json(value)
    return value.copy() if isinstance(value, dict | list) else value


def put(content: Value, path: list[str], value: Any) -> Value:
    """Content with a value set: a new name, an item in the place of another, or one behind the last."""
    if not path:
        return value
    holder, last = _reach(content, path)
    if isinstance(holder, dict):
        holder[last] = value
    else:
        at = len(holder) if last == END else index(last, len(holder) + 1)
        holder[at : at + 1] = [value]
    return content


def insert(content: Value, path: list[str], value: Any) -> Value:
    """Content with an item put into an array, before the one that is there."""
    holder, last = _reach(content, path)
    if not isinstance(holder, list):
        raise Unprocessable("only into an array can a value be inserted; use set")
    holder.insert(len(holder) if last == END else index(last, len(holder) + 1), value)
    return content


def remove(content: Value, path: list[str]) -> Value:
    """Content without what the pointer names."""
    holder, last = _reach(content, path)
    if isinstance(holder, dict):
        if last not in holder:
            raise Unprocessable(f"there is nothing at {last!r}")
        del holder[last]
    else:
        del holder[index(last, len(holder))]
    return content


def index(token: str, length: int) -> int:
    """An array index below `length`. Raises Unprocessable."""
    at = int(token) if _INDEX.fullmatch(token) else length
    if at >= length:
        raise Unprocessable(f"there is no index {token!r}")
    return at


def _reach(content: Value, path: list[str]) -> tuple[Any, str]:
    """The object or list that holds what the pointer names, opened in `content`; and the last token."""
    if not path:
        raise Unprocessable("the pointer names the whole root")
    holder = content
    for token, after in zip(path, [*path[1:], None], strict=True):
        if not isinstance(holder, dict | list):
            raise Unprocessable(f"there is nothing to point into before {token!r}")
        if after is None:
            break
        at: Any = token if isinstance(holder, dict) else index(token, len(holder))
        if isinstance(holder, dict) and token not in holder:
            raise Unprocessable(f"there is nothing at {token!r}")
        holder[at] = opened(holder[at])
        holder = holder[at]
    return holder, path[-1]
