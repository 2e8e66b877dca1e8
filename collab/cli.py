"""The command line: serve, settings, replay, and the tools of an operator's hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.table import Table

from collab import __version__, cli_docs
from collab.cli_db import app as db_app
from collab.cli_keys import app as keys_app
from collab.errors import UnsafeSettings
from collab.replay.command import replay
from collab.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Collaborative editing backend for Yjs editors. Start with [bold]collab serve[/bold].",
)
app.add_typer(db_app, name="db")
app.add_typer(keys_app, name="keys")
app.command()(replay)
cli_docs.register(app)

SERVE_HELP = """Runs the service: REST at /api, live sync at ws://HOST:PORT/sync/DOCUMENT, docs at /docs.

Without a database URL it keeps everything in an embedded SQLite file in the data folder, which it makes and upgrades.
Every flag is also an environment variable: --port is COLLAB_PORT, and so on ([bold]collab settings[/bold] prints all).

Point any y-websocket client at it:

    new WebsocketProvider('ws://127.0.0.1:8000/sync', 'my-document', doc)
"""


def settings_from(**flags: Any) -> Settings:
    """Environment first, then the flags that were given. Exits with 2 and one line per fault."""
    try:
        return Settings.read(**{name: value for name, value in flags.items() if value is not None})
    except UnsafeSettings as error:
        typer.echo(f"collab: {error}", err=True)
        raise typer.Exit(2) from None
    except ValidationError as error:
        for fault in error.errors():
            typer.echo(f"collab: {'.'.join(map(str, fault['loc']))}: {fault['msg']}", err=True)
        raise typer.Exit(2) from None


Host = Annotated[str | None, typer.Option(help="Address to listen on. [dim]127.0.0.1[/dim]")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one. [dim]8000[/dim]")]
Data = Annotated[Path | None, typer.Option(help="Folder of the embedded database. [dim].collab[/dim]")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://… or sqlite:///…")]


@app.command(help=SERVE_HELP)
def serve(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    socket_shell: Annotated[str | None, typer.Option(help="fast (picows) or asgi (portable)")] = None,
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate chain, PEM: serve https and wss.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Private key of the certificate, PEM.")] = None,
    origins: Annotated[str | None, typer.Option(help="Other origins whose pages may connect, comma separated.")] = None,
    open_to_the_world: Annotated[
        bool | None, typer.Option("--open-to-the-world", help="Allow non-loopback addresses without authentication.")
    ] = None,
    trusted_proxies: Annotated[str | None, typer.Option(help="Proxies whose X-Forwarded-* to believe.")] = None,
    jwt_issuer: Annotated[str | None, typer.Option(help="Issuer (iss) of your identity provider's tokens.")] = None,
    jwt_audience: Annotated[str | None, typer.Option(help="Audience (aud) that they name.")] = None,
    jwt_jwks_url: Annotated[str | None, typer.Option(help="Where the provider publishes its keys.")] = None,
    jwt_public_key_file: Annotated[Path | None, typer.Option(help="Or its public key, PEM.")] = None,
    jwt_secret_file: Annotated[Path | None, typer.Option(help="Or a file with a secret shared with it.")] = None,
    frames_per_s: Annotated[float | None, typer.Option(help="Frames a socket may send per second; 0: any.")] = None,
    settings_file: Annotated[Path | None, typer.Option(help="File of COLLAB_…=… lines; SIGHUP reads it again.")] = None,
    redis_url: Annotated[str | None, typer.Option(help="redis://…: the bus between several nodes.")] = None,
    workers: Annotated[int | None, typer.Option(help="Nodes on this machine; needs Postgres and Redis.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error")] = None,
) -> None:
    """Runs the service."""
    settings = settings_from(**locals())
    from collab import logs
    from collab.serve import run

    logs.configure(settings.log_level)
    raise typer.Exit(run(settings, lambda port: _announce(settings, port)))


def _announce(settings: Settings, port: int) -> None:
    scheme = "https" if settings.ssl_certfile else "http"
    base = f"{scheme}://{settings.host}:{port}"
    where = settings.data.resolve() if settings.embedded else _mask(settings.resolved_database_url)
    for line in (
        f"collab {__version__} is ready",
        f"  page      {base}/",
        f"  API docs  {base}/docs",
        f"  sockets   {base.replace('http', 'ws', 1)}/sync/DOCUMENT",
        f"  data      {where}",
        *([f"  workers   {settings.workers}"] if settings.workers > 1 else []),
    ):
        typer.echo(line)
    sys.stdout.flush()


@app.command("settings")
def show_settings(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Prints the resolved settings, secrets masked, and the variable that sets each."""
    settings = settings_from()
    rows = [(f"COLLAB_{name.upper()}", _shown(name, settings), info.description or "")
            for name, info in Settings.model_fields.items()]  # fmt: skip
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps({name: value for name, value, _ in rows}).decode() + os.linesep)
        return
    table = Table("variable", "value", "what it does", box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _shown(name: str, settings: Settings) -> str:
    value = getattr(settings, name)
    if name == "database_url":
        return _mask(settings.resolved_database_url)
    if isinstance(value, SecretStr):
        return "********"
    return ",".join(sorted(value)) if isinstance(value, frozenset) else "" if value is None else str(value)


def _mask(url: str) -> str:
    """A database URL without its password."""
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


@app.command()
def version() -> None:
    """Prints the version."""
    typer.echo(__version__)


def main() -> None:
    """The console script."""
    app()
