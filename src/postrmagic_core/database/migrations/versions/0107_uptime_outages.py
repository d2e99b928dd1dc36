"""pm_uptime_outages: since when, until when and why a probe was down."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0107"
down_revision = "0106"


def upgrade() -> None:
    create_table(
        "pm_uptime_outages",
        Column("probe", Key(64), primary_key=True),
        Column("began_us", Micros(), primary_key=True, autoincrement=False),
        Column("ended_us", Micros()),
        Column("reason", Key(190), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_uptime_outages")
