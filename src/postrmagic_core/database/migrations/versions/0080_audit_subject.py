"""pm_audit: an index by whom it was done to."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0080"
down_revision = "0079"


def upgrade() -> None:
    create_index("ix_pm_audit_subject", "pm_audit", ["subject", "at_us"])


def downgrade() -> None:
    drop_index("ix_pm_audit_subject", "pm_audit")
