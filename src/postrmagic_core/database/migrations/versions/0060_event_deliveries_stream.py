"""pm_event_deliveries.stream: what orders a delivery among the listener's; NULL where nothing does."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key
from postrmagic_core.database.migrations import add_column, drop_column

revision = "0060"
down_revision = "0053"


def upgrade() -> None:
    add_column("pm_event_deliveries", Column("stream", Key(200)))


def downgrade() -> None:
    drop_column("pm_event_deliveries", "stream")
