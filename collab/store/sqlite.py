"""SQLite in WAL mode: one thread and one connection that write and checkpoint, a few read-only ones beside it.

Two connections that write or checkpoint at the same instant can corrupt a WAL before SQLite 3.51.3 (its "WAL-reset
bug"), hence the single writer, the readers that cannot write, and the lock file that keeps a second process out.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from collab.errors import StorageUnavailable
from collab.store.database import Work, storage_errors

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock; there the operator must start one process only
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

READERS = 4  # a read is a fraction of a millisecond; more threads would only fight for the interpreter
BUSY_S = 5.0  # how long to wait for a lock that only another process can hold (a backup, an operator's shell)
CACHE_KIB = 64 * 1024  # of the writer: the b-trees' inner pages and the tails of busy documents
READER_CACHE_KIB = 8 * 1024  # of each reader: inner pages; what a document holds is read once and kept by its room
WAL_PAGES = 4_000  # 16 MiB, then the writer moves them into the file: hot pages are moved once for many commits
WAL_BYTES_KEPT = 64 * 1024 * 1024  # a WAL that a long read made grow is cut back to this


def path_of(url: str) -> Path:
    """The file of a `sqlite:///path` URL. Raises ValueError for the in-memory forms, which cannot keep a promise."""
    path = url.partition(":///")[2].partition("?")[0]
    if not path or path == ":memory:":
        raise ValueError("an in-memory SQLite cannot be durable; give sqlite:///path")
    return Path(path)


class SqliteDatabase:
    """Satisfies the Database port for one file, which this process alone writes."""

    dialect = "sqlite"

    def __init__(self, path: Path, sync: str = "full", readonly: bool = False) -> None:
        """`sync` is "full" or "normal" (loses commits at power loss). With `readonly` nothing is locked nor written."""
        if sync not in ("full", "normal"):
            raise ValueError(f"sync is full or normal, not {sync}")
        self.path = path
        self._lock = None if readonly else _lock(path)
        if self._lock is not None:
            _sync_leftovers(path)
        self._open = True
        self._writing = _engine(path, f"synchronous={sync}", readonly)
        self._reading = _engine(path, "query_only=1", readonly=True)
        self._writer = ThreadPoolExecutor(1, "collab-writer")
        self._readers = ThreadPoolExecutor(READERS, "collab-reader")
        self._connection: Connection | None = None

    async def read(self, work: Work[T]) -> T:
        """In one of the reader threads."""
        return await self._run(self._readers, lambda: self._read(work))

    async def write(self, work: Work[T]) -> T:
        """In the writer's thread, one at a time, in the order of the calls."""
        return await self._run(self._writer, lambda: self._write(work))

    async def erase(self) -> None:
        """Freed pages are zeroed by secure_delete; this also empties the WAL, which holds them as they were."""
        await self._run(self._writer, self._empty_wal)

    async def close(self) -> None:
        """Waits for the writer, empties the WAL and releases the file."""
        self._open = False
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._close_writer)
        self._writer.shutdown(wait=False)
        self._readers.shutdown(wait=False)
        self._reading.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if not self._open:
            raise StorageUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _read(self, work: Work[T]) -> T:
        with storage_errors(), self._reading.begin() as connection:
            return work(connection)

    def _write(self, work: Work[T]) -> T:
        with storage_errors():
            connection = self._writer_connection()
            with connection.begin():
                return work(connection)

    def _writer_connection(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self._connection = self._writing.connect()
        return self._connection

    def _empty_wal(self) -> None:
        with storage_errors():
            busy = self._checkpoint()
        if busy:
            raise StorageUnavailable("readers kept the WAL from being emptied")

    def _checkpoint(self) -> bool:
        """Moves the whole WAL into the file and cuts it to nothing; True if a reader stood in the way."""
        raw = self._writer_connection().connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        try:
            busy: int = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            raise StorageUnavailable(f"wal_checkpoint: {error}") from error
        return bool(busy)

    def _close_writer(self) -> None:
        if self._connection is not None:
            # If it fails, the WAL stays beside the file and is read at the next start; nothing is lost by it.
            with suppress(StorageUnavailable, SQLAlchemyError):
                self._checkpoint()
            self._connection.close()
        self._writing.dispose()


def _lock(path: Path) -> int:
    """Takes the file beside the database that says "somebody writes here"; the kernel releases it with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageUnavailable(f"{path}: {error.strerror}") from error
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StorageUnavailable(f"{path} is in use by another process; SQLite takes one writer") from error
    return descriptor


def _sync_leftovers(path: Path) -> None:
    """Makes durable what a killed process had written and not synced, before anybody is told that it is there.

    SQLite reads such commits back from the WAL without syncing it: they could be shown, found to be nothing new when
    their author sends them again, called saved, and then be lost with the power.
    """
    try:
        for file in (path, Path(f"{path}-wal"), path.parent):
            if file.exists():
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
    except OSError as error:
        raise StorageUnavailable(f"{path} cannot be synced: {error.strerror}") from error


def _engine(path: Path, pragma: str, readonly: bool) -> Engine:
    mode = "ro" if readonly else "rwc"
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    settings = (
        []
        if readonly
        else ["journal_mode=WAL", f"journal_size_limit={WAL_BYTES_KEPT}", f"wal_autocheckpoint={WAL_PAGES}"]
    )
    settings += [
        pragma,
        "foreign_keys=1",
        "secure_delete=1",
        f"cache_size=-{READER_CACHE_KIB if readonly else CACHE_KIB}",
    ]

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(uri, uri=True, timeout=BUSY_S, check_same_thread=False, isolation_level=None)
        try:
            for setting in settings:
                raw.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            raw.close()
            raise
        return raw

    size = READERS if readonly else 1
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=size, max_overflow=0)
    # The driver's own transaction control would start one only at the first write; ours begins where it says so.
    begin = "BEGIN" if readonly else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
