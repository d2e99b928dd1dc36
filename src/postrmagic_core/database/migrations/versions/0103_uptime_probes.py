"""pm_uptime_probes: how each probe stands."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0103"
down_revision = "0102"


def upgrade() -> None:
    create_table(
        "pm_uptime_probes",
        Column("name", Key(64), primary_key=True),
        Column("due_us", Micros(), nullable=False),
        Column("up", Integer()),
        Column("since_us", Micros()),
        Column("at_us", Micros()),
        Column("took_us", Micros()),
        Column("error", Key(190), nullable=False),
        Column("failing", Integer(), nullable=False),
        Column("failing_us", Micros()),
        Column("expires_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_uptime_probes")
