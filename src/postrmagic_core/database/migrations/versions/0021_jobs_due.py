"""pm_jobs: find what is due."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    create_index("ix_pm_jobs_due", "pm_jobs", ["queue", "due_us"])


def downgrade() -> None:
    drop_index("ix_pm_jobs_due", "pm_jobs")
