"""Entity tags: `"<lineage>.<seq>"` names a document's content exactly; a state vector could not (RFC 9110 8.8.3)."""

from __future__ import annotations

import re

from collab.errors import BadRequest, PreconditionFailed

_TAG = re.compile(r'\s*(?:(\*)|(W/)?"([\x21\x23-\x7e\x80-\xff]*)")\s*(?:,|$)')


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
    return any(star or tag == name for star, _, tag in _parse(header))


def check_match(header: str | None, name: str) -> None:
    """Raises PreconditionFailed unless If-Match is absent, `*`, or names this version (strong comparison)."""
    if header is not None and not any(star or (tag == name and not weak) for star, weak, tag in _parse(header)):
        raise PreconditionFailed(f"the document is at version {name}")


def _parse(header: str) -> list[tuple[str, str, str]]:
    """Raises BadRequest for anything that is not `*` or a list of entity tags."""
    found, offset = [], 0
    while offset < len(header):
        match = _TAG.match(header, offset)
        if match is None:
            raise BadRequest("If-Match and If-None-Match take quoted entity tags, as the ETag header gave them")
        found.append((match[1] or "", match[2] or "", match[3] or ""))
        offset = match.end()
    return found
