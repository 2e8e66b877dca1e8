"""Entity tags: `"<lineage>.<seq>"` names a document's content exactly; a state vector could not (RFC 9110 8.8.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Header

from collab.errors import PreconditionFailed

IfNoneMatch = Annotated[
    str | None,
    Header(description="The ETag you have: 304 if nothing changed.", examples=['"9f86d081884c7d65.42"']),
]
IfMatch = Annotated[
    str | None,
    Header(description="The ETag you began with: 412 if the document has changed since.", examples=["*"]),
]


def version(lineage: str, seq: int) -> str:
    """The name of a document's content at a seq."""
    return f"{lineage}.{seq}"


def quoted(name: str) -> str:
    """As the ETag header carries it."""
    return f'"{name}"'


def none_match(header: str | None, name: str) -> bool:
    """True if the caller has this version already (If-None-Match, weak comparison): answer 304."""
    if header is None:
        return False
    if header == f'"{name}"':  # nearly every poll
        return True
    return any(tag in ("*", name) for tag, _ in _tags(header))


def check_match(header: str | None, name: str) -> None:
    """Raises PreconditionFailed unless If-Match is absent, `*`, or names this version (strong comparison)."""
    if header is not None and not any(tag == "*" or (tag == name and not weak) for tag, weak in _tags(header)):
        raise PreconditionFailed(f"the document is at version {name}")


def _tags(header: str) -> Iterator[tuple[str, bool]]:
    """(tag, weak) of each. A tag that has lost its quotes on the way still counts; ours hold no comma."""
    for part in header.split(","):
        tag = part.strip()
        weak = tag.startswith("W/")
        yield tag.removeprefix("W/").strip('"'), weak
