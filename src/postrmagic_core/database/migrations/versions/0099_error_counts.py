"""pm_error_counts: how often an error came in each hour."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0099"
down_revision = "0098"


def upgrade() -> None:
    create_table(
        "pm_error_counts",
        Column("fingerprint", Key(64), primary_key=True),
        Column("hour_us", Micros(), primary_key=True, autoincrement=False),
        Column("count", BigInteger(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_error_counts")
