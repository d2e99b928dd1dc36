"""pm_authenticators: the secrets of users' second factors."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0073"
down_revision = "0072"


def upgrade() -> None:
    create_table(
        "pm_authenticators",
        Column("user_id", Key(190), primary_key=True),
        Column("secret", Blob(), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("confirmed_us", Micros()),
        Column("last_step", BigInteger(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_authenticators")
