"""pm_alert_changes: what became of alerts, and who did it."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Id, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0111"
down_revision = "0110"


def upgrade() -> None:
    create_table(
        "pm_alert_changes",
        Column("id", Id(), primary_key=True),
        Column("at_us", Micros(), nullable=False),
        Column("alert", Key(32), nullable=False),
        Column("state", Key(16), nullable=False),
        Column("data", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_alert_changes")
