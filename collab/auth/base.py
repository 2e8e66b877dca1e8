"""Ports of the access side: who is calling, what they may do, and where keys, tickets and the audit are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from collab.store.base import Page
from collab.types import Access, DocumentId, Principal, Scope


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller presented: one secret, or nothing.

    `stream` is True when it opens a socket or an event stream: only there are tickets taken. `in_url` is True when
    the secret came in the query or as a subprotocol, where proxies log it: long-lived API keys are refused there.
    """

    token: str | None = field(default=None, repr=False)
    stream: bool = False
    in_url: bool = False


class Authenticator(Protocol):
    """Says who is calling."""

    async def who(self, credentials: Credentials) -> Principal:
        """Raises Unauthorized, always in the same words; StorageUnavailable, IdentityUnavailable if it cannot know."""


class Policy(Protocol):
    """Says what they may do. Plain calls without a clock: expiry is the business of whoever holds the principal."""

    def may(self, principal: Principal, document: DocumentId) -> Access:
        """The highest access that any grant gives; NONE if none does."""

    def has(self, principal: Principal, scope: Scope) -> bool:
        """True if the scope was given, or if the principal is an admin."""

    def require(self, principal: Principal, document: DocumentId, needed: Access, exists: bool = True) -> Access:
        """Returns the access if it is enough. Raises NotFound or Forbidden; what is hidden looks absent."""

    def require_scope(self, principal: Principal, scope: Scope) -> None:
        """Raises Forbidden."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A server's key as it is kept: `hash` is the sha256 of the secret, `prefix` its first characters, to tell keys
    apart by eye. `documents` are patterns; empty means all documents."""

    id: str
    name: str
    prefix: str
    hash: bytes = field(repr=False)
    scopes: frozenset[Scope]
    documents: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class KeyStore(Protocol):
    """API keys at rest. Every method raises StorageUnavailable when the database cannot answer."""

    async def create(self, key: ApiKey) -> None:
        """Durable when it returns."""

    async def find(self, hash: bytes) -> ApiKey | None:
        """The key with this sha256, revoked or expired ones too; one indexed read."""

    async def get(self, id: str) -> ApiKey:
        """Raises NotFound."""

    async def list(self, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """Oldest first, revoked ones too."""

    async def revoke(self, id: str, at: datetime) -> ApiKey:
        """Sets revoked_at if it is not set; durable when it returns. Raises NotFound."""

    async def touch(self, id: str, at: datetime) -> None:
        """Sets last_used_at."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission to open one socket: for this document, with this access, as this user.

    `opens_until` and `ends_at` are Unix seconds: when it can no longer be used, and when the session that it opened
    ends. `key_id` is that of the principal who minted it, so that revoking a key ends what it opened.
    """

    document: DocumentId
    access: Access
    user_id: str
    user_name: str | None
    user_color: str | None
    opens_until: float
    ends_at: float
    key_id: str | None = None


class TicketStore(Protocol):
    """Tickets that have not been used yet, by the sha256 of the ticket."""

    async def put(self, digest: bytes, ticket: Ticket, ttl_s: float) -> None:
        """Keeps it for about ttl_s seconds. Raises Overloaded when full."""

    async def take(self, digest: bytes) -> Ticket | None:
        """Returns it and forgets it, atomically: of any number of callers on any node one gets it, the others None."""


REMEMBERED_S = 86_400.0
"""How long a revocation counts: no ticket's session is longer, and a provider's tokens should not be."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """From `at` on, whatever was given before and matches gives `access` at most; NONE ends it.

    What is named must all match: a user, a document, an API key or a token's `jti`; at least one is named.
    """

    id: str
    at: datetime
    user: str | None = None
    document: DocumentId | None = None
    key: str | None = None
    access: Access = Access.NONE


class RevocationStore(Protocol):
    """Revocations, where every node finds them. Every method raises StorageUnavailable."""

    async def add(self, revocation: Revocation) -> None:
        """Durable when it returns."""

    async def since(self, at: datetime) -> list[Revocation]:
        """Those of this moment and later, oldest first."""

    async def now(self) -> float | None:
        """Unix seconds by the clock that all nodes share; None if that is the machine's own."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what to which document, and how it ended.

    `id` is a UUIDv7: the order of ids is the order of events. `action` is "<noun>.<verb>" (document.create,
    key.revoke ...), `outcome` "ok" or an error's code. `detail` holds the rest: key, address, user, snapshot ...
    """

    id: str
    at: datetime
    actor: str
    actor_kind: str
    action: str
    document: DocumentId | None = None
    outcome: str = "ok"
    detail: Mapping[str, str] = field(default_factory=dict)


class AuditStore(Protocol):
    """The audit at rest. Every method raises StorageUnavailable when the database cannot answer."""

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """All or none; durable when it returns. Raises Conflict if an id is there already. At least one event."""

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        document: DocumentId | None = None,
    ) -> Page[AuditEvent]:
        """Newest first, filtered by equality."""
