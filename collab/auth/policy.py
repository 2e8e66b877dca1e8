"""The one policy: a principal's grants and scopes, and what is told to those who have none.

Keys, tokens and tickets differ only in how their principal comes to its grants; nobody else decides about access.
"""

from __future__ import annotations

from collab.auth.patterns import matches
from collab.errors import Forbidden, NotFound
from collab.types import Access, DocumentId, Grant, Principal, Scope


class GrantPolicy:
    """Satisfies the Policy port: the highest grant counts, admins may do everything, the rest nothing."""

    def may(self, principal: Principal, document: DocumentId) -> Access:
        """The highest access that any grant gives."""
        if Scope.ADMIN in principal.scopes:
            return Access.WRITE
        best = Access.NONE
        for grant in principal.grants:
            if grant.access > best and _covers(grant, document):
                best = grant.access
        return best

    def has(self, principal: Principal, scope: Scope) -> bool:
        """True if the scope was given, or if the principal is an admin."""
        return scope in principal.scopes or Scope.ADMIN in principal.scopes

    def require(self, principal: Principal, document: DocumentId, needed: Access, exists: bool = True) -> Access:
        """Returns the access if it is at least `needed`.

        Without any access the answer is NotFound whether the document exists or not, and it is given before anybody
        has looked: callers check access first and ask the store afterwards, so that status, body and time tell
        nothing about documents of others. Who may read but not write is told so: Forbidden.
        """
        access = self.may(principal, document)
        if access is Access.NONE or not exists:
            raise NotFound
        if access < needed:
            raise Forbidden(f"this needs {needed.name.lower()} access, these credentials give {access.name.lower()}")
        return access

    def require_scope(self, principal: Principal, scope: Scope) -> None:
        """Raises Forbidden."""
        if not self.has(principal, scope):
            raise Forbidden(f"this needs the scope {scope.value}")


def _covers(grant: Grant, document: DocumentId) -> bool:
    return grant.documents == document if grant.exact else matches(grant.documents, document)
