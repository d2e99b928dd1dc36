"""pm_outbox: rows that committed and wait for delivery."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, UniqueConstraint

from postrmagic_core._sql.types import Blob, Id, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table(
        "pm_outbox",
        Column("id", Id(), primary_key=True),
        Column("topic", Key(64), nullable=False),
        Column("okey", Key(255)),
        Column("seq", BigInteger()),
        Column("payload", Blob(), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("due_us", Micros(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("dead", Integer(), nullable=False),
        Column("error", Key(64)),
        UniqueConstraint("okey", "seq", name="uq_pm_outbox_order"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    drop_table("pm_outbox")
