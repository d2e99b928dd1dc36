"""pm_jobs_before: its rows were taken over."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    drop_table("pm_jobs_before")


def downgrade() -> None:
    create_table(
        "pm_jobs_before",
        Column("id", Key(36), primary_key=True),
        Column("queue", Key(64), nullable=False),
        Column("task", Key(200), nullable=False),
        Column("state", Key(8), nullable=False),
        Column("due_us", Micros()),
        Column("retries", Integer, nullable=False),
        Column("deliveries", Integer, nullable=False),
        Column("fence", Integer, nullable=False),
        Column("lease_owner", Key(36)),
        Column("payload", Blob(), nullable=False),
        Column("result", Blob()),
        Column("reason", Key(16)),
        Column("error", Key(200)),
        Column("fingerprint", Key(16)),
        Column("created_us", Micros(), nullable=False),
        Column("started_us", Micros()),
        Column("ended_us", Micros()),
    )
