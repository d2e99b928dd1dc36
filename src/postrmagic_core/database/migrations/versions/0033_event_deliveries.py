"""pm_event_deliveries: one row for each durable listener of an event."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    create_table(
        "pm_event_deliveries",
        Column("event_id", Key(36), primary_key=True),
        Column("listener", Key(200), primary_key=True),
        Column("job_id", Key(36), nullable=False),
        Column("done_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_event_deliveries")
