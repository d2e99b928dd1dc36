"""pm_jobs: count and list by state, and find what a vanished worker held."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    create_index("ix_pm_jobs_state", "pm_jobs", ["state", "queue", "due_us"])


def downgrade() -> None:
    drop_index("ix_pm_jobs_state", "pm_jobs")
