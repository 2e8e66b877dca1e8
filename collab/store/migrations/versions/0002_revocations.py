"""Revocations: what was given before a moment counts less, or nothing, from then on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "revocation",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user", sa.Text()),
        sa.Column("document", ID),
        sa.Column("key", sa.Text()),
        sa.Column("access", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocation"),
    )
    op.create_index("ix_revocation_at", "revocation", ["at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_table("revocation")
