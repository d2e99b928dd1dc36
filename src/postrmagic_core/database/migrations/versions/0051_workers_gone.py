"""pm_workers: who runs registers anew, with what he runs."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    drop_table("pm_workers")


def downgrade() -> None:
    create_table(
        "pm_workers",
        Column("id", Key(36), primary_key=True),
        Column("host", Key(255), nullable=False),
        Column("port", Integer, nullable=False),
        Column("seen_us", Micros(), nullable=False),
    )
