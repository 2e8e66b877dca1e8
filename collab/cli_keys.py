"""`collab keys`: API keys, while `serve` runs and while it does not."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from collab.auth.base import ApiKey
from collab.errors import CollabError
from collab.keyring import KeyRing, open_keyring
from collab.settings import Settings
from collab.types import Scope

T = TypeVar("T")
PAGE = 200

app = typer.Typer(no_args_is_help=True, add_completion=False, help="API keys for your servers: create, list, revoke.")

Data = Annotated[Path | None, typer.Option(help="Folder of the embedded database. [dim].collab[/dim]")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://… or sqlite:///…")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Scopes = Annotated[
    list[Scope] | None,
    typer.Option("--scope", help="Repeat for several. [dim]documents:read, documents:write, tickets:create[/dim]"),
]
Documents = Annotated[
    list[str] | None, typer.Option(help="Limit to ids like this; * is any run of characters. Repeat for several.")
]
DEFAULT_SCOPES = [Scope.DOCUMENTS_READ, Scope.DOCUMENTS_WRITE, Scope.TICKETS_CREATE]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What will use it, for your own eyes.")],
    scope: Scopes = None,
    documents: Documents = None,
    days: Annotated[float | None, typer.Option(help="How long it lives. [dim]until revoked[/dim]")] = None,
    as_json: AsJson = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Makes a key and shows its secret, once: only a hash of it is kept."""
    life_s = None if days is None else days * 86_400

    async def work(ring: KeyRing) -> tuple[ApiKey, str]:
        return await ring.mint(name, scope or DEFAULT_SCOPES, documents or [], life_s)

    key, secret = _run(work, data, database_url)
    if as_json:
        _print_json({**_public(key), "key": secret})
    elif sys.stdout.isatty():
        Console().print(
            f"Key [bold]{key.id}[/bold] ({escape(key.name)}). Copy its secret now, it is not shown again:\n"
        )
        typer.echo(f"  {secret}\n")
    else:
        typer.echo(secret)


@app.command("list")
def list_keys(as_json: AsJson = False, data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Lists every key, revoked ones too."""
    keys = _run(_all, data, database_url)
    if as_json:
        _print_json([_public(key) for key in keys])
    elif sys.stdout.isatty():
        Console().print(_table(keys))
    else:
        for key in keys:
            typer.echo("\t".join(_cells(key)))


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")],
    as_json: AsJson = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Ends a key for ever, on every node within a second."""
    key = _run(lambda ring: ring.revoke(id), data, database_url)
    if as_json:
        _print_json(_public(key))
    else:
        typer.echo(f"revoked {key.id} ({key.name})")


def _run(work: Callable[[KeyRing], Awaitable[T]], data: Path | None, database_url: str | None) -> T:
    """Does it on the key ring. Exits with 2 for bad settings, with 1 and the reason for anything else."""

    async def on_ring(settings: Settings) -> T:
        async with open_keyring(settings) as ring:
            return await work(ring)

    given: dict[str, Any] = {"data": data, "database_url": None if database_url is None else SecretStr(database_url)}
    try:
        settings = Settings.read(**{name: value for name, value in given.items() if value is not None})
        return asyncio.run(on_ring(settings))
    except ValidationError as error:
        for fault in error.errors():
            typer.echo(f"collab: {'.'.join(map(str, fault['loc']))}: {fault['msg']}", err=True)
        raise typer.Exit(2) from None
    except (CollabError, ValueError) as error:
        typer.echo(f"collab: {error}", err=True)
        raise typer.Exit(1) from None


async def _all(ring: KeyRing) -> list[ApiKey]:
    page = await ring.list(PAGE, None)
    keys = list(page.items)
    while page.cursor is not None:
        page = await ring.list(PAGE, page.cursor)
        keys += page.items
    return keys


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at.timestamp() <= time.time() else "active"


def _cells(key: ApiKey) -> list[str]:
    scopes, documents = ",".join(sorted(key.scopes)), ",".join(key.documents) or "*"
    return [
        key.id,
        key.name,
        f"{key.prefix}…",
        _state(key),
        scopes,
        documents,
        _day(key.expires_at),
        _day(key.last_used_at),
    ]


def _table(keys: list[ApiKey]) -> Table:
    table = Table("id", "name", "key", "state", "scopes", "documents", "expires", "last used", box=None)
    for key in keys:
        table.add_row(*map(escape, _cells(key)), style="dim" if _state(key) != "active" else None)
    return table


def _day(at: datetime | None) -> str:
    return "-" if at is None else at.isoformat(timespec="seconds")


def _public(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "state": _state(key),
        "scopes": sorted(key.scopes),
        "documents": list(key.documents),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def _print_json(value: object) -> None:
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
