"""Which web pages may open sockets and call REST: exact origins, compared as (scheme, host, port).

Membership in a set, never prefixes, suffixes or patterns (CVE-2026-40110 was one that matched
`trusted.example.com.evil.com`). The same set serves CORS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from collab.errors import UnsafeSettings

Origin = tuple[str, str, int | None]
"""(scheme, host, port), lower case; the default port is filled in for http and https."""

WEB_ORIGIN = r"^https?://([A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"
"""The same of a page on the web, for schemas: JSON Schema's patterns know no flags."""
_ORIGIN = re.compile(r"([a-z][a-z0-9+.\-]*)://([a-z0-9._\-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKET_SCHEMES = {"ws": "http", "wss": "https"}


def parse_origin(text: str) -> Origin | None:
    """None for `null`, wildcards, paths, user names and anything else that is not one origin."""
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    if found is None:
        return None
    scheme, host, port = found.groups()
    return scheme, host, _DEFAULT_PORTS.get(scheme) if port is None else int(port)


class Origins:
    """The pages that may call: those named, and those that this server itself served."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Raises UnsafeSettings for anything that is not an exact origin, `*` included."""
        self.allowed = frozenset(_exact(text) for text in allowed)

    def allow(self, origin: Sequence[str], scheme: str, host: str | None) -> bool:
        """`origin`: every value of that header; none means that no browser sent this. `host`: the Host header.

        `scheme` is what the client used (http, https, ws, wss), see proxies.py if a proxy ends TLS.
        """
        if not origin:
            return True
        parsed = parse_origin(origin[0]) if len(origin) == 1 else None
        if parsed is None:
            return False
        if host is None:
            return parsed in self.allowed
        return parsed in self.allowed or parsed == parse_origin(f"{_SOCKET_SCHEMES.get(scheme, scheme)}://{host}")

    def names(self, origin: str) -> bool:
        """Whether it is one of those named; CORS tells their pages so."""
        return parse_origin(origin) in self.allowed


def _exact(text: str) -> Origin:
    parsed = parse_origin(text)
    if parsed is None:
        raise UnsafeSettings(f"{text!r} is not an origin; give scheme://host or scheme://host:port, no path, no *")
    return parsed
