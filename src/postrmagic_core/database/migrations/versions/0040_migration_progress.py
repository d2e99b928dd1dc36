"""pm_migration_progress: how far an application's revision has come on a server."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0040"
down_revision = "0033"


def upgrade() -> None:
    create_table(
        "pm_migration_progress",
        Column("history", Key(64), primary_key=True),
        Column("revision", Key(64), nullable=False),
        Column("direction", Key(16), nullable=False),
        Column("done", Integer(), nullable=False),
        Column("begun", Integer(), nullable=False),
        Column("digest", Key(64), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_migration_progress")
