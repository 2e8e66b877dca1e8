"""The server as clients see it: address, TLS, credentials, and the headers that a browser sends with everything."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlsplit

from loadtests.contrast.traffic import Traffic

# What Chrome sends with fetch() and with `new WebSocket` besides what the protocol needs, without cookies. Honest
# counts of bytes need them: they are most of what a poll costs on the wire.
_ALWAYS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Cache-Control: no-cache",
    "Pragma: no-cache",
)
_FETCH = (
    "Accept: */*",
    "Connection: keep-alive",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
)
CONNECT_S_MAX = 10.0


@dataclass(frozen=True)
class Origin:
    """`http://host:port` or https; `certificate` is the one to trust (a path), `token` a bearer token."""

    url: str
    certificate: str | None = None
    token: str | None = None

    @cached_property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        return urlsplit(self.url).netloc

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """What trusts the certificate; None without TLS."""
        if not self.url.startswith("https://"):
            return None
        return ssl.create_default_context(cafile=self.certificate)

    def connect(self, traffic: Traffic) -> socket.socket:
        """A new connection, TLS included, counted from its first byte. Raises OSError."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = socket.create_connection((parts.hostname or "", port), timeout=CONNECT_S_MAX)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            traffic.watch(connection)
            return connection
        try:
            secured = self.context.wrap_socket(connection, server_hostname=parts.hostname)
        except OSError:
            connection.close()
            raise
        traffic.watch(secured)
        return secured

    @cached_property
    def fetch_headers(self) -> str:
        """The header lines of every REST call."""
        return "\r\n".join((f"Host: {self.authority}", *_ALWAYS, *_FETCH, f"Referer: {self.url}/", *self._credentials))

    @cached_property
    def upgrade_headers(self) -> str:
        """The header lines of a WebSocket handshake, without the key."""
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", f"Origin: {self.url}", "Sec-WebSocket-Version: 13")
        return "\r\n".join((f"Host: {self.authority}", *_ALWAYS, *upgrade, *self._credentials))

    @property
    def _credentials(self) -> tuple[str, ...]:
        return (f"Authorization: Bearer {self.token}",) if self.token else ()


def document_path(document: str) -> str:
    """Where a document's REST resource is."""
    return f"/api/documents/{quote(document, safe='')}"


def socket_path(document: str) -> str:
    """Where a document's socket is."""
    return f"/sync/{quote(document, safe='')}"
