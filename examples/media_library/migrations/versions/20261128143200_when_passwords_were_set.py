"""When each password was set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128143200"
down_revision = "20261128143100"


def upgrade() -> None:
    op.add_column("users", sa.Column("password_us", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("users", "password_us")
