"""pm_audit: an index by time."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0078"
down_revision = "0077"


def upgrade() -> None:
    create_index("ix_pm_audit_at", "pm_audit", ["at_us"])


def downgrade() -> None:
    drop_index("ix_pm_audit_at", "pm_audit")
