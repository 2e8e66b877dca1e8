"""How a credential travels, expires and is revoked: the same API key on REST calls and on an open socket."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from loadtests.contrast.crowds import REPOSITORY
from loadtests.contrast.host import Host
from loadtests.contrast.origin import Origin, document_path, socket_path
from loadtests.contrast.rest import Rest
from loadtests.contrast.traffic import Traffic
from loadtests.contrast.websocket import WebSocket
from tests.realservers import postgres

DOCUMENT = "tokens"
SEEN_S_MAX = 8.0  # a socket that outlives its key by this much is reported as "still open"
SHORT_DAYS = 12.0 / 86_400
ASK_S = 0.02


@dataclass(frozen=True)
class Tokens:
    """Seconds from the revocation or expiry of a key until it is refused; None: not within SEEN_S_MAX."""

    token_bytes_per_request: int
    refused_status: int
    refused_upgrade: str
    revoked_rest_s: float | None
    revoked_upgrade_s: float | None
    revoked_socket_s: float | None
    revoked_close_code: int | None
    expired_rest_s: float | None
    expired_socket_s: float | None
    watched_s: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Keys:
    """The operator's hand: `collab keys` on the server's own database (Postgres: SQLite takes one process)."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def prepare(self) -> None:
        """Makes the tables."""
        self._run("db", "upgrade")

    def create(self, days: float | None = None) -> dict[str, Any]:
        """A new key: its `id`, its secret as `key`, `expires_at`."""
        life = [] if days is None else ["--days", f"{days:.9f}"]
        found: dict[str, Any] = json.loads(self._run("keys", "create", "study", "--json", *life))
        return found

    def revoke(self, key: str) -> None:
        """Ends a key; durable when it returns."""
        self._run("keys", "revoke", key)

    def _run(self, *words: str) -> str:
        command = [sys.executable, "-m", "collab", *words, "--database-url", self._database_url]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise subprocess.SubprocessError(f"collab {words[0]} {words[1]}: {done.stderr.strip()[-200:]}")
        return done.stdout


class Watch:
    """An open socket and a patient REST caller with one key, and when each was refused."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._traffic = Traffic()
        self.socket = WebSocket(origin, socket_path(DOCUMENT), self._traffic)
        self.ended_s: float | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for _ in self.socket.messages():
                pass
        except OSError:
            pass  # cut: the same news as a goodbye
        self.ended_s = time.monotonic()

    def until_refused(self, began_s: float) -> float | None:
        """Asks by REST until the answer is 401."""
        rest = Rest(self._origin, self._traffic)
        try:
            while time.monotonic() < began_s + SEEN_S_MAX:
                if rest.call("GET", document_path(DOCUMENT)).status == 401:
                    return max(0.0, time.monotonic() - began_s)
                time.sleep(ASK_S)
        finally:
            rest.close()
        return None

    def until_closed(self, began_s: float) -> float | None:
        """Waits for the socket to end; hangs up if it does not."""
        self._reader.join(max(0.0, began_s + SEEN_S_MAX - time.monotonic()))
        ended_s = self.ended_s
        self.socket.close()
        return None if ended_s is None else max(0.0, ended_s - began_s)


def measure(core: int) -> Tokens:
    """On a server of its own, which starts with a key and therefore asks everybody for one."""
    with postgres(fsync=False) as database:
        keys = Keys(database.url)
        keys.prepare()
        secret = str(keys.create()["key"])
        with Host(core, environment={"COLLAB_DATABASE_URL": database.url}) as host:
            return _measured(host, keys, secret)


def _measured(host: Host, keys: Keys, secret: str) -> Tokens:
    origin = replace(host.origin, token=secret)
    status, upgrade = refused(host.origin)
    body = json.dumps({"id": DOCUMENT}).encode()
    Rest(origin, Traffic()).call("POST", "/api/documents", "Content-Type: application/json\r\n", body)
    revoked = _revoked(keys, host.origin)
    expired = _expired(keys, host.origin)
    return Tokens(
        token_bytes_per_request=len(f"Authorization: Bearer {secret}\r\n"),
        refused_status=status,
        refused_upgrade=upgrade,
        watched_s=SEEN_S_MAX,
        **revoked,
        **expired,
    )


def refused(origin: Origin) -> tuple[int, str]:
    """What a caller without a key is told: the status of REST, and the answer to a handshake."""
    status = Rest(origin, Traffic()).call("GET", document_path(DOCUMENT)).status
    return status, upgrade_refusal(origin) or "opened"


def upgrade_refusal(origin: Origin) -> str:
    """Why a socket does not open; empty if it does."""
    try:
        WebSocket(origin, socket_path(DOCUMENT), Traffic()).close()
    except OSError as error:
        return str(error)
    return ""


def _revoked(keys: Keys, origin: Origin) -> dict[str, Any]:
    made = keys.create()
    secret = str(made["key"])
    watch = Watch(replace(origin, token=secret))
    keys.revoke(made["id"])
    began_s = time.monotonic()
    rest_s = watch.until_refused(began_s)
    upgrade_s = time.monotonic() - began_s if upgrade_refusal(replace(origin, token=secret)) else None
    socket_s = watch.until_closed(began_s)
    return {
        "revoked_rest_s": rest_s,
        "revoked_upgrade_s": upgrade_s,
        "revoked_socket_s": socket_s,
        "revoked_close_code": watch.socket.close_code if socket_s is not None else None,
    }


def _expired(keys: Keys, origin: Origin) -> dict[str, Any]:
    made = keys.create(SHORT_DAYS)
    left_s = datetime.fromisoformat(made["expires_at"]).timestamp() - time.time()
    ends_s = time.monotonic() + left_s
    watch = Watch(replace(origin, token=str(made["key"])))
    time.sleep(max(0.0, ends_s - time.monotonic()))
    return {"expired_rest_s": watch.until_refused(ends_s), "expired_socket_s": watch.until_closed(ends_s)}
