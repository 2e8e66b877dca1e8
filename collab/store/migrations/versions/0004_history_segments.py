"""History segments: what old rows of the log amounted to, in few bytes, in the place of those rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the table, and the column that says how far segments reach."""
    op.add_column("document", sa.Column("squashed_seq", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "history_segment",
        sa.Column("document_key", KEY, sa.ForeignKey("document.key", name="fk_history_segment_document_key_document"),
                  nullable=False, autoincrement=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("document_key", "last_seq", name="pk_history_segment"),
    )


def downgrade() -> None:
    """Drops both: what was squashed is then only in checkpoints."""
    op.drop_table("history_segment")
    op.drop_column("document", "squashed_seq")
