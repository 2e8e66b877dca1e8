"""Makes a backup of a database in use, and puts one into an empty database."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from collab.backup import archive
from collab.backup.archive import Contents, DamagedBackup, Writer
from collab.backup.place import PREFIX, SUFFIX, Place
from collab.errors import Conflict
from collab.store import dump, migrate, verification
from collab.store.database import Database

T = TypeVar("T")
Advance = Callable[[int], None]


async def create(database: Database, place: Place, advance: Advance) -> tuple[str, Contents]:
    """Reads everything in one consistent view, keeps it, and reads it back; returns its name and contents.

    `advance` is told of rows. Raises StorageUnavailable.
    """
    now = datetime.now(UTC)
    name = f"{PREFIX}{now:%Y-%m-%dT%H%M%S}.{now.microsecond // 1000:03d}Z{SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="collab-backup-") as folder:
        path = Path(folder) / name
        with path.open("wb") as file:
            await _copy(database, file, now.isoformat(), advance)
        contents = archive.check(path)
        place.put(path, name)
    return name, contents


async def _copy(database: Database, file: BinaryIO, created_at: str, advance: Advance) -> None:
    writers: list[Writer] = []

    def begin(schema: str, documents: int) -> dump.Each:
        writer = Writer(file, schema, created_at, documents)
        writers.append(writer)

        def each(table: str, row: dump.Row) -> None:
            writer.row(table, row)
            advance(1)

        return each

    await database.read(lambda connection: dump.copy_all(connection, begin))
    writers[0].finish()


async def restore(database: Database, place: Place, name: str, advance: Advance) -> Contents:
    """Puts a backup into an empty database of the same schema, in one transaction, and verifies every checksum.

    Raises DamagedBackup before anything is written, Conflict if the database is not empty.
    """
    with tempfile.TemporaryDirectory(prefix="collab-backup-") as folder:
        path = Path(folder) / Path(name).name
        place.get(name, path)
        contents = archive.check(path)
        if contents.schema != migrate.head():
            raise Conflict(f"{name} is of schema {contents.schema}, this version of collab has {migrate.head()}")
        await database.write(lambda connection: dump.fill(connection, _counted(archive.read(path), advance)))
    faults = [fault async for found in verification.every_document(database) for fault in found.faults]
    if faults:
        raise DamagedBackup(f"restored, but {len(faults)} checksums are wrong, as they were: {faults[0]}")
    return contents


def _counted(rows: Iterator[T], advance: Advance) -> Iterator[T]:
    for row in rows:
        yield row
        advance(1)
