"""pm_audit: an index by who did it."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0079"
down_revision = "0078"


def upgrade() -> None:
    create_index("ix_pm_audit_actor", "pm_audit", ["actor", "at_us"])


def downgrade() -> None:
    drop_index("ix_pm_audit_actor", "pm_audit")
