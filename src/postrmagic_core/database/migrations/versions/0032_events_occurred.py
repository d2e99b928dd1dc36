"""pm_events: find the events since an instant, and those that may go."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    create_index("ix_pm_events_occurred", "pm_events", ["occurred_us"])


def downgrade() -> None:
    drop_index("ix_pm_events_occurred", "pm_events")
