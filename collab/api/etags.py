"""Entity tags: `"<lineage>.<seq>"` names a document's content exactly; a state vector could not (RFC 9110 8.8.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def condition(header: str | None) -> Callable[[str, int], None] | None:
    """What If-Match demands of (lineage, seq): raises PreconditionFailed unless it names them (strong comparison).

    None if it is absent, or `*`, which whatever exists fulfils.
    """
    if header is None or any(tag == "*" for tag, _ in _tags(header)):
        return None
    named = {tag for tag, weak in _tags(header) if not weak}

    def check(lineage: str, seq: int) -> None:
        if version(lineage, seq) not in named:
            raise PreconditionFailed(f"the document is at version {version(lineage, seq)}")

    return check


def _tags(header: str) -> Iterator[tuple[str, bool]]:
    """(tag, weak) of each. A tag that has lost its quotes on the way still counts; ours hold no comma."""
    for part in header.split(","):
        tag = part.strip()
        weak = tag.startswith("W/")
        yield tag.removeprefix("W/").strip('"'), weak
