"""pm_outbox_keys: the order of rows that share a key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    create_table(
        "pm_outbox_keys",
        Column("okey", Key(255), primary_key=True),
        Column("last_seq", BigInteger(), nullable=False),
        Column("topic", Key(64), nullable=False),
        Column("due_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_outbox_keys")
