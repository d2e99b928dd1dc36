"""pm_events: an index by which to find what one event has caused."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    create_index("ix_pm_events_correlation", "pm_events", ["correlation_id"])


def downgrade() -> None:
    drop_index("ix_pm_events_correlation", "pm_events")
