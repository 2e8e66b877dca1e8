"""Settings: `COLLAB_*` from the environment, flags of the same names on the command line. Read here, passed down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from collab.errors import UnsafeSettings
from collab.limits import DEFAULT

LOOPBACK = ("127.0.0.1", "::1", "localhost")
RELOADED = (
    "origins", "trusted_proxies", "ssl_certfile", "ssl_keyfile", "log_level", "jwt_issuer", "jwt_audience",
    "jwt_jwks_url", "jwt_public_key_file", "jwt_secret", "jwt_secret_file", "jwt_algorithms", "jwt_grants_claim",
    "jwt_scopes_claim", "frames_per_s", "bytes_per_s", "sockets_per_user", "sockets_per_address",
    "requests_per_min_address", "requests_per_min_user", "requests_per_min_key", "streams_per_min_address",
    "failures_per_min_address", "documents_max", "document_stored_bytes_max", "linger_s", "resident_bytes_max",
    "history_exact_days", "history_step_s", "history_days",
)  # fmt: skip
"""What SIGHUP changes; the rest is as it was when the process, or its parent, was started."""


class Settings(BaseSettings):
    """Everything that may be set from outside. Seconds, bytes and milliseconds are named in each field."""

    model_config = SettingsConfigDict(env_prefix="COLLAB_", frozen=True, extra="ignore")

    settings_file: Path | None = Field(
        None, description="File of COLLAB_…=… lines, below the environment; SIGHUP reads it again."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data: Path = Field(Path(".collab"), description="Folder for the embedded SQLite database; made if absent.")
    database_url: SecretStr | None = Field(
        None, description="postgresql://… or sqlite:///…; default: SQLite in the data folder."
    )
    redis_url: SecretStr | None = Field(
        None, description="redis://…, rediss://… or unix://…: the bus between nodes; default: this node is alone."
    )
    redis_prefix: str = Field("collab", min_length=1, description="Begins the name of each of our channels there.")
    workers: int = Field(1, ge=1, le=256, description="Nodes on this machine, as processes on one port.")
    sqlite_sync: str = Field("full", pattern="^(full|normal)$", description="full: an ack survives power loss.")
    socket_shell: str = Field("fast", pattern="^(fast|asgi)$", description="fast: picows; asgi: portable.")
    public_url: str | None = Field(None, description="How clients reach this service, if behind a proxy.")
    ssl_certfile: Path | None = Field(None, description="Certificate chain (PEM): serve https and wss.")
    ssl_keyfile: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    open_to_the_world: bool = Field(False, description="Allow other than loopback without any authentication.")
    origins: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Origins, besides the service's own, whose pages may connect (comma separated)."
    )
    trusted_proxies: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Addresses or networks whose X-Forwarded-* headers are believed (comma separated)."
    )
    jwt_issuer: str | None = Field(None, description="`iss` of the tokens that your identity provider signs.")
    jwt_audience: str | None = Field(None, description="`aud` that they must name.")
    jwt_jwks_url: str | None = Field(None, description="Where the provider publishes its keys (https).")
    jwt_public_key_file: Path | None = Field(None, description="Or its public key (PEM).")
    jwt_secret: SecretStr | None = Field(None, description="Or a secret shared with it; by environment only.")
    jwt_secret_file: Path | None = Field(None, description="Or a file that holds that secret.")
    jwt_algorithms: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Algorithms to accept (comma separated); default: the usual ones for the key."
    )
    jwt_grants_claim: str = Field("collab", min_length=1, description="Claim that lists documents and access.")
    jwt_scopes_claim: str | None = Field(None, description="Claim that lists scopes; default: tokens give none.")
    frames_per_s: float | None = Field(
        None, ge=0, description="Frames a socket may send per second, 0: any; default 200, any while open on loopback."
    )
    bytes_per_s: float | None = Field(
        None, ge=0, description="The same in bytes; default 1 MiB after a first 64 MiB, any while open on loopback."
    )
    requests_per_min_address: int | None = Field(
        None, ge=0, description="REST calls from one address, 0: any; default 6000, any while open on loopback."
    )
    requests_per_min_user: int | None = Field(None, ge=0, description="The same of one user; default 1200.")
    requests_per_min_key: int | None = Field(None, ge=0, description="The same by one API key; default 30000.")
    streams_per_min_address: int | None = Field(
        None, ge=0, description="Sockets and event streams opened from one address; default 1200."
    )
    failures_per_min_address: int | None = Field(
        None, ge=0, description="Wrong credentials from one address before it must wait; default 600."
    )
    sockets_per_user: int = Field(200, ge=0, description="Sockets that one user may have open on a node, 0: any.")
    sockets_per_address: int | None = Field(
        None, ge=0, description="The same of one address; default 2000, any while open on loopback."
    )
    documents_max: int = Field(1_000_000, ge=0, description="Documents that may exist, 0: any.")
    document_stored_bytes_max: int = Field(
        DEFAULT.document_stored_bytes_max, ge=0, description="Bytes that one document may have on disk, 0: any."
    )
    access_log: bool = Field(True, description="One line per request and socket, at log level info.")
    linger_s: float = Field(30.0, ge=0, description="How long an empty room stays loaded.")
    resident_bytes_max: int = Field(512 * 1024 * 1024, ge=0, description="Memory for documents over all rooms.")
    tick_ms_max: float = Field(20.0, ge=0, le=100, description="The longest a costly room spaces its ticks.")
    checkpoint_rows: int = Field(500, ge=1, description="Log rows after a checkpoint before the next one is made.")
    history_exact_days: float = Field(
        30.0, ge=0, description="Every update is kept for so long, 0: for ever; then what each step amounted to."
    )
    history_step_s: int = Field(3600, ge=60, description="Length of these steps: how finely the past can be restored.")
    history_days: float = Field(
        0.0, ge=0, description="Steps older than this become one, and what was deleted before is gone; 0: never."
    )
    engine_workers: int = Field(2, ge=1, description="Child processes for content work.")
    engine_call_s: float = Field(20.0, gt=0, description="Longest content call.")
    drain_s: float = Field(8.0, gt=0, description="Longest graceful shutdown.")
    log_level: str = Field(
        "info", pattern="(?i)^(debug|info|warning|error|critical)$", description="debug, info, warning or error."
    )

    @field_validator("origins", "trusted_proxies", "jwt_algorithms", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [o.strip() for o in value.split(",") if o.strip()] if isinstance(value, str) else value

    @field_validator("workers")
    @classmethod
    def _may_be_several(cls, value: int, info: ValidationInfo) -> int:
        url = info.data.get("database_url")
        embedded = url is None or url.get_secret_value().startswith("sqlite")
        if value > 1 and (embedded or info.data.get("redis_url") is None):
            raise ValueError(
                f"{value} workers need a database that several processes may write, and a bus between them; give "
                "COLLAB_DATABASE_URL=postgresql://… and COLLAB_REDIS_URL=redis://…"
            )
        return value

    @field_validator("ssl_keyfile")
    @classmethod
    def _has_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("ssl_certfile") is None:
            raise ValueError("a key without a certificate; give COLLAB_SSL_CERTFILE too")
        return value

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, **given: Any) -> Self:
        """What is given first, then the environment, then the settings file that one of them names.

        Raises ValidationError, or UnsafeSettings if the file cannot be read.
        """
        file = given.get("settings_file") or os.environ.get("COLLAB_SETTINGS_FILE")
        if file is not None and not os.access(file, os.R_OK):
            raise UnsafeSettings(f"the settings file {file} cannot be read")
        found = cls(_env_file=file, **given)  # type: ignore[call-arg]
        found._given = given
        return found

    def reread(self) -> Self:
        """The same again, from what the file and the environment say now."""
        return type(self).read(**self._given)

    def reloaded(self) -> Self:
        """This, with what a running node takes anew (RELOADED) as the file says it now.

        Raises ValidationError, or UnsafeSettings if the file cannot be read.
        """
        fresh = self.reread()
        return self.model_copy(update={name: getattr(fresh, name) for name in RELOADED})

    @property
    def resolved_database_url(self) -> str:
        """The URL given, or SQLite in the data folder."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data.resolve() / 'collab.db'}"

    @property
    def embedded(self) -> bool:
        """True if the database is a file of ours, which `serve` may migrate by itself."""
        return self.resolved_database_url.startswith("sqlite")

    @property
    def on_loopback(self) -> bool:
        """True if only this machine can connect."""
        return self.host in LOOPBACK


def plain(error: Exception) -> str:
    """What is wrong with settings, without what was given: it may be a secret."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return str(error)
