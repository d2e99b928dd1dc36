"""pm_workers: where workers can be woken, and what they do."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    create_table(
        "pm_workers",
        Column("id", Key(36), primary_key=True),
        Column("host", Key(255), nullable=False),
        Column("pid", Integer, nullable=False),
        Column("port", Integer),
        Column("queues", Key(2000), nullable=False),
        Column("threads", Integer, nullable=False),
        Column("running", Integer, nullable=False),
        Column("rss", Micros(), nullable=False),
        Column("started_us", Micros(), nullable=False),
        Column("seen_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_workers")
