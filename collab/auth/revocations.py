"""What was given once and counts less now: looked up in memory, by user, key or document.

Tickets and tokens are judged by when they were issued. An API key is a standing permission: it is ended by revoking
the key itself; what it has opened ends with whatever else matches, and may be opened again.
"""

from __future__ import annotations

from collections.abc import Iterator

from collab.auth.base import REMEMBERED_S, Revocation
from collab.auth.policy import GrantPolicy
from collab.types import Access, DocumentId, Principal

JUDGED_BY_AGE = ("ticket", "jwt")


class Revocations:
    """Those of the last day. Each is filed under one name that it gives, so looking one up costs three dictionary
    reads however many there are."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Revocation]] = {}
        self._known: dict[str, Revocation] = {}

    def add(self, revocation: Revocation) -> bool:
        """False if it is known already."""
        if revocation.id in self._known:
            return False
        self._known[revocation.id] = revocation
        self._by_name.setdefault(_file(revocation), []).append(revocation)
        return True

    def forget(self, now: float) -> None:
        """Drops those that are too old to matter; `now` is Unix seconds."""
        for old in [r for r in self._known.values() if r.at.timestamp() + REMEMBERED_S < now]:
            del self._known[old.id]
            filed = self._by_name[_file(old)]
            filed.remove(old)
            if not filed:
                del self._by_name[_file(old)]

    def cap(self, principal: Principal, document: DocumentId | None) -> Access:
        """The most that is left to it; without a document, only what holds for all of them is looked at."""
        if not self._known:
            return Access.WRITE
        if principal.kind not in JUDGED_BY_AGE:
            return Access.NONE if self._ended(principal) else Access.WRITE
        return min((r.access for r in self._about(principal, document)), default=Access.WRITE)

    def _ended(self, principal: Principal) -> bool:
        """Whether it is an API key that was revoked for good. A node may still have it in its cache."""
        found = self._by_name.get(f"k{principal.key_id}", ()) if principal.kind == "key" else ()
        return any(r.document is None and r.access is Access.NONE for r in found)

    def _about(self, principal: Principal, document: DocumentId | None) -> Iterator[Revocation]:
        for name in (f"u{principal.id}", f"k{principal.key_id}", f"d{document}"):
            for revocation in self._by_name.get(name, ()):
                if covers(revocation, principal, document):
                    yield revocation


class RevocablePolicy(GrantPolicy):
    """The one policy, with what was taken back taken off."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    def may(self, principal: Principal, document: DocumentId) -> Access:
        """The highest access that any grant gives and no revocation has taken back."""
        return min(super().may(principal, document), self._revocations.cap(principal, document))


def covers(revocation: Revocation, principal: Principal, document: DocumentId | None) -> bool:
    """Whether it is about this principal on this document, and newer than what the principal holds."""
    return (
        revocation.user in (None, principal.id)
        and revocation.key in (None, principal.key_id)
        and revocation.document in (None, document)
        and (principal.issued_at is None or principal.issued_at <= revocation.at.timestamp())
    )


def _file(revocation: Revocation) -> str:
    if revocation.user is not None:
        return f"u{revocation.user}"
    return f"k{revocation.key}" if revocation.key is not None else f"d{revocation.document}"
