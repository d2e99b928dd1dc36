"""pm_feature_uses: who used which feature on which day."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0116"
down_revision = "0115"


def upgrade() -> None:
    create_table(
        "pm_feature_uses",
        Column("feature", Key(64), primary_key=True),
        Column("day_us", Micros(), primary_key=True, autoincrement=False),
        Column("user_hash", Key(32), primary_key=True),
        Column("uses", BigInteger(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_feature_uses")
