"""pm_schema_predecessors: which older releases can use the tables as they are."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0123"
down_revision = "0122"


def upgrade() -> None:
    create_table(
        "pm_schema_predecessors",
        Column("history", Key(64), primary_key=True),
        Column("heads", Blob(), nullable=False),
        Column("admitted", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_schema_predecessors")
