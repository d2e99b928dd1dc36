"""pm_login_tokens: an index by which a user's tokens are ended."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    create_index("ix_pm_login_tokens_user", "pm_login_tokens", ["user_id", "purpose"])


def downgrade() -> None:
    drop_index("ix_pm_login_tokens_user", "pm_login_tokens")
