"""pm_schedules: when each schedule comes next."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    create_table(
        "pm_schedules",
        Column("name", Key(200), primary_key=True),
        Column("spec", Key(255), nullable=False),
        Column("zone", Key(100), nullable=False),
        Column("next_us", Micros(), nullable=False),
        Column("last_us", Micros()),
        Column("last_job", Key(36)),
        Column("paused", Integer, nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_schedules")
