"""pm_event_deliveries.error: why."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key
from postrmagic_core.database.migrations import add_column, drop_column

revision = "0063"
down_revision = "0062"


def upgrade() -> None:
    add_column("pm_event_deliveries", Column("error", Key(200)))


def downgrade() -> None:
    drop_column("pm_event_deliveries", "error")
