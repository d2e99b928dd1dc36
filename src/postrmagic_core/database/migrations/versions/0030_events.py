"""pm_events: the log of durable events."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0030"
down_revision = "0023"


def upgrade() -> None:
    create_table(
        "pm_events",
        Column("id", Key(36), primary_key=True),
        Column("type", Key(200), nullable=False),
        Column("payload", Blob(), nullable=False),
        Column("occurred_us", Micros(), nullable=False),
        Column("correlation_id", Key(36), nullable=False),
        Column("causation_id", Key(36)),
    )


def downgrade() -> None:
    drop_table("pm_events")
