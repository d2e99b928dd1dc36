"""What is found in each picture, and what a user's media come to."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261128050000"
down_revision = "20261123002342"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "details",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("colours", sa.String(32), nullable=False),
        sa.Column("orientation", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_details_digest"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_details")),
        **MYSQL,
    )
    op.create_table(
        "statistics",
        sa.Column("user_id", ID, autoincrement=False, nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("refreshed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_statistics_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_statistics")),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("statistics")
    op.drop_table("details")
