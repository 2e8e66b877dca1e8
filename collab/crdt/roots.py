"""Names and kinds of a state's root types, as far as its bytes tell.

A root type is whatever a client first asked for by that name; the bytes hold the name and the items, not the kind. So
the kind is inferred from what lies in it: only texts hold strings and formats in line, and only fragments hold nothing
but elements and their texts.
"""

from __future__ import annotations

from collab.crdt.block import Block, read_blocks
from collab.crdt.content import ANY, BINARY, DOC, EMBED, FORMAT, JSON, STRING, TYPE, XML_ELEMENT, XML_TEXT
from collab.crdt.decode import decode
from collab.crdt.homes import Home, Homes

_BY_CONTENT = dict.fromkeys((STRING, FORMAT, EMBED), "text") | dict.fromkeys((ANY, JSON, BINARY, DOC), "array")
_RANK = ("unknown", "map", "xml", "array", "text")
"""Of several signs the last in this row counts: a text may have attributes and hold types, an array elements."""


def roots(state: bytes) -> dict[str, str]:
    """Root names, ascending, to "text", "map", "array", "xml", or "unknown" if all in it was collected."""
    decoded = decode(state)
    homes = Homes({section.client: read_blocks(state, section) for section in decoded.sections})
    found: dict[str, str] = {}
    for client, row in homes.rows.items():
        for block in row[: homes.settled[client]]:
            home = homes.of(block)
            if home.root is not None:
                name, kind = home.root.decode(), _kind(home, block)
                found[name] = max(kind, found.get(name, "unknown"), key=_RANK.index)
    return dict(sorted(found.items()))


def _kind(home: Home, block: Block) -> str:
    """What one item says of the type that it lies in."""
    if home.key is not None:
        return "map"
    if block.kind == TYPE:
        return "xml" if block.parts[0][0] in (XML_ELEMENT, XML_TEXT) else "array"
    return _BY_CONTENT.get(block.kind, "unknown")
