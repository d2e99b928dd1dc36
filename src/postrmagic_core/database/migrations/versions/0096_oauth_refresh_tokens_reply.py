"""pm_oauth_refresh_tokens: an index by which kept answers are forgotten."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0096"
down_revision = "0095"


def upgrade() -> None:
    create_index("ix_pm_oauth_refresh_tokens_reply", "pm_oauth_refresh_tokens", ["reply_until_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_refresh_tokens_reply", "pm_oauth_refresh_tokens")
