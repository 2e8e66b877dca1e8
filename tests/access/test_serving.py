"""What only a whole server shows: TLS at both doors, and logs without secrets."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from loadtests.contrast.tls import make_certificate
from tests.access.realm import SECRET, Realm, token
from tests.server import running_server


async def test_https_and_wss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    flags = ("--ssl-certfile", str(made.certificate), "--ssl-keyfile", str(made.key))
    with running_server(tmp_path / "data", *flags) as server:
        assert server.url.startswith("https://")
        with httpx2.Client(base_url=server.url) as client:
            origin = {"origin": server.url}
            assert client.post("/api/documents", json={"id": "d"}, headers=origin).status_code == 201
            other = {"origin": server.url.replace("https", "http")}
            assert client.get("/api/documents/d", headers=other).status_code == 403, "another origin"
        trust = ssl.create_default_context(cafile=str(made.certificate))
        async with connect(f"{server.socket_url}/d", ssl=trust, origin=Origin(server.url)) as socket:
            assert (await socket.recv())[:2] == b"\x00\x00"


async def test_no_log_line_holds_a_secret(land: Realm) -> None:
    """However it was sent: headers, addresses, subprotocols; taken, refused, and where it makes no sense."""
    land.ask("admin", "POST", "/api/documents", json={"id": "quiet"})
    wanted = {"access": "read", "user": {"id": "u"}}
    tickets = [
        land.ask("admin", "POST", "/api/documents/quiet/tickets", json=wanted).json()["ticket"] for _ in range(3)
    ]
    key = land.ask("admin", "POST", "/api/keys", json={"name": "k", "scopes": ["documents:read"]}).json()["key"]
    late = token("late", ("*", "read"), life_s=-3600)
    secrets = [*tickets, key, land.tokens["admin"], late, SECRET]
    paths = [f"?ticket={tickets[0]}", f"?token={late}", f"?key={key}", f"?%74icket={tickets[0]}", f"/{key}"]
    for path in paths:
        land.ask("nobody", "GET", f"/api/documents/quiet{path}")
        land.ask("nobody", "GET", f"/api/documents/quiet/events{path}")
    land.client.get("/api/documents/quiet", headers={"authorization": f"Bearer {key}"}).raise_for_status()
    land.client.get("/api/documents/quiet", headers={"authorization": f"Basic {key}", "x-request-id": key})
    base = f"{land.server.socket_url}/quiet"
    async with connect(f"{base}?ticket={tickets[1]}"):
        pass
    async with connect(base, subprotocols=[f"collab.ticket.{tickets[2]}", "collab"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "collab"
    for url in (f"{base}?ticket={tickets[1]}", f"{base}?token={key}", f"{base}?token={late}", f"{base}%3Fticket={key}"):
        with pytest.raises(InvalidStatus):
            await connect(url)
    seen = land.ask("admin", "GET", "/api/audit?limit=500").json()["items"]
    lines: list[str] = []
    while not any('"target":"/api/audit' in line for line in lines):  # the log is a moment behind
        lines = list(land.server.output)
    assert [line for line in [*lines, *map(json.dumps, seen)] if any(secret in line for secret in secrets)] == []
    assert sum('"event":"socket opened"' in line for line in lines) >= 2
    assert sum('"event":"socket refused"' in line and "***" in line for line in lines) >= 4
    assert all('"detail":"' in line for line in lines if '"event":"socket refused"' in line), "why"
