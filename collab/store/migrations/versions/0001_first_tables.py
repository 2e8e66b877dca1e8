"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# A migration never changes: the types are spelled out here and not taken from the tables of today.
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
OBJECT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Makes every table of the first version."""
    tables = sa.MetaData(naming_convention=NAMES)
    _documents(tables)
    _log(tables)
    _snapshots(tables)
    _access(tables)
    tables.create_all(op.get_bind(), checkfirst=False)  # a table of the same name is somebody else's: fail


def downgrade() -> None:
    """Drops them, and all that they hold."""
    for name in (
        "audit",
        "api_key",
        "idempotency_key",
        "snapshot",
        "checkpoint",
        "update_log",
        "retired_lineage",
        "document",
    ):
        op.drop_table(name)


def _required(name: str, type_: Any, **options: Any) -> Any:
    return sa.Column(name, type_, nullable=False, **options)


def _documents(tables: sa.MetaData) -> None:
    sa.Table(
        "document",
        tables,
        _required("key", KEY, primary_key=True, autoincrement=True),
        _required("id", ID, unique=True),
        _required("lineage", sa.Text()),
        _required("seq", sa.BigInteger()),
        sa.Column("title", sa.Text()),
        _required("metadata", OBJECT),
        _required("log_bytes", sa.BigInteger()),
        _required("checkpoint_bytes", sa.BigInteger()),
        _required("created_at", sa.BigInteger()),
        _required("updated_at", sa.BigInteger()),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("quarantine", sa.Text()),
    )
    sa.Table(
        "retired_lineage",
        tables,
        _required("document_id", ID, primary_key=True),
        _required("lineage", sa.Text(), primary_key=True),
        _required("authors", OBJECT),
        _required("retired_at", sa.BigInteger()),
    )


def _log(tables: sa.MetaData) -> None:
    sa.Table(
        "update_log",
        tables,
        _required("document_key", KEY, primary_key=True, autoincrement=False),
        _required("last_seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        _required("first_seq", sa.BigInteger()),
        _required("batch", sa.LargeBinary(), unique=True),
        _required("created_at", sa.BigInteger()),
        _required("checksum", sa.LargeBinary()),
        _required("payload", sa.LargeBinary()),
    )
    sa.Table(
        "checkpoint",
        tables,
        sa.Column("document_key", KEY, sa.ForeignKey("document.key"), primary_key=True, autoincrement=False),
        _required("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        _required("created_at", sa.BigInteger()),
        _required("checksum", sa.LargeBinary()),
        _required("state_index", sa.LargeBinary()),
        _required("state", sa.LargeBinary()),
    )


def _snapshots(tables: sa.MetaData) -> None:
    sa.Table(
        "snapshot",
        tables,
        _required("id", ID, primary_key=True),
        sa.Column("document_key", KEY, sa.ForeignKey("document.key"), nullable=False),
        _required("seq", sa.BigInteger()),
        sa.Column("label", sa.Text()),
        _required("metadata", OBJECT),
        _required("created_by", sa.Text()),
        _required("created_at", sa.BigInteger()),
        _required("size_bytes", sa.BigInteger()),
        _required("checksum", sa.LargeBinary()),
        _required("state", sa.LargeBinary()),
        sa.Index(None, "document_key", "id"),
    )


def _access(tables: sa.MetaData) -> None:
    sa.Table(
        "idempotency_key",
        tables,
        _required("caller", sa.Text(), primary_key=True),
        _required("key", sa.Text(), primary_key=True),
        _required("request_hash", sa.LargeBinary()),
        _required("status", sa.Integer()),
        _required("headers", OBJECT),
        _required("response", sa.LargeBinary()),
        _required("created_at", sa.BigInteger()),
        sa.Index(None, "created_at"),
    )
    sa.Table(
        "api_key",
        tables,
        _required("id", ID, primary_key=True),
        _required("name", sa.Text()),
        _required("prefix", sa.Text()),
        _required("sha256", sa.LargeBinary(), unique=True),
        _required("scopes", OBJECT),
        _required("documents", OBJECT),
        _required("created_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
    )
    sa.Table(
        "audit",
        tables,
        _required("id", ID, primary_key=True),
        _required("at", sa.BigInteger()),
        _required("actor", sa.Text()),
        _required("actor_kind", sa.Text()),
        _required("action", sa.Text()),
        sa.Column("document", ID),
        _required("outcome", sa.Text()),
        _required("detail", OBJECT),
        sa.Index(None, "document", "id"),
    )
