"""pm_jobs: find what is due, in the order of delivery."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    create_index("ix_pm_jobs_due", "pm_jobs", ["queue", "priority", "due_us", "id"])


def downgrade() -> None:
    drop_index("ix_pm_jobs_due", "pm_jobs")
