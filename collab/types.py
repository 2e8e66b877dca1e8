"""Words shared by every floor: access, principals, authors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

DocumentId = str
"""Up to 200 printable characters, unique; never a path on disk."""


class Access(IntEnum):
    """What a caller may do with one document; each level includes the ones below."""

    NONE = 0
    READ = 1
    COMMENT = 2  # may show presence and write comments kept by the application; content stays read-only here
    WRITE = 3


class Scope(StrEnum):
    """What a caller may do besides touching documents, and in what words an API key is cut."""

    DOCUMENTS_READ = "documents:read"  # becomes grants for READ
    DOCUMENTS_WRITE = "documents:write"  # becomes grants for WRITE
    TICKETS_CREATE = "tickets:create"  # may mint tickets in any user's name, within its own grants
    ADMIN = "admin"  # everything, on every document


@dataclass(frozen=True, slots=True)
class Grant:
    """Access to the documents that `documents` names.

    A pattern (auth/patterns.py) in which `*` stands for any run of characters; if `exact`, one document's id, in
    which `*` is a character like the others.
    """

    documents: str
    access: Access
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as proven by a key, a token or a ticket. Without grants and scopes it may do nothing.

    `kind` is "open" (no authentication is configured), "key", "jwt" or "ticket".
    `key_id` names the API key or the token's `jti`, so that revocation can find the sockets it opened.
    `expires_at` is Unix seconds, or None if it never ends. `grants` and `scopes` say what it may do (auth/policy.py).
    `issued_at` is when the ticket or token was made, Unix seconds, or None if nobody can know: a revocation ends what
    was issued before it.
    """

    id: str
    kind: str = "open"
    name: str | None = None
    color: str | None = None
    key_id: str | None = None
    expires_at: float | None = None
    grants: tuple[Grant, ...] = ()
    scopes: frozenset[Scope] = frozenset()
    issued_at: float | None = None


ANONYMOUS = Principal(id="anonymous", grants=(Grant("*", Access.WRITE),), scopes=frozenset(Scope))
"""Everybody, while no authentication is configured: may do everything. Made by the open mode and nowhere else."""


class Entry(NamedTuple):
    """One accepted update as its author sent it: the raw V1 bytes and who sent them.

    A tuple, since one is made for every keystroke: a frozen dataclass takes five times as long.
    """

    author: str
    session: str
    update: bytes
