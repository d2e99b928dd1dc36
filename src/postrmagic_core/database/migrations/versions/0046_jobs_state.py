"""pm_jobs: count and list by state, and find what may be forgotten."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    create_index("ix_pm_jobs_state", "pm_jobs", ["state", "forget_us", "queue"])


def downgrade() -> None:
    drop_index("ix_pm_jobs_state", "pm_jobs")
