"""pm_outbox: find what is ready."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0010"
down_revision = "0001"


def upgrade() -> None:
    create_index("ix_pm_outbox_ready", "pm_outbox", ["okey", "dead", "due_us"])


def downgrade() -> None:
    drop_index("ix_pm_outbox_ready", "pm_outbox")
