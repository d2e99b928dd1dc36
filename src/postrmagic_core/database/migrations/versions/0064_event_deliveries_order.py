"""pm_event_deliveries: an index by which to find the deliveries of a stream, in order."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    create_index("ix_pm_event_deliveries_order", "pm_event_deliveries", ["listener", "stream", "position"])


def downgrade() -> None:
    drop_index("ix_pm_event_deliveries_order", "pm_event_deliveries")
