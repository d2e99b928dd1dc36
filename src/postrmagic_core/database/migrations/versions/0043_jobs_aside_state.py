"""pm_jobs_before: its index gives its name free."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    drop_index("ix_pm_jobs_state", "pm_jobs_before")


def downgrade() -> None:
    create_index("ix_pm_jobs_state", "pm_jobs_before", ["state", "queue", "due_us"])
