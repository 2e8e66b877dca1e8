"""Lists of operations on a document's content: all of them, or none.

| op | with | does |
|---|---|---|
| insert | root, index, text | inserts at a position of a text |
| insert | root, find, text, where | inserts "before" or "after" a quoted text; after is the default |
| delete, replace | root, index, length (, text) | deletes or replaces a range of a text |
| delete, replace | root, find (, text) | deletes or replaces a quoted text |
| set, remove | root, pointer (, value) | sets or removes what a JSON pointer names |
| insert | root, pointer, value | inserts into an array before what the pointer names |

Positions and lengths are code points of the text as `format=text` shows it; embedded values do not count. A quoted text
that occurs several times needs `occurrence`, from 1. `pointer` beside a position or quote names a text inside of maps
and arrays. Pointers into XML go by its JSON. `attributes` give inserted text a formatting; else it takes that of the
text before it. A root that is not there yet needs `type`. Each operation sees what the ones before it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pycrdt import Array, Map

from collab.engine import pointer
from collab.engine.document import Document
from collab.engine.nodes import FragmentNode, Run, Value
from collab.engine.prosemirror import from_prosemirror
from collab.engine.quotes import locate, texts_of
from collab.engine.reader import read
from collab.engine.texts import LiveText, layout, splice
from collab.engine.write import change
from collab.errors import CollabError, Unprocessable

NAMES = {
    "op",
    "root",
    "type",
    "index",
    "length",
    "find",
    "occurrence",
    "where",
    "text",
    "attributes",
    "pointer",
    "value",
}

Operation = dict[str, Any]


def patch(parts: Sequence[bytes], client_id: int, operations: Any) -> bytes | None:
    """The update that does all operations; None if they change nothing.

    Raises Unprocessable with the `index` of the operation that cannot be done.
    """
    if not isinstance(operations, list) or not operations:
        raise Unprocessable("operations are a list with at least one in it")
    patching = _Patching(Document(parts, client_id))
    done = 0
    try:
        for operation in operations:
            patching.do(operation)
            done += 1
        patching.settle()
        return patching.document.take_edit()
    except CollabError as error:
        number = min(done, len(operations) - 1)
        raise Unprocessable(f"operation {number}: {error.detail}", index=number) from None


class _Patching:
    def __init__(self, document: Document) -> None:
        self.document = document
        self._staged: tuple[str, str, Value, Value] | None = None  # root, type, what it is, what it shall be

    def do(self, operation: Operation) -> None:
        """One operation. Raises CollabError."""
        if not isinstance(operation, dict) or operation.keys() - NAMES:
            raise Unprocessable(f"an operation is an object with some of {', '.join(sorted(NAMES))}")
        op = operation.get("op")
        if (
            isinstance(op, str)
            and op in _POINTED
            and "pointer" in operation
            and ("value" in operation or op == "remove")
        ):
            self._stage(operation, _POINTED[op])
        elif op in ("insert", "delete", "replace"):
            self.settle()
            self._edit_text(operation)
        else:
            raise Unprocessable(f"{op!r} is no operation, or lacks what it needs")

    def settle(self) -> None:
        """Makes the document what pointer operations have made of its JSON."""
        if self._staged is not None:
            name, kind, old, target = self._staged
            self._staged = None
            change(self.document.root(name, kind), old, target)

    def _stage(self, operation: Operation, act: Callable[[Value, list[str], Any], Value]) -> None:
        """Operations by pointer are done on JSON first, so that a list of them costs one reading and one edit."""
        name, kind = self._named(operation)
        if self._staged is None or self._staged[0] != name:
            self.settle()
            old = read(self.document.root(name, kind))
            self._staged = name, kind, old, pointer.opened(old)
        _, _, old, target = self._staged
        value = operation.get("value")
        if isinstance(old, FragmentNode) and isinstance(value, dict) and "type" in value:
            from_prosemirror(value if value["type"] == "doc" else [value], old)  # told now, while its number is known
        self._staged = name, kind, old, act(target, pointer.tokens(operation["pointer"]), value)

    def _named(self, operation: Operation) -> tuple[str, str]:
        root, kind = operation.get("root"), operation.get("type")
        if not isinstance(root, str | None) or not isinstance(kind, str | None):
            raise Unprocessable("root and type are strings")
        if self._staged is not None and root == self._staged[0]:
            return self._staged[0], self._staged[1]
        return self.document.name_and_kind(root, kind)

    def _edit_text(self, operation: Operation) -> None:
        name, kind = self._named(operation)
        texts = texts_of(_descend(self.document.root(name, kind), pointer.tokens(operation.get("pointer", ""))))
        text, start, end = locate(texts, operation)
        _splice(text, start, end, operation)


def _splice(text: LiveText, start: int, end: int, operation: Operation) -> None:
    new, attributes = operation.get("text"), operation.get("attributes")
    if (operation["op"] == "delete") != (new is None) or not isinstance(new, str | None):
        raise Unprocessable("to insert or replace takes a text, to delete takes none")
    if not isinstance(attributes, dict | None):
        raise Unprocessable("attributes are an object")
    if operation["op"] == "insert":
        start = end
    runs = [Run(new, attributes)] if new else []
    splice(text, layout(text), start, end, iter(runs))


def _descend(live: Any, path: list[str]) -> Any:
    """The shared type that a pointer names."""
    for token in path:
        if isinstance(live, Map) and token in live:
            live = live[token]
        elif isinstance(live, Array):
            live = live[pointer.index(token, len(live))]
        else:
            raise Unprocessable(f"there is nothing at {token!r}")
    return live


_POINTED: dict[str, Callable[[Value, list[str], Any], Value]] = {
    "set": pointer.put,
    "insert": pointer.insert,
    "remove": lambda content, path, _: pointer.remove(content, path),
}
