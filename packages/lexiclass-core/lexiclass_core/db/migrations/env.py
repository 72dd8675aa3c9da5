"""Alembic's entry point: runs on the connection that :mod:`lexiclass_core.db.migrate` passes."""

from alembic import context

from lexiclass_core.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
)
with context.begin_transaction():
    context.run_migrations()
