"""pm_error_counts: an index by which old hours are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0100"
down_revision = "0099"


def upgrade() -> None:
    create_index("ix_pm_error_counts_hour", "pm_error_counts", ["hour_us"])


def downgrade() -> None:
    drop_index("ix_pm_error_counts_hour", "pm_error_counts")
