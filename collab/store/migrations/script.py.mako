"""${message}."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from collab.store import tables
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Applies this step."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Takes this step back."""
    ${downgrades if downgrades else "pass"}
