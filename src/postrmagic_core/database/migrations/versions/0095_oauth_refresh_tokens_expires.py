"""pm_oauth_refresh_tokens: an index by which what has expired is swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0095"
down_revision = "0094"


def upgrade() -> None:
    create_index("ix_pm_oauth_refresh_tokens_expires", "pm_oauth_refresh_tokens", ["expires_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_refresh_tokens_expires", "pm_oauth_refresh_tokens")
