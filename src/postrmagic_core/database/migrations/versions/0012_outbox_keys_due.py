"""pm_outbox_keys: find the keys whose first row is due."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    create_index("ix_pm_outbox_keys_due", "pm_outbox_keys", ["due_us"])


def downgrade() -> None:
    drop_index("ix_pm_outbox_keys_due", "pm_outbox_keys")
