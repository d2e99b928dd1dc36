"""Run by Alembic, on the connection that :mod:`postrmagic_core.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from postrmagic_core.database.schema import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table=VERSION_TABLE,
    transaction_per_migration=True,
    # The write engine's BEGIN IMMEDIATE covers DDL on SQLite; MySQL commits each statement by itself.
    transactional_ddl=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
