"""A real server that believes tokens signed here, and everybody who may come to its doors."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.jwk import OctKey
from websockets.asyncio.client import ClientConnection, connect

from collab.api.samples import HELLO
from tests.backends import Ground
from tests.front import Place, serving
from tests.patience import PATIENCE_S

SECRET = "a secret of tests, long enough to be taken"
ENVIRONMENT = {
    "COLLAB_JWT_ISSUER": "https://id.example",
    "COLLAB_JWT_AUDIENCE": "collab",
    "COLLAB_JWT_SECRET": SECRET,
    "COLLAB_JWT_SCOPES_CLAIM": "scope",
    # Nobody is to be refused for being quick: what is measured is who may do what.
    "COLLAB_REQUESTS_PER_MIN_USER": "0",
    "COLLAB_REQUESTS_PER_MIN_ADDRESS": "0",
    "COLLAB_STREAMS_PER_MIN_ADDRESS": "0",
    "COLLAB_FAILURES_PER_MIN_ADDRESS": "0",
}


def token(
    user: str, *grants: tuple[str, str], scope: str = "", life_s: float = 3600.0, secret: str = SECRET, **claims: object
) -> str:
    """Signed as the identity provider would; `grants` are (documents, access)."""
    now = time.time()
    said = {"iss": "https://id.example", "aud": "collab", "sub": user, "iat": now, "exp": now + life_s, "scope": scope}
    said["collab"] = [{"documents": documents, "access": access} for documents, access in grants]
    return jwt.encode({"alg": "HS256"}, said | claims, OctKey.import_key(secret))


@dataclass
class Realm:
    """The server, its clients, and what content it holds."""

    server: Place
    client: httpx2.Client
    tokens: dict[str, str] = field(default_factory=dict)

    def as_(self, role: str) -> dict[str, str]:
        """Headers of somebody; nothing for nobody."""
        return {"authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}

    def ask(self, role: str, method: str, path: str, **options: Any) -> httpx2.Response:
        """One call; of a stream only the head is read."""
        headers = self.as_(role) | options.pop("headers", {})
        with self.client.stream(method, path, headers=headers, **options) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
            return answer

    def content(self, document: str) -> str:
        """A hash over everything that a document is: bytes, version, details, snapshots."""
        whole = hashlib.sha256()
        for path in ("", "/state", "/updates?limit=500", "/snapshots"):
            answer = self.ask("admin", "GET", f"/api/documents/{document}{path}")
            assert answer.status_code == 200, answer.text
            told = answer.content
            if path == "":
                details = json.loads(told)
                del details["online"], details["updated_at"]
                told = json.dumps(details, sort_keys=True).encode()
            whole.update(told)
        return whole.hexdigest()

    async def socket(self, role: str, document: str) -> ClientConnection:
        """An open socket, greeted."""
        url = f"{self.server.socket_url}/{document}"
        socket = await connect(url, additional_headers=self.as_(role), max_size=None)
        assert (await socket.recv())[:2] == b"\x00\x00"
        await socket.recv()
        return socket


@contextmanager
def realm(ground: Ground, folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Realm]:
    """A server of its own, with an admin; or several, of which each call reaches the next one. `env` is added."""
    kept = httpx2.Limits(max_keepalive_connections=20 if ground.nodes == 1 else 0)
    with (
        serving(ground, folder, env={**ENVIRONMENT, **(env or {})}) as server,
        httpx2.Client(base_url=server.url, timeout=PATIENCE_S, limits=kept) as client,
    ):
        yield Realm(server, client, {"admin": token("root", scope="admin")})


PLAIN: dict[str, Any] = {"content": "hello world", "headers": {"content-type": "text/plain"}}


def prepare(here: Realm, document: str) -> None:
    """A document with a text and a snapshot."""
    assert here.ask("admin", "POST", "/api/documents", json={"id": document}).status_code == 201
    binary = {"content-type": "application/octet-stream"}
    here.ask("admin", "POST", f"/api/documents/{document}/updates", content=b64decode(HELLO), headers=binary)
    here.ask("admin", "PUT", f"/api/documents/{document}/content?root=default&type=text", **PLAIN)
    assert here.ask("admin", "POST", f"/api/documents/{document}/snapshots", json={"label": "one"}).status_code == 201
