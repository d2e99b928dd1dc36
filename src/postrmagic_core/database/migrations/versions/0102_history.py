"""pm_history: what the figures of all processes came to."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Blob, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0102"
down_revision = "0101"


def upgrade() -> None:
    create_table(
        "pm_history",
        Column("step", Integer(), primary_key=True, autoincrement=False),
        Column("at_us", Micros(), primary_key=True, autoincrement=False),
        Column("points", Blob(), nullable=False),
        Column("routes", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_history")
