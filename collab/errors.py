"""One error tree: each class carries its code, HTTP status, close code and whether a retry may help.

Close codes: 4400-4499 are final for clients that honour the range (y-websocket >= 3.1); 1012, 1013 and
4500-4599 mean "come back later". The class docstring is the default message.
"""

from __future__ import annotations

from typing import ClassVar


class CollabError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    may_retry: ClassVar[bool] = True

    def __init__(self, detail: str | None = None, **extra: object) -> None:
        self.detail = detail or (type(self).__doc__ or "").split("\n")[0]
        self.extra = extra
        super().__init__(self.detail)


class BadFrame(CollabError):
    """The frame is not a message of this protocol."""

    code, http_status, close_code, may_retry = "bad_frame", 400, 4400, False


class BadRequest(CollabError):
    """The request cannot be understood."""

    code, http_status, close_code, may_retry = "bad_request", 400, 4400, False


class Unauthorized(CollabError):
    """The credentials are missing, wrong or expired."""

    code, http_status, close_code, may_retry = "unauthorized", 401, 4401, False


class Forbidden(CollabError):
    """These credentials do not allow this."""

    code, http_status, close_code, may_retry = "forbidden", 403, 4403, False


class NotFound(CollabError):
    """There is no such thing here."""

    code, http_status, close_code, may_retry = "not_found", 404, 4404, False


class Conflict(CollabError):
    """It exists already."""

    code, http_status, close_code, may_retry = "conflict", 409, 4409, False


class AuthorIdInUse(CollabError):
    """This CRDT client id is live on another connection (a cloned tab?); start with a fresh id."""

    code, http_status, close_code, may_retry = "author_id_in_use", 409, 4409, False


class Gone(CollabError):
    """The document was deleted."""

    code, http_status, close_code, may_retry = "gone", 410, 4410, False


class HistorySquashed(CollabError):
    """Updates this old are no longer kept one by one; ask for squashed ones, or begin after `exact_after`."""

    code, http_status, close_code, may_retry = "history_squashed", 410, 4410, False


class LineageRetired(CollabError):
    """This copy belongs to a document that was purged; throw it away and load the document afresh."""

    code, http_status, close_code, may_retry = "lineage_retired", 410, 4411, False


class PreconditionFailed(CollabError):
    """The document has changed since the version named in If-Match."""

    code, http_status, close_code, may_retry = "precondition_failed", 412, 4412, False


class TooLarge(CollabError):
    """It exceeds a size limit."""

    code, http_status, close_code, may_retry = "too_large", 413, 4413, False


class DocumentFull(CollabError):
    """The document takes no more: its history, checkpoints and snapshots fill what one document may have on disk."""

    code, http_status, close_code, may_retry = "document_full", 507, 4413, False


class UnsupportedMediaType(CollabError):
    """The body has a content type that this call does not take."""

    code, http_status, close_code, may_retry = "unsupported_media_type", 415, 4415, False


class BadUpdate(CollabError):
    """The bytes are not a Yjs V1 update that this service takes.

    `offset` is the byte at which the decoder stopped, or None.
    """

    code, http_status, close_code, may_retry = "bad_update", 422, 4422, False

    def __init__(self, detail: str | None = None, offset: int | None = None) -> None:
        super().__init__(detail if offset is None else f"{detail} (at byte {offset})", offset=offset)
        self.offset = offset


class Unprocessable(CollabError):
    """The request is well formed, but its values do not fit."""

    code, http_status, close_code, may_retry = "unprocessable", 422, 4422, False


class RateLimited(CollabError):
    """Too much, too fast."""

    code, http_status, close_code, may_retry = "rate_limited", 429, 4529, True


class EngineUnavailable(CollabError):
    """The content engine could not do this in its limits."""

    code, http_status, close_code, may_retry = "engine_unavailable", 503, 4503, True


class IdentityUnavailable(CollabError):
    """The keys of the identity provider cannot be fetched now; the token was not judged."""

    code, http_status, close_code, may_retry = "identity_unavailable", 503, 4533, True


class StorageUnavailable(CollabError):
    """The database does not take writes or reads now; nothing was lost."""

    code, http_status, close_code, may_retry = "storage_unavailable", 503, 4513, True


class Quarantined(CollabError):
    """Stored bytes of this document failed their check; it is read-only until `collab doctor` has seen it."""

    code, http_status, close_code, may_retry = "quarantined", 503, 4523, True


class Draining(CollabError):
    """This node is going down; another one, or a new one, takes over."""

    code, http_status, close_code, may_retry = "draining", 503, 1012, True


class NodeSilent(CollabError):
    """Another node did not answer in time."""

    code, http_status, close_code, may_retry = "node_silent", 504, 4543, True


class SlowReader(CollabError):
    """The connection does not read what it is sent."""

    code, http_status, close_code, may_retry = "slow_reader", 503, 1013, True


class Overloaded(CollabError):
    """The service has reached one of its ceilings."""

    code, http_status, close_code, may_retry = "overloaded", 503, 1013, True


class UnsafeSettings(ValueError):
    """The service refuses to start like this; a ValueError, so that settings report it with the field's name."""


def all_errors() -> list[type[CollabError]]:
    """Every concrete error class, in the order of this file: the table that docs print and tests check."""
    return [CollabError, *(kind for kind in CollabError.__subclasses__() if kind.__module__ == __name__)]
