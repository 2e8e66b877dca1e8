"""The client's address and scheme; forwarding headers count only as far as named proxies wrote them.

Each proxy appends the address it saw to X-Forwarded-For, so the list is read from the right: the first address that
is not a named proxy is the client. What stands left of it was written by the client and is never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from collab.errors import UnsafeSettings

UNIX = "unix"
"""Names the peer of a Unix socket, which has no address."""
UNKNOWN = "unknown"
HOPS_MAX = 32
ADDRESS_CHARS_MAX = 100  # with a port and a zone; longer ones are none, and are not remembered


class Proxies:
    """The proxies whose headers are believed: addresses, networks, or `unix`."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        """Raises UnsafeSettings for anything else; there is no way to say "all of them"."""
        names = list(trusted)
        self._unix = UNIX in names
        self._networks = [_network(name) for name in names if name != UNIX]

    def client(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """`peer`: the address of the connection, None for a Unix socket; `forwarded_for`: every value of the header."""
        client = UNKNOWN if peer is None else peer
        if not self._trusts(peer):
            return _plain(client)
        hops = ",".join(forwarded_for).split(",")[-HOPS_MAX:]
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break  # an empty or garbled entry: nothing left of it can be believed
            client = str(address)
            if not self._trusts(client):
                break
        return _plain(client)

    def scheme(self, peer: str | None, scheme: str, forwarded_proto: Sequence[str]) -> str:
        """The scheme that the client used, as the nearest named proxy tells it."""
        if not forwarded_proto or not self._trusts(peer):
            return scheme
        told = forwarded_proto[-1].rpartition(",")[2].strip().lower()
        return told if told in ("http", "https", "ws", "wss") else scheme

    def _trusts(self, peer: str | None) -> bool:
        if peer is None:
            return self._unix
        address = _address(peer)
        return address is not None and any(address in network for network in self._networks)


def subject(address: str) -> str:
    """What rate limits count by: an IPv4 address, or the /64 that one IPv6 customer has."""
    parsed = _address(address)
    return str(IPv6Network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(name)
    except ValueError:
        raise UnsafeSettings(f"{name!r} is not the address or network of a proxy") from None
    if network.prefixlen == 0:
        raise UnsafeSettings(f"{name!r} is everybody; name your proxies")
    return network


def _address(text: str) -> IPv4Address | IPv6Address | None:
    return _parsed(text) if len(text) <= ADDRESS_CHARS_MAX else None


@lru_cache(4096)  # each request asks several times, and a crowd that joins at once comes from few addresses
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Takes the forms that proxies write: `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]:5`; an IPv4-mapped one is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _plain(address: str) -> str:
    parsed = _address(address)
    return address if parsed is None else str(parsed)
