"""The upgrade request as bytes: read for admission, then cut down for picows."""

from __future__ import annotations

from typing import Any

from collab.sockets.upgrade import Upgrade

ASKED = frozenset(  # headers that picows looks at, or refuses
    (b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"content-length", b"transfer-encoding")
)


def parse(request: bytes, transport: Any) -> Upgrade:
    """Reads the request that uvicorn has checked and written out again: one line, then `name: value` lines."""
    lines = request.decode("latin-1").split("\r\n")
    target = lines[0].split(" ")[1]
    path, _, query = target.partition("?")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        if name:
            headers.setdefault(name.lower(), []).append(value)
    peer = transport.get_extra_info("peername")
    address = peer[0] if isinstance(peer, tuple) else None
    return Upgrade(path, query, headers, address, transport.get_extra_info("sslcontext") is not None)


def canonical(request: bytes) -> bytes:
    """The request as picows is given it, and keeps it: what it asks for, and no more. uvicorn has checked the rest.

    It wants exactly `Connection: Upgrade`; Firefox sends `keep-alive, Upgrade`.
    """
    head, separator, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].lower() in ASKED]
    request_line = first.partition(b" ")[0] + b" / HTTP/1.1"
    return b"\r\n".join((request_line, b"connection: Upgrade", *kept)) + separator + rest
