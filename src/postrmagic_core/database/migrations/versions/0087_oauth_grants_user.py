"""pm_oauth_grants: an index by which a user's grants are listed."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0087"
down_revision = "0086"


def upgrade() -> None:
    create_index("ix_pm_oauth_grants_user", "pm_oauth_grants", ["user_id", "created_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_grants_user", "pm_oauth_grants")
