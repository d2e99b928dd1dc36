"""pm_access_tokens: an index by which revoked tokens are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0084"
down_revision = "0083"


def upgrade() -> None:
    create_index("ix_pm_access_tokens_revoked", "pm_access_tokens", ["revoked_us"])


def downgrade() -> None:
    drop_index("ix_pm_access_tokens_revoked", "pm_access_tokens")
