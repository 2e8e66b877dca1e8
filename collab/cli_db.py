"""`collab db`: brings the schema up to date, and checks what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from collab.errors import CollabError
from collab.settings import Settings
from collab.store import copying, migrate, verification
from collab.store.database import Database
from collab.store.open import connect, upgrade

DAMAGED, UNREACHABLE, OUTDATED = 1, 2, 3
FAULTS_SHOWN = 100

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich", help="The database: schema, soundness, moving."
)
console = Console(soft_wrap=True)  # a fault is one line, whatever the terminal: it will be searched for

Data = Annotated[Path | None, typer.Option(help="Folder of the embedded database. [dim].collab[/dim]")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://… or sqlite:///…")]


@app.command("upgrade")
def upgrade_command(data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Brings the schema to what this version works with; does nothing if it is there already.

    `collab serve` does this by itself for an embedded SQLite. Nodes that run it at once on a Postgres take turns.
    """
    before, after = _run(upgrade(_url(data, database_url)))
    if before == after:
        console.print(f"[green]✓[/green] the schema is at {after} already")
    else:
        console.print(f"[green]✓[/green] the schema went from {before or 'nothing'} to {after}")


@app.command("check")
def check_command(
    data: Data = None,
    database_url: DatabaseUrl = None,
    checksums: Annotated[bool, typer.Option("--checksums", help="Also verify every stored byte.")] = False,
) -> None:
    """Checks the schema, the SQLite file, and with --checksums every row, checkpoint and snapshot.

    Only reads, and may run beside a running service. Exit codes: [bold]0[/bold] sound, [bold]1[/bold] damaged,
    [bold]2[/bold] cannot be reached, [bold]3[/bold] needs `collab db upgrade`.
    """
    code = _run(_check(_url(data, database_url), checksums))
    raise typer.Exit(code)


@app.command("copy")
def copy_command(
    source: Annotated[str, typer.Argument(help="sqlite:///… or postgresql://…: only read.")],
    target: Annotated[str, typer.Argument(help="The same: its schema is made or upgraded.")],
) -> None:
    """Copies everything to another database, and verifies every checksum there.

    Moving from one node to several: copy while the service runs, stop it, copy again (only what has changed since is
    brought over), start it on the new database. A copy that was broken off goes on where it was.

        collab db copy sqlite:////srv/collab/collab.db postgresql://collab@db/collab

    Exit codes: [bold]0[/bold] all there and sound, [bold]1[/bold] not all, [bold]2[/bold] cannot be reached.
    """
    raise typer.Exit(_run(_copy(source, target)))


async def _copy(source_url: str, target_url: str) -> int:
    await upgrade(target_url)
    source, target = connect(source_url, readonly=True), connect(target_url)
    try:
        if not await _schema_is_current(source):
            return OUTDATED
        faults = await _copy_all(source, target)
        if not faults:
            faults = await copying.differences(source, target) or await _verify_all(target)
        else:
            _report("everything is copied", faults)
        return DAMAGED if faults else 0
    finally:
        await target.close()
        await source.close()


async def _copy_all(source: Database, target: Database) -> list[str]:
    faults: list[str] = []
    documents = rows = states = 0
    with _progress("copying documents") as progress:
        task = progress.add_task("", total=await verification.document_count(source))
        async for copied in copying.every_document(source, target):
            documents, rows, states = documents + 1, rows + copied.rows, states + copied.states
            faults += [f"document {copied.document}: {fault}" for fault in copied.faults]
            progress.advance(task)
    others = await copying.beside(source, target)
    console.print(
        f"[green]✓[/green] {documents} documents looked at; {rows} log rows, {states} checkpoints and snapshots, "
        f"{others} other rows written"
    )
    return faults


def _progress(what: str) -> Progress:
    columns = (SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _url(data: Path | None, database_url: str | None) -> str:
    """Flags first, then COLLAB_* of the environment, then the settings file."""
    given: dict[str, Any] = {"data": data, "database_url": database_url}
    return Settings.read(**{name: value for name, value in given.items() if value is not None}).resolved_database_url


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except (CollabError, ValueError) as error:
        console.print(f"[red]✗[/red] {escape(str(error))}")
        raise typer.Exit(UNREACHABLE) from None


async def _check(url: str, checksums: bool) -> int:
    database = connect(url, readonly=True)
    try:
        if not await _schema_is_current(database):
            return OUTDATED
        faults = await verification.file_faults(database)
        _report("the file is sound", faults)
        if checksums:
            faults += await _verify_all(database)
        return DAMAGED if faults else 0
    finally:
        await database.close()


async def _schema_is_current(database: Database) -> bool:
    found, wanted = await database.read(migrate.current), migrate.head()
    if found == wanted:
        console.print(f"[green]✓[/green] the schema is at {wanted}")
        return True
    console.print(f"[red]✗[/red] the schema is at {found or 'nothing'}, not at {wanted}: run collab db upgrade")
    return False


async def _verify_all(database: Database) -> list[str]:
    faults: list[str] = []
    documents = rows = checkpoints = snapshots = 0
    with _progress("verifying documents") as progress:
        task = progress.add_task("", total=await verification.document_count(database))
        async for found in verification.every_document(database):
            documents, rows = documents + 1, rows + found.rows
            checkpoints, snapshots = checkpoints + found.checkpoints, snapshots + found.snapshots
            faults += [f"document {found.document}: {fault}" for fault in found.faults]
            progress.advance(task)
    what = f"{documents} documents, {rows} log rows, {checkpoints} checkpoints, {snapshots} snapshots"
    _report(f"{what}: every checksum is right", faults)
    return faults


def _report(good: str, faults: list[str]) -> None:
    if not faults:
        console.print(f"[green]✓[/green] {good}")
        return
    for fault in faults[:FAULTS_SHOWN]:
        console.print(f"[red]✗[/red] {escape(fault)}")
    if len(faults) > FAULTS_SHOWN:
        console.print(f"[red]✗[/red] and {len(faults) - FAULTS_SHOWN} more")
