"""`collab backup`: the whole database as one file, while the service runs; and back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from collab.backup import work
from collab.backup.place import place_of
from collab.cli_docs import _database, _progress, _url
from collab.errors import CollabError
from collab.remote import show

T = TypeVar("T")
FAILED = 1
said = Console(stderr=True, soft_wrap=True)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Backups of the whole database: create while it is in use, list, restore into a new one.",
)

To = Annotated[
    str, typer.Option("--to", envvar="COLLAB_BACKUPS", help="Folder, or s3://bucket/prefix (needs collab\\[s3]).")
]
From = Annotated[str, typer.Option("--from", envvar="COLLAB_BACKUPS", help="Folder, or s3://bucket/prefix.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the embedded database. [dim].collab[/dim]")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://… or sqlite:///…")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


@app.command()
def create(to: To, data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Makes a backup while the service runs: one consistent moment, read back and compared. Prints its name.

    [bold]collab backup create --to /backups[/bold]   [bold]collab backup create --to s3://bucket/collab[/bold]
    """

    async def there() -> dict[str, Any]:
        async with _database(_url(data, database_url), readonly=True) as database:
            with _progress("backing up", None) as advance:
                name, contents = await work.create(database, place_of(to), advance)
        return {"name": name, "documents": contents.documents, "rows": dict(contents.rows), "sha256": contents.sha256}

    made = _run(there())
    show.done(made["name"], made, as_json)


@app.command("list")
def list_backups(source: From, as_json: AsJson = False) -> None:
    """Lists backups, oldest first."""
    found = _run(_listed(source))
    columns: show.Columns = {"name": lambda kept: kept["name"], "size": lambda kept: show.size(kept["bytes"])}
    show.items(found, columns, as_json, "no backups")


async def _listed(source: str) -> list[dict[str, Any]]:
    return [{"name": kept.name, "bytes": kept.size_bytes} for kept in place_of(source).list()]


@app.command()
def restore(
    name: Annotated[str, typer.Argument(help="As [bold]list[/bold] shows it, or [bold]latest[/bold].")],
    source: From,
    data: Data = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Puts a backup into a new, empty database, all or nothing, and verifies every checksum.

    A backup of SQLite may be restored into a Postgres (after [bold]collab db upgrade[/bold]) and the other way round.

    [bold]collab backup restore latest --from /backups --data /var/lib/collab-new[/bold]
    """

    async def there() -> dict[str, Any]:
        place = place_of(source)
        chosen = name
        if name == "latest":
            kept = place.list()
            if not kept:
                raise CollabError(f"there is no backup in {source}")
            chosen = kept[-1].name
        async with _database(_url(data, database_url)) as database:
            with _progress("restoring", None) as advance:
                contents = await work.restore(database, place, chosen, advance)
        return {"name": chosen, "documents": contents.documents, "created_at": contents.created_at}

    done = _run(there())
    show.done(f"{done['documents']} documents as they were at {done['created_at']}", done, as_json)


def _run(there: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(there)
    except (CollabError, ValueError) as error:
        said.print(f"collab: {escape(str(error))}", highlight=False)
        raise typer.Exit(FAILED) from None
