"""pm_events: find the events of a class."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    create_index("ix_pm_events_type", "pm_events", ["type", "occurred_us"])


def downgrade() -> None:
    drop_index("ix_pm_events_type", "pm_events")
