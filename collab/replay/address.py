"""Where a server's sockets and REST calls for one document are."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Address:
    """A server (`http://host:port`, with a path prefix if it has one), one of its documents, and how to be let in.

    `token` goes into the Authorization header of every call; `ticket` into the query of the socket.
    """

    url: str
    document: str
    token: str | None = None
    ticket: str | None = None

    @property
    def socket(self) -> str:
        """The WebSocket of the document."""
        query = f"?ticket={quote(self.ticket, safe='')}" if self.ticket else ""
        return f"ws{self.url.rstrip('/')[4:]}/sync/{quote(self.document, safe='')}{query}"

    @property
    def documents(self) -> str:
        """The collection."""
        return f"{self.url.rstrip('/')}/api/documents"

    @property
    def rest(self) -> str:
        """The document as a resource."""
        return f"{self.documents}/{quote(self.document, safe='')}"

    @property
    def headers(self) -> dict[str, str]:
        """Credentials for the socket's handshake and for REST."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}
