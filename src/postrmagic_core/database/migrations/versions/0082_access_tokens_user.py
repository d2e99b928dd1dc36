"""pm_access_tokens: an index by which a user's tokens are found and counted."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0082"
down_revision = "0081"


def upgrade() -> None:
    create_index("ix_pm_access_tokens_user", "pm_access_tokens", ["user_id", "created_us"])


def downgrade() -> None:
    drop_index("ix_pm_access_tokens_user", "pm_access_tokens")
