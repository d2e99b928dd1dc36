"""pm_uptime_hours: what the looks at a probe came to in an hour."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0106"
down_revision = "0105"


def upgrade() -> None:
    create_table(
        "pm_uptime_hours",
        Column("probe", Key(64), primary_key=True),
        Column("hour_us", Micros(), primary_key=True, autoincrement=False),
        Column("known_us", Micros(), nullable=False),
        Column("down_us", Micros(), nullable=False),
        Column("checks", Integer(), nullable=False),
        Column("failed", Integer(), nullable=False),
        Column("took_us", Micros(), nullable=False),
        Column("most_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_uptime_hours")
