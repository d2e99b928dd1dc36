"""pm_oauth_grants: an index by which what has expired is swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0089"
down_revision = "0088"


def upgrade() -> None:
    create_index("ix_pm_oauth_grants_expires", "pm_oauth_grants", ["expires_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_grants_expires", "pm_oauth_grants")
