"""pm_uptime_checks: each look at a probe."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0104"
down_revision = "0103"


def upgrade() -> None:
    create_table(
        "pm_uptime_checks",
        Column("probe", Key(64), primary_key=True),
        Column("at_us", Micros(), primary_key=True, autoincrement=False),
        Column("took_us", Micros(), nullable=False),
        Column("error", Key(190), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_uptime_checks")
