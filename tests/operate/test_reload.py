"""SIGHUP on a real server: a new key is taken, the old one is not, sockets stay, mistakes change nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from secrets import token_urlsafe

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosedError

from collab_client import Documents, NotAllowed, connect, text
from loadtests.contrast.tls import make_certificate
from tests import zygote
from tests.patience import PATIENCE_S
from tests.server import Server, command, running_server, wait_until

OLD, NEW = token_urlsafe(48), token_urlsafe(48)


def token(secret: str) -> str:
    """Of a user who may write everywhere."""
    claims = {"iss": "me", "aud": "collab", "sub": "ada", "exp": int(time.time()) + 600}
    claims["collab"] = [{"documents": "*", "access": "write"}]  # type: ignore[assignment]
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))


def hang_up(server: Server, said: str) -> None:
    """Sends the signal, waits until the log says what came of it."""
    before = len(server.output)
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: any(said in line for line in server.output[before:]), what=said)


async def test_keys_and_limits_change_while_sockets_stay(tmp_path: Path) -> None:
    secret, settings = tmp_path / "secret", tmp_path / "collab.env"
    secret.write_text(OLD)
    good = f"COLLAB_JWT_ISSUER=me\nCOLLAB_JWT_AUDIENCE=collab\nCOLLAB_JWT_SECRET_FILE={secret}\n"
    settings.write_text(good)
    with running_server(tmp_path / "data", "--settings-file", str(settings)) as server:
        async with connect(server.url, "d", token(OLD)) as live:
            text.insert(live.text(), 0, "before")
            await live.saved(10)
            secret.write_text(NEW)
            with settings.open("a") as file:
                file.write("COLLAB_SOCKETS_PER_USER=1\n")
            await asyncio.to_thread(hang_up, server, "settings were reloaded")
            text.insert(live.text(), 0, "still here, ")
            await live.saved(10)
            assert live.status == "live"
            with pytest.raises(NotAllowed):
                async with Documents(server.url, token(OLD)) as docs:
                    await docs.get("d")
            async with Documents(server.url, token(NEW)) as docs:
                assert await docs.read("d", "text", type="text") == "still here, before"
            settings.write_text("COLLAB_JWT_ISSUER=half\n")
            await asyncio.to_thread(hang_up, server, "settings were not reloaded")
            assert not any(OLD in line or NEW in line for line in server.output)
            async with Documents(server.url, token(NEW)) as docs:
                assert (await docs.get("d")).online == 1
            settings.write_text(f"{good}COLLAB_REQUESTS_PER_MIN_USER=5\nCOLLAB_DOCUMENTS_MAX=1\n")
            await asyncio.to_thread(hang_up, server, "settings were reloaded")
            headers = {"Authorization": f"Bearer {token(NEW)}"}
            async with httpx2.AsyncClient(base_url=f"{server.url}/api/", headers=headers) as client:
                refused = await client.post("documents", json={"id": "one more"})
                assert refused.json()["code"] == "overloaded"
                answers = [await client.get("documents/d") for _ in range(6)]
                assert answers[-1].status_code == 429
                assert '"user";q=5;w=60' in answers[-1].headers["ratelimit-policy"]
            assert live.status == "live"


def test_a_settings_file_is_below_the_environment_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from collab.settings import Settings

    file = tmp_path / "collab.env"
    file.write_text("COLLAB_PORT=1\nCOLLAB_HOST=::1\nCOLLAB_LOG_LEVEL=debug\n")
    monkeypatch.setenv("COLLAB_SETTINGS_FILE", str(file))
    monkeypatch.setenv("COLLAB_HOST", "localhost")
    settings = Settings.read(port=3)
    assert (settings.port, settings.host, settings.log_level) == (3, "localhost", "debug")
    file.write_text("COLLAB_PORT=2\nCOLLAB_LOG_LEVEL=error\n")
    assert (settings.reread().port, settings.reread().log_level) == (3, "error")
    file.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        settings.reread()


async def test_tokens_close_an_open_node(tmp_path: Path) -> None:
    """Who came while everybody might is asked again; pages that are named may call from then on."""
    settings = tmp_path / "collab.env"
    settings.write_text("")
    with running_server(tmp_path / "data", "--settings-file", str(settings)) as server:
        async with open_socket(f"{server.socket_url}/d") as socket, httpx2.AsyncClient(base_url=server.url) as client:
            settings.write_text(
                f"COLLAB_JWT_ISSUER=me\nCOLLAB_JWT_AUDIENCE=collab\nCOLLAB_JWT_SECRET={NEW}\n"
                "COLLAB_ORIGINS=https://App.example:443\n"
            )
            await asyncio.to_thread(hang_up, server, "settings were reloaded")
            with pytest.raises(ConnectionClosedError) as closed:
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        await socket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
            asked = {"origin": "https://app.example", "access-control-request-method": "PUT"}
            answer = await client.options("/api/documents/d", headers=asked)
            assert answer.headers.get("access-control-allow-origin") == "https://app.example"


def test_the_first_key_brings_the_rates_of_a_closed_node(tmp_path: Path) -> None:
    """Nobody slows a developer's own loopback; but with a key it is where a proxy forwards the world to."""
    with running_server(tmp_path / "data") as server:
        assert "ratelimit-policy" not in httpx2.get(f"{server.url}/api/documents").headers
        key = command("keys", "create", "first", "--data", str(tmp_path / "data")).strip()
        answer = httpx2.get(f"{server.url}/api/documents", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
        assert '"key";q=30000;w=60' in answer.headers["ratelimit-policy"]


def test_a_certificate_that_is_none_changes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, secret, settings = make_certificate(tmp_path), tmp_path / "secret", tmp_path / "collab.env"
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    secret.write_text(OLD)
    settings.write_text(
        f"COLLAB_JWT_ISSUER=me\nCOLLAB_JWT_AUDIENCE=collab\nCOLLAB_JWT_SECRET_FILE={secret}\n"
        f"COLLAB_SSL_CERTFILE={made.certificate}\nCOLLAB_SSL_KEYFILE={made.key}\n"
    )
    with running_server(tmp_path / "data", "--settings-file", str(settings)) as server:
        with httpx2.Client(base_url=server.url) as client:
            secret.write_text(NEW)
            made.certificate.write_text("half a copy")
            hang_up(server, "settings were not reloaded")
            for signed, status in ((OLD, 200), (NEW, 401)):
                headers = {"authorization": f"Bearer {token(signed)}"}
                assert client.get("/api/documents", headers=headers).status_code == status


def test_commands_know_the_settings_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "collab.env"
    file.write_text(f"COLLAB_DATA={tmp_path / 'data'}\n")
    monkeypatch.chdir(tmp_path)
    command("keys", "create", "backend", env={"COLLAB_SETTINGS_FILE": str(file)})
    assert (tmp_path / "data" / "collab.db").exists()
    assert "sound" in command("db", "check", env={"COLLAB_SETTINGS_FILE": str(file)})
    assert not (tmp_path / ".collab").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--ssl-certfile", "/no/such.pem"), "/no/such.pem"),
        (("--database-url", "mysql://me:hidden@there/x"), "sqlite:///path or postgresql://"),
        (("--log-level", "loud"), "log_level"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    with (tmp_path / "said").open("w+b") as output:
        words = ["serve", "--port", "0", "--data", str(tmp_path / "data"), *flags]
        status = zygote.start(words, dict(os.environ), output.fileno()).wait(PATIENCE_S)
        output.seek(0)
        said = output.read().decode()
    assert status == 2 and told in said and "hidden" not in said, said
    assert said.startswith("collab: ") and said.count("\n") == 1
