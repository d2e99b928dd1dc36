"""pm_once: find the rows that may go."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    create_index("ix_pm_once_expires", "pm_once", ["expires_us"])


def downgrade() -> None:
    drop_index("ix_pm_once_expires", "pm_once")
