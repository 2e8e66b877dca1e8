"""What the gate says of an update, asked once: everybody in a simulation looks at the same few hundred."""

from __future__ import annotations

from functools import lru_cache

from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import build
from collab.crdt.merge import merge

known = lru_cache(maxsize=4096)(check)
"""The runtime never sees these: it checks what it is given itself."""


@lru_cache(maxsize=256)
def folded(updates: tuple[bytes, ...]) -> bytes:
    """The state of these updates, in this order."""
    return fold(None, updates)


@lru_cache(maxsize=256)
def refolded(base: bytes | None, updates: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """What the engine's child answers: the state and its index."""
    state = fold(base, updates)
    return state, build(state)


@lru_cache(maxsize=512)
def merged(updates: tuple[bytes, ...]) -> bytes:
    """One update of several."""
    return merge(updates)
