"""A document made live for one call: loaded from bytes, looked at or edited, and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText
from pycrdt._base import BaseType

from collab.crdt.decode import decode
from collab.crdt.fold import squash
from collab.crdt.gate import check
from collab.crdt.merge import merge
from collab.engine.nodes import ArrayNode, FragmentNode, MapNode, TextNode, Value
from collab.engine.reader import read
from collab.engine.surrogates import mend
from collab.errors import BadUpdate, NotFound, Unprocessable

TYPES: dict[str, Any] = {"text": Text, "map": Map, "array": Array, "xml": XmlFragment}
UNKNOWN = "unknown"
NOTHING = (UNKNOWN, *TYPES)
"""What a root can be that holds nothing."""

SQUASH_BYTES = 32 * 1024  # a late part larger than this is squashed first

EMPTY: dict[str, Value] = {"text": TextNode([]), "map": MapNode({}), "array": ArrayNode([]), "xml": FragmentNode([])}


class Document:
    """The parts as one pycrdt document that writes as `client_id`.

    Each edit is a transaction of its own: pycrdt takes memory quadratic in the items that one transaction appends.
    Raises BadUpdate.
    """

    def __init__(self, parts: Sequence[bytes], client_id: int | None = None) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        for number, part in enumerate(mend(parts)):
            self.doc.apply_update(squash(decode(part)) if number and len(part) > SQUASH_BYTES else part)
        self._edits = edits = list[bytes]()
        # It must not refer to this object: a watched pycrdt document holds its watcher, and both would stay for ever.
        self._watching = self.doc.observe(lambda event: edits.append(bytes(event.update)))
        self._may_be: dict[str, tuple[str, ...]] = {}
        self._looked_at = -1  # after so many edits

    def __del__(self) -> None:
        if hasattr(self, "_watching"):
            self.doc.unobserve(self._watching)

    def kinds(self) -> dict[str, str]:
        """Names of roots, ascending, to "text", "map", "array", "xml" or "unknown" if nothing is left in it.

        A root's bytes do not name its kind: only texts hold strings and embedded values. What holds
        nothing but elements is taken to be XML, and may be read as an array or text as well.
        """
        if self._looked_at != len(self._edits):
            self._looked_at = len(self._edits)
            self._may_be = {name: self._look(name) for name in sorted(self.doc.keys())}
        return {name: kinds[0] for name, kinds in self._may_be.items()}

    def possible(self, name: str) -> tuple[str, ...]:
        """What a root can be by what lies in it, the likeliest first."""
        return self._may_be[name] if name in self.kinds() else NOTHING

    def root(self, name: str, kind: str) -> Any:
        """The shared type of that name. Raises Unprocessable if it is of another kind: reading it could hang."""
        if kind not in TYPES:
            raise Unprocessable(f"{kind!r} is no type; there are {', '.join(TYPES)}")
        if kind not in self.possible(name):
            raise Unprocessable(f"the root {name!r} is of type {self.possible(name)[0]}, not {kind}")
        return self.doc.get(name, type=TYPES[kind])

    def name_and_kind(self, root: str | None, kind: str | None) -> tuple[str, str]:
        """Which root is meant: the only one if none is named, of the kind that it has if none is given.

        Raises NotFound, or Unprocessable if the bytes cannot tell.
        """
        kinds = self.kinds()
        if root is None:
            if len(kinds) != 1:
                names = ", ".join(map(repr, kinds))
                raise Unprocessable(f"name one of the roots: {names}" if kinds else "name a root: there is none yet")
            root = next(iter(kinds))
        if kind is None:
            if root not in kinds:
                raise NotFound(f"there is no root {root!r}")
            kind = kinds[root]
            if kind == UNKNOWN:
                raise Unprocessable(f"nothing is left in the root {root!r} that tells its type: give one")
        return root, kind

    def content(self) -> dict[str, Value]:
        """All roots that hold something."""
        return {name: read(self.root(name, kind)) for name, kind in self.kinds().items() if kind != UNKNOWN}

    def forget_edits(self) -> None:
        """Does as if what was applied until now had always been there."""
        self._edits.clear()
        self._looked_at = -1

    def take_edit(self) -> bytes | None:
        """All edits since the last time, as one update with nothing else in it; None if there were none.

        Raises Unprocessable if the gate would refuse it.
        """
        edits = self._edits.copy()
        self.forget_edits()
        if not edits:
            return None
        update = edits[0] if len(edits) == 1 else squash(decode(merge(edits)))
        try:
            check(update)
        except BadUpdate as error:
            raise Unprocessable(f"the edit goes beyond a limit: {error.detail}") from None
        return update

    def _look(self, name: str) -> tuple[str, ...]:
        text = self.doc.get(name, type=Text)
        items = [item for item, _ in text.diff()]
        if not all(isinstance(item, BaseType) for item in items):
            return ("text",)
        if len(text) > len(items):
            return ("array",)
        if items:
            only_xml = all(isinstance(item, XmlElement | XmlText) for item in items)
            return ("xml", "array", "text") if only_xml else ("array", "text")
        return ("map",) if len(self.doc.get(name, type=Map)) else NOTHING
