"""The open mode: without keys, tokens or secrets everybody who can reach the server may do everything.

So only this machine may reach it. Two guards: the address it binds to, and the Host header, because a web page whose
name is re-pointed to 127.0.0.1 (DNS rebinding) reaches loopback from any browser here and looks like same-origin.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from collab.auth.proxies import ADDRESS_CHARS_MAX
from collab.errors import Forbidden, UnsafeSettings


class Openness:
    """Whether everybody may do everything now, and by what names. It ends the moment a key exists, and for good."""

    __slots__ = ("anywhere", "open")

    def __init__(self, open: bool = False, anywhere: bool = False) -> None:
        """`open` as `is_open` says; `anywhere`: it may be addressed by any name all the same."""
        self.open = open
        self.anywhere = anywhere

    def check_host(self, host: str | None) -> None:
        """See below."""
        check_host(host, self.open, self.anywhere)


def is_open(keys_exist: bool, jwt: bool) -> bool:
    """True if nothing is configured. Count revoked keys too: revoking the last key must not open the server."""
    return not (keys_exist or jwt)


def check_bind(host: str | None, open: bool, allow: bool) -> None:
    """Raises UnsafeSettings if an open server would be reachable from elsewhere and nobody said so.

    Names other than localhost are not resolved but refused: what they mean can change after this check. `host` is
    None for a Unix socket; `allow` is --open-to-the-world.
    """
    if open and not allow and not is_loopback(host):
        raise UnsafeSettings(
            f"without authentication the server binds to loopback only, not to {host!r}: create an API key with "
            "`collab keys create`, configure JWTs, or say --open-to-the-world"
        )


def is_loopback(host: str | None) -> bool:
    """True for 127.0.0.0/8, ::1, localhost and Unix sockets."""
    if host is None:
        return True
    if host.lower() == "localhost":
        return True
    return len(host) <= ADDRESS_CHARS_MAX and _is_loopback_address(host)


@lru_cache(256)  # a crowd that joins at once names one host
def _is_loopback_address(host: str) -> bool:
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def check_host(host: str | None, open: bool, allow: bool) -> None:
    """Raises Forbidden if an open server is addressed by a name that is not this machine's own.

    `host` is the Host header. Call it for every request and every upgrade, before anything is answered.
    """
    if not open or allow or host is None:
        return
    name = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    if not is_loopback(name) and not name.lower().endswith(".localhost"):
        raise Forbidden("this server is open to its own machine only, and that is not its name")
