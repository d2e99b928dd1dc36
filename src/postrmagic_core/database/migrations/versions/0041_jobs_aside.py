"""pm_jobs: put aside the rows of before states, priorities and unique keys."""

from __future__ import annotations

from postrmagic_core.database.migrations import rename_table

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    rename_table("pm_jobs", "pm_jobs_before", having="lease_owner")


def downgrade() -> None:
    rename_table("pm_jobs_before", "pm_jobs", having="lease_owner")
