"""The schema's version: what it is, what it should be, and the way from one to the other.

Migrations run without an ini file on a connection that is given to Alembic, in one transaction.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from collab.store.database import Database

FOLDER = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x636F6C6C6162  # "collab": the advisory lock under which one node at a time migrates a Postgres


def head() -> str:
    """The revision that this version of collab works with."""
    revision = ScriptDirectory.from_config(config(None)).get_current_head()
    assert revision is not None
    return revision


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None if it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def config(connection: Connection | None) -> Config:
    """Alembic's configuration for our migrations on this connection."""
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
        command.upgrade(config(connection), "head")
        return before, head()

    return await database.write(work)


async def needed(database: Database) -> bool:
    """Whether the schema is not at the head."""
    return await database.read(current) != head()
