"""pm_alert_changes: an index by which the oldest go."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0112"
down_revision = "0111"


def upgrade() -> None:
    create_index("ix_pm_alert_changes_at", "pm_alert_changes", ["at_us"])


def downgrade() -> None:
    drop_index("ix_pm_alert_changes_at", "pm_alert_changes")
