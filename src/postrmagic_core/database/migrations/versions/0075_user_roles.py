"""pm_user_roles: who has which role."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0075"
down_revision = "0074"


def upgrade() -> None:
    create_table(
        "pm_user_roles",
        Column("user_id", Key(190), primary_key=True),
        Column("role", Key(64), primary_key=True),
        Column("granted_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_user_roles")
