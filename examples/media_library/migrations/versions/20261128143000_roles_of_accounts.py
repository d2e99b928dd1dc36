"""Everybody has the role of a user, and who was an administrator that of one."""

from __future__ import annotations

from alembic import op

revision = "20261128143000"
down_revision = "20261128110000"


def upgrade() -> None:
    for role, of_whom in (("user", ""), ("admin", " WHERE is_admin = 1")):
        op.execute(
            "INSERT INTO pm_user_roles (user_id, role, granted_us) "  # noqa: S608 - of constants
            f"SELECT CAST(id AS CHAR), '{role}', created_us FROM users{of_whom}"
        )


def downgrade() -> None:
    op.execute(
        "UPDATE users SET is_admin = 1 WHERE CAST(id AS CHAR) IN "
        "(SELECT user_id FROM pm_user_roles WHERE role = 'admin')"
    )
    op.execute("DELETE FROM pm_user_roles WHERE role IN ('user', 'admin')")
