"""pm_uptime_outages: an index by which the newest are listed."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0108"
down_revision = "0107"


def upgrade() -> None:
    create_index("ix_pm_uptime_outages_began", "pm_uptime_outages", ["began_us"])


def downgrade() -> None:
    drop_index("ix_pm_uptime_outages_began", "pm_uptime_outages")
