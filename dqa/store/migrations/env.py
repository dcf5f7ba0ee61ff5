"""Runs the migrations on the connection that :mod:`dqa.store.migrate` holds, inside its transaction."""

from __future__ import annotations

from alembic import context

from dqa.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
