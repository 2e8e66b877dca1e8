"""Where callers put their secret, and how it is kept out of logs. Cookies are never read, so no request can be forged.

Requests: `Authorization: Bearer`. Sockets and event streams also: a subprotocol `collab.ticket.<t>` or
`collab.token.<t>`, and `?ticket=` or `?token=`, because browsers cannot set headers there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote_plus

from collab.auth.base import Credentials
from collab.errors import Unauthorized

QUERY_NAMES = frozenset({"ticket", "token"})
SUBPROTOCOL_PREFIXES = ("collab.ticket.", "collab.token.")
SECRET_NAMES = QUERY_NAMES | {"key", "api_key", "apikey", "access_token", "id_token", "secret", "authorization"}
TOKEN_CHARS_MAX = 8192
QUERY_FIELDS_MAX = 64

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)  # RFC 6750 2.1
_SUBPROTOCOL = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 6455 4.1: a token of RFC 9110 5.6.2
_SECRETS = re.compile(
    r"c[kt]_[0-9A-Za-z]{8,}"
    r"|eyJ[\w\-]+\.[\w\-]*(?:\.[\w\-]*)?"
    r"|(?i:bearer\s+)[^\s,;\"']+"
    r"|collab\.(?:ticket|token)\.[^\s,;\"']+"
)
_PAIRS = re.compile(rf"([?&](?:{'|'.join(sorted(SECRET_NAMES))})=)[^&\s\"'\\]+", re.IGNORECASE)
SCRUBBED = "***"


def of_request(authorization: Sequence[str]) -> Credentials:
    """`authorization`: every value of that header. Raises Unauthorized if there is one and it cannot be read."""
    return Credentials(token=_bearer(authorization))


def of_stream(authorization: Sequence[str], query: str, offered: Sequence[str]) -> Credentials:
    """The same for what opens a socket or an event stream; header before subprotocol before query.

    `query` is the raw query string, `offered` the subprotocols in the client's order.
    """
    token = _bearer(authorization)
    if token is not None:
        return Credentials(token=token, stream=True)
    return Credentials(token=_only(_in_subprotocols(offered) or _in_query(query)), stream=True, in_url=True)


def of_message(token: str) -> Credentials:
    """A token that a client sent inside the open socket (Hocuspocus authentication, renewal)."""
    return Credentials(token=_only([token] if token else []), stream=True)


def select_subprotocol(offered: Sequence[str]) -> str | None:
    """The subprotocol to answer with: a client that offers some drops the connection unless one is selected.

    The first that carries no secret, else the first at all: answering with a ticket writes it into one more header,
    so clients should offer `collab` beside it. None if nothing (well formed) is offered.
    """
    named = [name for name in offered if _SUBPROTOCOL.fullmatch(name)]
    plain = [name for name in named if not name.startswith(SUBPROTOCOL_PREFIXES)]
    return next(iter(plain or named), None)


def scrub(text: str) -> str:
    """A request target, header or message with every secret in it replaced, for logs."""
    path, mark, query = text.partition("?")
    if mark:
        path += mark + "&".join(_scrub_pair(pair) for pair in query.split("&"))
    return _SECRETS.sub(SCRUBBED, path)


def scrub_line(line: str) -> str:
    """A whole line of a log, whatever is quoted in it."""
    return _SECRETS.sub(SCRUBBED, _PAIRS.sub(rf"\1{SCRUBBED}", line))


def _scrub_pair(pair: str) -> str:
    name, mark, _ = pair.partition("=")
    # The name as the parser will read it: `%74oken=` is a token too.
    return name + mark + SCRUBBED if mark and unquote_plus(name).casefold() in SECRET_NAMES else pair


def _bearer(values: Sequence[str]) -> str | None:
    if not values:
        return None
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        raise Unauthorized
    return _only([found[1]])


def _in_subprotocols(offered: Sequence[str]) -> list[str]:
    return [name[len(prefix) :] for name in offered for prefix in SUBPROTOCOL_PREFIXES if name.startswith(prefix)]


def _in_query(query: str) -> list[str]:
    if not query:
        return []
    try:
        pairs = parse_qsl(query, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise Unauthorized from None
    return [value for name, value in pairs if name in QUERY_NAMES and value]


def _only(tokens: Sequence[str]) -> str | None:
    """The one token; two different ones are an attempt to have two readers disagree about who is calling."""
    if not tokens:
        return None
    if len(set(tokens)) > 1 or len(tokens[0]) > TOKEN_CHARS_MAX:
        raise Unauthorized
    return tokens[0]
