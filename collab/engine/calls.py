"""What a worker can do, by name: arguments and blobs in, a JSON value and blobs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collab.crdt.fold import fold, verify
from collab.crdt.index import build

Answer = tuple[Any, list[bytes]]
Call = Callable[[dict[str, Any], list[bytes]], Answer]


def _echo(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    return args, blobs


def _fold(args: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Folds the first blob, if `base`, and the updates after it; answers state and index."""
    base = blobs.pop(0) if args["base"] else None
    state = fold(base, blobs)
    verify(state, base, blobs)
    return None, [state, build(state)]


CALLS: dict[str, Call] = {
    "echo": _echo,
    "fold": _fold,
}
