"""What the store needs of a database: units of work, each one transaction on one connection.

Work is a plain function of a SQLAlchemy connection. SQLite runs it in a thread, Postgres over asyncpg; what it says is
the same for both but for the statements in `commit.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from collab.errors import CollabError, Quarantined, StorageUnavailable, Unprocessable

T = TypeVar("T")
Work = Callable[[Connection], T]

DATA_EXCEPTION = "22"  # the class of SQLSTATE codes that speak of a value


class Database(Protocol):
    """Runs units of work. All raise StorageUnavailable when the database cannot answer, with the cause chained.

    Unprocessable means that it cannot hold a value. IntegrityError passes: the caller knows what is there already.
    """

    dialect: str

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on one consistent view; it may not write."""

    async def write(self, work: Work[T]) -> T:
        """Runs `work` in a transaction that is durable when this returns.

        If the caller is cancelled, the transaction still ends whole, one way or the other.
        """

    async def erase(self) -> None:
        """Makes the bytes of deleted rows unreadable in the files, as far as the database can."""

    async def close(self) -> None:
        """Finishes what is under way and lets go of every connection."""


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what a database may throw into the one error tree; IntegrityError passes as it is."""
    try:
        yield
    except (CollabError, IntegrityError):
        raise
    except (DataError, UnicodeError, OverflowError) as error:
        raise Unprocessable(f"the database cannot hold this: {error}") from error
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(DATA_EXCEPTION):
            raise Unprocessable(f"the database cannot hold this: {error.orig}") from error
        # A page of the file is broken: that is this document's (or this table's) trouble, not everybody's.
        if "malformed" in str(error.orig):
            raise Quarantined(f"the database file is damaged: {error.orig}") from error
        raise StorageUnavailable(f"{type(error.orig).__name__}: {error.orig}") from error
    # SystemError: Python's sqlite3 says "returned NULL without setting an exception" when a commit finds the disk full.
    except (SQLAlchemyError, OSError, TimeoutError, SystemError) as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
