"""pm_alert_notices: an index by which what is due is found, the oldest first."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0115"
down_revision = "0114"


def upgrade() -> None:
    create_index("ix_pm_alert_notices_due", "pm_alert_notices", ["dead", "channel", "created_us"])


def downgrade() -> None:
    drop_index("ix_pm_alert_notices_due", "pm_alert_notices")
