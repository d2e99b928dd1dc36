"""pm_event_deliveries.position: its place among those, counted from 1."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Micros
from postrmagic_core.database.migrations import add_column, drop_column

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    add_column("pm_event_deliveries", Column("position", Micros()))


def downgrade() -> None:
    drop_column("pm_event_deliveries", "position")
