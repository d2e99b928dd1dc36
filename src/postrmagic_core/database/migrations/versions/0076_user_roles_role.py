"""pm_user_roles: an index by which a role's users are found."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0076"
down_revision = "0075"


def upgrade() -> None:
    create_index("ix_pm_user_roles_role", "pm_user_roles", ["role"])


def downgrade() -> None:
    drop_index("ix_pm_user_roles_role", "pm_user_roles")
