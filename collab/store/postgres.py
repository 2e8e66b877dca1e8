"""Postgres over asyncpg: the same units of work, run by SQLAlchemy's async engine."""

from __future__ import annotations

from typing import TypeVar

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from collab.errors import StorageUnavailable
from collab.store.database import Work, storage_errors

T = TypeVar("T")

POOL_SIZE = 6  # the journal takes one, checkpoints and REST the others
POOL_OVERFLOW = 6
POOL_WAIT_S = 10.0
CONNECT_S = 5.0
STATEMENT_MS = 30_000  # a statement that takes longer than this is stuck, not busy
CALL_S = 40.0  # above the server's own limit: this one ends when the server is no longer there to do so


class PostgresDatabase:
    """Satisfies the Database port over a pool of connections, shared with other nodes."""

    dialect = "postgresql"

    def __init__(self, url: str, sync: str = "full") -> None:
        """No connection is made yet. `sync` is "full" or "normal" (synchronous_commit off: a crash loses commits)."""
        if sync not in ("full", "normal"):
            raise ValueError(f"sync is full or normal, not {sync}")
        self._engine = _engine(url, sync)

    async def read(self, work: Work[T]) -> T:
        """REPEATABLE READ, so that several statements of one work see one state."""
        return await self._run(work, "REPEATABLE READ")

    async def write(self, work: Work[T]) -> T:
        """READ COMMITTED: after waiting for a row's lock, the row is read as it is then."""
        return await self._run(work, "READ COMMITTED")

    async def erase(self) -> None:
        """Nothing is done at once: VACUUM frees the space, VACUUM FULL rewrites the files, old WAL leaves by rotation.

        An operator who must erase by a date runs `VACUUM FULL update_log, history_segment, checkpoint, snapshot`.
        """

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()

    async def _run(self, work: Work[T], isolation: str) -> T:
        try:
            with storage_errors():
                async with self._engine.connect() as connection:
                    await connection.execution_options(isolation_level=isolation)
                    async with connection.begin():
                        return await connection.run_sync(work)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Raised bare while connecting ("the database system is starting up").
            raise StorageUnavailable(f"{type(error).__name__}: {error}") from error


def _engine(url: str, sync: str) -> AsyncEngine:
    settings = {
        "application_name": "collab",
        "statement_timeout": str(STATEMENT_MS),
        "idle_in_transaction_session_timeout": str(2 * STATEMENT_MS),
        "synchronous_commit": "on" if sync == "full" else "off",
    }
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        connect_args={"server_settings": settings, "timeout": CONNECT_S, "command_timeout": CALL_S},
    )
