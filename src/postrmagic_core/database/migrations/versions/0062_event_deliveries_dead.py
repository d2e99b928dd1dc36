"""pm_event_deliveries.dead_us: when it was given up."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Micros
from postrmagic_core.database.migrations import add_column, drop_column

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    add_column("pm_event_deliveries", Column("dead_us", Micros()))


def downgrade() -> None:
    drop_column("pm_event_deliveries", "dead_us")
