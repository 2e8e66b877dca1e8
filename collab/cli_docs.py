"""`collab doctor`, `collab export`, `collab import`: one document as a file, and whether all of them are well.

They work on the database itself. Beside a running service an embedded SQLite can be looked at, not written.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar
from urllib.parse import quote

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from collab import logs
from collab.doctor import Finding, examine
from collab.engine.client import Engine
from collab.errors import CollabError, StorageUnavailable
from collab.portable.archive import ArchiveReader
from collab.portable.export import Exporter
from collab.portable.intake import Clock, Importer, imported_as
from collab.portable.salvage import salvage
from collab.settings import Settings
from collab.store import migrate, verification
from collab.store.catalog import SqlCatalog
from collab.store.database import Database
from collab.store.log import SqlLog
from collab.store.open import connect, open_store
from collab.store.remains import remains
from collab.store.segments import SqlSegments
from collab.store.snapshots import SqlSnapshots

T = TypeVar("T")

FAULTY, REFUSED = 1, 2

said = Console(stderr=True, soft_wrap=True)  # standard output may be the archive

Data = Annotated[Path | None, typer.Option(help="Folder of the embedded database. [dim].collab[/dim]")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://… or sqlite:///…")]
Id = Annotated[str, typer.Argument(help="The document's id, as it is, not percent-encoded.")]


ADVICE = (
    "What is damaged is served read-only up to the damage, or from an older checkpoint; all else is unaffected.\n"
    "Next: copy the database, then [bold]collab doctor --salvage FOLDER[/bold] writes all that is left of each of them "
    "to an archive, and with [bold]--rebuild[/bold] puts it in its place (stop the service first)."
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("doctor")(doctor_command)
    app.command("export")(export_command)
    app.command("import")(import_command)


def doctor_command(
    data: Data = None,
    database_url: DatabaseUrl = None,
    salvage_into: Annotated[
        Path | None,
        typer.Option("--salvage", help="Folder for archives of what is left of faulty documents.", file_okay=False),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="With --salvage: put what is left in the faulty document's place.")
    ] = False,
) -> None:
    """Verifies every checksum, update and checkpoint, and lists the documents that are not well.

    Exit codes: [bold]0[/bold] all well, [bold]1[/bold] faults found, [bold]2[/bold] it could not look.
    Take a copy of the database before --rebuild. Editors that still hold what was lost bring it back by themselves
    when they reconnect.
    """
    if salvage_into is not None:
        salvage_into.mkdir(parents=True, exist_ok=True)
    faulty = _run(_doctor(_url(data, database_url), salvage_into, rebuild))
    raise typer.Exit(FAULTY if faulty else 0)


def export_command(document: Id, data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Writes one document to standard output as a zip: log, state, snapshots, metadata, readable content.

    [bold]collab export notes > notes.zip[/bold]
    """
    if sys.stdout.isatty():
        said.print("[red]✗[/red] this writes a zip: say where, e.g. [bold]collab export ID > file.zip[/bold]")
        raise typer.Exit(REFUSED)
    _run(_export(_url(data, database_url), document, sys.stdout.buffer))


def import_command(document: Id, data: Data = None, database_url: DatabaseUrl = None) -> None:
    """Reads an archive from standard input into a new document; refuses if the id is taken.

    [bold]collab import notes < notes.zip[/bold]   The id may be another one than it had.
    """
    with tempfile.TemporaryFile() as archive:
        shutil.copyfileobj(sys.stdin.buffer, archive)
        _run(_import(_url(data, database_url), document, archive))


async def _doctor(url: str, salvage_into: Path | None, rebuild: bool) -> list[Finding]:
    async with _database(url, readonly=not rebuild) as database:
        faulty = await _examine(database)
        if salvage_into is not None:
            for finding in faulty:
                await _salvage(database, finding, salvage_into, rebuild)
        elif faulty:
            said.print(ADVICE)
    return faulty


async def _examine(database: Database) -> list[Finding]:
    for fault in await verification.file_faults(database):
        said.print(f"[red]✗[/red] the file: {escape(fault)}")
    found: list[Finding] = []
    with _progress("examining documents", await verification.document_count(database)) as advance:
        async for finding in examine(database):
            found.append(finding)
            advance(1)
    faulty = [finding for finding in found if finding.faults]
    rows, segments, points = (sum(getattr(one, name) for one in found) for name in ("rows", "segments", "checkpoints"))
    counted = f"{len(found)} documents, {rows} log rows, {segments} history segments, {points} checkpoints"
    said.print(f"{counted}; {len(faulty)} documents are not well")
    for document in filter(None, (imported_as(finding.document) for finding in found)):
        said.print(f"[yellow]![/yellow] an import of {escape(document)} is under way or was cut off; import it again")
    for finding in faulty:
        for fault in finding.faults:
            said.print(f"[red]✗[/red] {escape(finding.document)}: {escape(fault)}")
    return faulty


async def _salvage(database: Database, finding: Finding, folder: Path, rebuild: bool) -> None:
    path = folder / f"{quote(finding.document, safe='')[:200]}.zip"
    catalog = SqlCatalog(database)
    details = await catalog.get(finding.document, deleted=True)
    left = await remains(database, finding.document)
    with path.open("wb") as target:
        saved = await salvage(details, left, target)
    said.print(
        f"[green]✓[/green] {escape(str(path))}: {saved.kept} updates kept, {saved.left_out} build on what is lost"
    )
    if rebuild:
        await catalog.purge(finding.document, frozenset())  # no author is retired: their copies are welcome
        with path.open("rb") as archive:
            await _importer(database).bring_in(ArchiveReader(archive), finding.document)
        said.print(f"[green]✓[/green] {escape(finding.document)} holds them now")


async def _export(url: str, document: str, target: IO[bytes]) -> None:
    async with _database(url, readonly=True) as database, _engine() as engine:
        catalog = SqlCatalog(database)

        async def readable(state: bytes) -> bytes | None:
            try:
                return await engine.read_all([state])
            except CollabError as error:  # the archive is whole without it
                said.print(f"[yellow]![/yellow] no readable content: {escape(error.detail)}")
                return None

        exporter = Exporter(SqlLog(database), catalog, SqlSnapshots(database), readable)
        with _progress(f"exporting {document}", (await catalog.get(document)).seq) as advance:
            made = await exporter.export(document, target, advance)
    said.print(f"[green]✓[/green] {made.seq} updates, content hash {made.content_hash}")


async def _import(url: str, document: str, source: IO[bytes]) -> None:
    archive = ArchiveReader(source)
    async with _database(url, sync="normal") as database:  # closing it makes all of it durable at once
        with _progress(f"importing {document}", archive.manifest.seq) as advance:
            await _importer(database).bring_in(archive, document, advance)
    said.print(f"[green]✓[/green] {archive.manifest.seq} updates, content hash {archive.manifest.content_hash}")


@asynccontextmanager
async def _engine() -> AsyncIterator[Engine]:
    logs.quiet()  # a line on standard output would end up in the archive
    engine = Engine(workers=1)
    try:
        yield engine
    finally:
        await engine.close()


def _importer(database: Database) -> Importer:
    clock = Clock(datetime.now(UTC))
    return Importer(
        SqlLog(database, clock.microseconds),
        SqlSegments(database),
        SqlCatalog(database, clock.moment),
        SqlSnapshots(database, clock.moment),
        clock,
    )


@asynccontextmanager
async def _database(url: str, sync: str = "full", readonly: bool = False) -> AsyncIterator[Database]:
    """For writing it is made and migrated as `serve` does it; only read, it is left alone and must be current."""
    if not readonly:
        async with open_store(url, sync=sync) as store:
            yield store.database
        return
    database = connect(url, readonly=True)
    try:
        if await migrate.needed(database):
            raise StorageUnavailable("the database schema is not current; run: collab db upgrade")
        yield database
    finally:
        await database.close()


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Any]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=said, transient=True, disable=not said.is_terminal) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda count: progress.advance(task, count)


def _url(data: Path | None, database_url: str | None) -> str:
    """Flags first, then COLLAB_* of the environment, then the settings file."""
    given: dict[str, Any] = {"data": data, "database_url": database_url}
    return Settings.read(**{name: value for name, value in given.items() if value is not None}).resolved_database_url


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (CollabError, ValueError) as error:
        said.print(f"[red]✗[/red] {escape(str(error))}")
        raise typer.Exit(REFUSED) from None
