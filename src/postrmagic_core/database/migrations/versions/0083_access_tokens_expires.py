"""pm_access_tokens: an index by which expired tokens are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0083"
down_revision = "0082"


def upgrade() -> None:
    create_index("ix_pm_access_tokens_expires", "pm_access_tokens", ["expires_us"])


def downgrade() -> None:
    drop_index("ix_pm_access_tokens_expires", "pm_access_tokens")
