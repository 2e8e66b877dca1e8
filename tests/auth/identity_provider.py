"""A small identity provider: real keys, real JWKS over loopback HTTP, and ways to misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet

ISSUER = "https://idp.example.com/"
AUDIENCE = "collab"


def claims(now: float, **changes: Any) -> dict[str, Any]:
    """A good token's claims; a change to None leaves the claim out."""
    grants = [{"documents": "team-a/*", "access": "write"}]
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": int(now), "exp": int(now) + 600, "collab": grants}
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def make_key(kid: str | None = None) -> Key:
    """An EC key for ES256."""
    return ECKey.generate_key("P-256", {"kid": kid} if kid else None)


def sign(key: Key, body: dict[str, Any], algorithm: str = "ES256", **header: Any) -> str:
    """A token; the key's id goes into the header unless `kid` says otherwise."""
    named = {"kid": key.kid} if key.kid else {}
    head = {"alg": algorithm, **named, **header}
    return jwt.encode({k: v for k, v in head.items() if v is not None}, body, key, algorithms=[algorithm])


class IdentityProvider:
    """Serves the public halves of `keys`. `answer`, if set, is sent instead, as raw bytes after the request."""

    def __init__(self) -> None:
        self.keys: list[Key] = [make_key("first")]
        self.answer: bytes | None = None
        self.hang: asyncio.Event | None = None
        self.requests = 0
        self.asked = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        """Where the JWKS is."""
        return f"http://127.0.0.1:{self.port}/.well-known/jwks.json"

    def rotate(self, kid: str) -> Key:
        """A new key takes the place of the old ones."""
        self.keys = [make_key(kid)]
        return self.keys[0]

    def jwks(self) -> bytes:
        """What is published."""
        return json.dumps(KeySet(self.keys).as_dict(private=False)).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            self.asked.set()
            if self.hang is not None:
                await self.hang.wait()
            writer.write(answer(self.jwks()) if self.answer is None else self.answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client gave up, as some tests want it to
        finally:
            writer.close()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP response as bytes."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def running() -> AsyncIterator[IdentityProvider]:
    """A provider on a free loopback port."""
    provider = IdentityProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        if provider.hang is not None:
            provider.hang.set()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def unreachable() -> AsyncIterator[str]:
    """A loopback URL where nobody listens, its port held so that nobody else can."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/jwks"
