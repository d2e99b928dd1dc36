"""pm_event_deliveries: an index by which to find what is not done, without a look at what is."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    create_index("ix_pm_event_deliveries_left", "pm_event_deliveries", ["done_us", "dead_us", "event_id"])


def downgrade() -> None:
    drop_index("ix_pm_event_deliveries_left", "pm_event_deliveries")
