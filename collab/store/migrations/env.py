"""Runs migrations on the connection that the caller put into the configuration."""

from alembic import context

from collab.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    transactional_ddl=True,  # both databases can; Alembic assumes that SQLite cannot
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
