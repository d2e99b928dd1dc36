"""pm_uptime_checks: an index by which the oldest go."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0105"
down_revision = "0104"


def upgrade() -> None:
    create_index("ix_pm_uptime_checks_at", "pm_uptime_checks", ["at_us"])


def downgrade() -> None:
    drop_index("ix_pm_uptime_checks_at", "pm_uptime_checks")
