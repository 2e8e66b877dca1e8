"""The schema's version: what it is, what it should be, and the way from one to the other.

Migrations run without an ini file on a connection that is given to Alembic, in one transaction. Alembic is imported
only when there is something to migrate: it would be a third of the time that a node takes to start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from collab.errors import StorageUnavailable
from collab.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"
"""The revision that this version of collab works with; a test holds it to the newest migration."""

FOLDER = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x636F6C6C6162  # "collab": the advisory lock under which one node at a time migrates a Postgres


def head() -> str:
    """The revision that this version of collab works with."""
    return HEAD


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None if it is empty. Raises StorageUnavailable for an unknown one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and not (len(revision) == len(HEAD) and revision.isdigit() and revision <= HEAD):
        raise StorageUnavailable(
            f"the database is at schema {revision}, which this version of collab, at {HEAD}, does not know: "
            "a newer collab made it, or another application; use that version, or a database of collab's own"
        )
    return revision


def config(connection: Connection | None) -> Config:
    """Alembic's configuration for our migrations on this connection."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Brings the schema to the head; answers where it was and where it is. Nodes that start together take turns."""

    def work(connection: Connection) -> tuple[str | None, str]:
        if database.dialect == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        before = current(connection)
        if before != HEAD:
            from alembic import command

            command.upgrade(config(connection), "head")
        return before, HEAD

    return await database.write(work)


async def needed(database: Database) -> bool:
    """Whether the schema is not at the head."""
    return await database.read(current) != head()
