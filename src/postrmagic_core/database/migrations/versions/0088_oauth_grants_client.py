"""pm_oauth_grants: an index by which a client's grants are ended."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0088"
down_revision = "0087"


def upgrade() -> None:
    create_index("ix_pm_oauth_grants_client", "pm_oauth_grants", ["client_id", "created_us"])


def downgrade() -> None:
    drop_index("ix_pm_oauth_grants_client", "pm_oauth_grants")
