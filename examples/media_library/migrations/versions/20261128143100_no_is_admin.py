"""Administrators are known by their role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128143100"
down_revision = "20261128143000"


def upgrade() -> None:
    op.drop_column("users", "is_admin")


def downgrade() -> None:
    op.add_column("users", sa.Column("is_admin", sa.Boolean(), server_default=sa.text("0"), nullable=False))
