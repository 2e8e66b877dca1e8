"""Words shared by every floor: access, principals, authors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

DocumentId = str
"""Up to 200 printable characters, unique; never a path on disk."""


class Access(IntEnum):
    """What a caller may do with one document; each level includes the ones below."""

    NONE = 0
    READ = 1
    COMMENT = 2  # may show presence and write comments kept by the application; content stays read-only here
    WRITE = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as proven by a key, a token or a ticket.

    `kind` is "open" (no authentication is configured), "key", "jwt" or "ticket".
    `key_id` names the API key or the token's `jti`, so that revocation can find the sockets it opened.
    `expires_at` is Unix seconds, or None if it never ends.
    """

    id: str
    kind: str = "open"
    name: str | None = None
    color: str | None = None
    key_id: str | None = None
    expires_at: float | None = None


ANONYMOUS = Principal(id="anonymous")
