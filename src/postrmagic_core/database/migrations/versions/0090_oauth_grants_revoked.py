"""pm_oauth_grants: an index by which revoked grants are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0090"
down_revision = "0089"


def upgrade() -> None:
    create_index("ix_pm_oauth_grants_revoked", "pm_oauth_grants", ["revoked_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_grants_revoked", "pm_oauth_grants")
