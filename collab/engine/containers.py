"""Edits of maps and arrays: what is equal stays, what is shared is edited in place.

A target is JSON as a caller wrote it, or nodes as another document held them. JSON does not say what is a shared type
and what a plain value, so it is read loosely: an object may become of a shared map what the map is now, and a new
object becomes a shared map where its neighbours are. Nodes are met exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pycrdt import Array, Map, XmlText

from collab.engine.alignment import likeness, steps
from collab.engine.blanks import Blank, blank
from collab.engine.json_view import as_json
from collab.engine.nodes import (
    NODES,
    SUBDOCUMENT,
    ArrayNode,
    ElementNode,
    FragmentNode,
    MapNode,
    Run,
    SubdocumentNode,
    TextNode,
    Value,
    canonical,
    exact,
    to_engine,
)
from collab.engine.prosemirror import from_prosemirror
from collab.engine.texts import edit_text
from collab.engine.xml import edit_node, fill_xml
from collab.errors import Unprocessable

SAME_KIND = 0.1  # how much this counts beside what two items have in common

PLAIN_TYPES: dict[type, type] = {MapNode: dict, ArrayNode: list, TextNode: str}
"""What a shared type looks like in JSON."""

Likes = dict[type, Value]
"""For each JSON type the shared type that new values of it shall become."""


def edit(live: Any, old: Value, target: Value, model: Value = None, as_shown: bool = False) -> None:
    """Makes a live shared type, which is `old`, what the target says. Raises Unprocessable if it cannot be.

    `model` is a node whose shared types are copied by what is new. `as_shown` says that the target comes from a format,
    in which not all can be seen (`edit_children`); JSON always does.
    """
    loose = not isinstance(target, NODES)
    wanted = _as_node(old, target)
    if isinstance(wanted, MapNode):
        _edit_map(live, old.entries, wanted.entries, loose, model)
    elif isinstance(wanted, ArrayNode):
        _edit_array(live, old.items, wanted.items, loose, model)
    elif isinstance(wanted, TextNode):
        _fill(edit_text(live, wanted))
    elif isinstance(wanted, FragmentNode | ElementNode):
        _fill(edit_node(live, old, wanted, as_shown or loose))
    else:
        raise Unprocessable(f"a value of type {type(target).__name__} cannot become of what is there")


def _fill(blanks: list[Blank]) -> None:
    for live, node in blanks:
        if isinstance(node, ElementNode) or isinstance(live, XmlText):
            _fill(fill_xml(live, node))
        else:
            edit(live, empty(node), node)


def empty(node: Value) -> Value:
    """A node of the same kind with nothing in it."""
    if isinstance(node, MapNode):
        return MapNode({})
    if isinstance(node, ArrayNode):
        return ArrayNode([])
    return TextNode([]) if isinstance(node, TextNode) else FragmentNode([])


def _as_node(old: Value, target: Value) -> Value:
    """The target as a node of the kind that is there, or None if that cannot become of it."""
    if isinstance(target, NODES):
        return target if type(target) is type(old) and not _is_fixed(old, target) else None
    if isinstance(old, MapNode) and isinstance(target, dict):
        return MapNode(target)
    if isinstance(old, ArrayNode) and isinstance(target, list):
        return ArrayNode(target)
    if isinstance(old, TextNode) and isinstance(target, str):
        return TextNode([Run(target, None)])
    if isinstance(old, FragmentNode) and isinstance(target, dict):
        return from_prosemirror(target, old)
    return None


def _is_fixed(old: Value, target: Value) -> bool:
    """Whether what differs between two nodes of one kind cannot be edited."""
    return isinstance(old, SubdocumentNode) or (isinstance(old, ElementNode) and old.tag != target.tag)


def _key(value: Value, loose: bool) -> bytes:
    return canonical(as_json(value) if loose else exact(value))


def _edit_map(live: Map[Any], old: dict[str, Value], new: dict[str, Value], loose: bool, model: Value) -> None:
    for key in old.keys() - new.keys():
        del live[key]
    likes = _likes(old.values(), (dict, list)) if loose else {}
    for key, value in new.items():
        if key in old and _key(old[key], loose) == _key(value, loose):
            continue
        if key in old and _can_become(old[key], value, loose):
            edit(live[key], old[key], value)
            continue
        like = model.entries.get(key) if isinstance(model, MapNode) else likes.get(type(value))
        made, node = _made(value, like, loose)
        live[key] = made
        if node is not None:
            edit(made, empty(node), value, like)


def _edit_array(live: Array[Any], old: list[Value], new: list[Value], loose: bool, model: Value) -> None:
    likes = _likes(model.items if isinstance(model, ArrayNode) else old, (dict, list, str)) if loose else {}
    keys, new_keys = [_key(item, loose) for item in old], [_key(item, loose) for item in new]
    todo = steps(keys, new_keys, lambda i, j: _score(old[i], new[j], loose))
    for start, end, new_start, new_end, paired in reversed(todo):
        if paired:
            edit(live[start], old[start], new[new_start])
            continue
        if end > start:
            del live[start:end]
        for at, value in enumerate(new[new_start:new_end], start):
            like = likes.get(type(value))
            made, node = _made(value, like, loose)
            live.insert(at, made)
            if node is not None:
                edit(made, empty(node), value, like)


def _made(value: Value, like: Value, loose: bool) -> tuple[Any, Value]:
    """What to put into a map or array for a value, and the node to fill it as, or None if it is complete."""
    if isinstance(value, NODES):
        return blank(value), None if isinstance(value, SubdocumentNode) else value
    if loose and isinstance(value, dict) and isinstance(value.get(SUBDOCUMENT), str) and len(value) == 1:
        return blank(SubdocumentNode(value[SUBDOCUMENT])), None
    if loose and PLAIN_TYPES.get(type(like)) is type(value):
        return blank(like), like
    return to_engine(as_json(value)), None


def _likes(neighbours: Iterable[Value], types: tuple[type, ...]) -> Likes:
    """The kinds of shared types, for those JSON types of which no neighbour is plain."""
    found: Likes = {}
    plain: set[type] = set()
    for value in neighbours:
        if isinstance(value, NODES):
            found.setdefault(PLAIN_TYPES.get(type(value), object), value)
        else:
            plain.add(type(value))
    return {kind: value for kind, value in found.items() if kind in types and kind not in plain}


def _can_become(old: Value, target: Value, loose: bool) -> bool:
    return loose is not isinstance(target, NODES) and _as_node(old, target) is not None


def _score(old: Value, target: Value, loose: bool) -> float:
    """How well an item can be edited into another; 0 if it cannot."""
    if not _can_become(old, target, loose):
        return 0.0
    entries = target.entries if isinstance(target, MapNode) else target
    if isinstance(old, MapNode) and isinstance(entries, dict):
        names = old.entries.keys() & entries.keys()
        same = sum(_key(old.entries[name], loose) == _key(entries[name], loose) for name in names)
        return SAME_KIND + same / max(len(old.entries), len(entries), 1)
    return SAME_KIND + likeness(str(as_json(old)), str(as_json(target)))
