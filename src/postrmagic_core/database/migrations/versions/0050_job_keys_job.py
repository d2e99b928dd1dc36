"""pm_job_keys: find the keys of jobs that are forgotten."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    create_index("ix_pm_job_keys_job", "pm_job_keys", ["job_id"])


def downgrade() -> None:
    drop_index("ix_pm_job_keys_job", "pm_job_keys")
