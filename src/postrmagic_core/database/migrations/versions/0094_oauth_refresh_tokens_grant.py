"""pm_oauth_refresh_tokens: an index by which a grant's tokens are found."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0094"
down_revision = "0093"


def upgrade() -> None:
    create_index("ix_pm_oauth_refresh_tokens_grant", "pm_oauth_refresh_tokens", ["grant_id"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_refresh_tokens_grant", "pm_oauth_refresh_tokens")
