"""What can go wrong, as few classes as a caller can tell apart."""

from __future__ import annotations

FINAL_CODES = range(4400, 4500)  # close codes after which the same connection would be refused again


class CollabError(Exception):
    """Something went wrong; `detail` says what, in one line, and `code` is its stable name."""

    def __init__(self, detail: str, code: str = "client") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class Refused(CollabError):
    """The server said no, and would say it again: bad credentials, no such document, not a valid edit …

    `status` is the HTTP status, or the close code of a socket (4400 to 4499, the status plus 4000).
    """

    def __init__(self, detail: str, code: str, status: int) -> None:
        super().__init__(detail, code)
        self.status = status


class NotFound(Refused):
    """There is no such document or snapshot, or it was deleted (404, 410)."""


class NotAllowed(Refused):
    """The credentials are missing, wrong or expired, or do not allow this (401, 403)."""


class Changed(Refused):
    """Somebody else was first: the id is taken, or the document is not the version that you named (409, 412)."""


class ReadOnly(Refused):
    """This connection may read and not write: what you typed is in your copy only, and nobody else's."""

    def __init__(self, detail: str = "this connection may not write") -> None:
        super().__init__(detail, "forbidden", 4403)


class Unavailable(CollabError):
    """The server cannot be reached or cannot do it now (network, 429, 5xx): the same call may succeed later."""

    def __init__(self, detail: str, code: str = "unavailable", retry_after_s: float | None = None) -> None:
        super().__init__(detail, code)
        self.retry_after_s = retry_after_s


class Unsaved(Unavailable):
    """It is not known that your edits are on disk: the server did not say so in time."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, "unsaved")


class BrokenDocument(CollabError):
    """The local engine could not take an update; begin again with a fresh document."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, "broken_document")


_BY_STATUS: dict[int, type[Refused]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Changed,
    410: NotFound,
    412: Changed,
}


def of_status(status: int, detail: str, code: str, retry_after_s: float | None = None) -> CollabError:
    """The error of an HTTP answer with status 400 or more."""
    if status == 429 or status >= 500:
        return Unavailable(detail, code, retry_after_s)
    return _BY_STATUS.get(status, Refused)(detail, code, status)


def of_close(close_code: int, reason: str) -> CollabError:
    """The error of a closed socket; only `Refused` is final."""
    if close_code in FINAL_CODES:
        kind = _BY_STATUS.get(close_code - 4000, Refused)
        return kind(reason or f"refused with close code {close_code}", "refused", close_code)
    return Unavailable(reason or f"the connection ended with close code {close_code}")
