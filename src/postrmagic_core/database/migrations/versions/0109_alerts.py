"""pm_alerts: one row for what each rule finds at each place, and how it stands."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0109"
down_revision = "0108"


def upgrade() -> None:
    create_table(
        "pm_alerts",
        Column("id", Key(32), primary_key=True),
        Column("rule", Key(190), nullable=False),
        Column("state", Key(16), nullable=False),
        Column("changed_us", Micros(), nullable=False),
        Column("data", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_alerts")
