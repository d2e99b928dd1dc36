"""pm_backup_runs: an index by which the newest of a kind are read, and whether one is under way."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0121"
down_revision = "0120"


def upgrade() -> None:
    create_index("ix_pm_backup_runs_began", "pm_backup_runs", ["kind", "began_us"])


def downgrade() -> None:
    drop_index("ix_pm_backup_runs_began", "pm_backup_runs")
